"""Mult-VAE's training on a GPU, without TensorFlow: users/s through `fit`, beside what the card's arithmetic allows.

    pip install . 'jax[cuda12]'
    KERAS_BACKEND=jax python benchmarks/gpu.py
    KERAS_BACKEND=jax python benchmarks/gpu.py --users 2000 --batch 500 --any-device

Data of ML-20M's shape, in the paper's architecture and batch of 500, and in one of 24,576. A third of a step's
multiplications is the answer and two thirds its gradients; `--tflops` names what the card does of them in a second
(an H200: 989e12 of bfloat16), for the share of it that was reached. Published for this model and size: 354,000 users/s
on one A100 in mixed precision.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.9")

import jax
import keras
import numpy as np
from compare import generated

from kerasrec import Interactions, MultVAE


def main() -> None:
    """Reads the command line and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=136_677, help="ML-20M's")
    parser.add_argument("--batch", type=int, nargs="+", default=[500, 24_576])
    parser.add_argument("--epochs", type=int, default=6, help="of which the first two do not count")
    parser.add_argument("--tflops", type=float, default=989.0, help="of the card, in bfloat16")
    parser.add_argument("--any-device", action="store_true", help="run on a processor all the same")
    options = parser.parse_args()
    if keras.backend.backend() != "jax":
        raise SystemExit("this runs on JAX: set KERAS_BACKEND=jax")
    device = jax.devices()[0]
    if device.platform == "cpu" and not options.any_device:
        raise SystemExit("JAX sees no GPU: install 'jax[cuda12]' on a machine that has one, or ask for --any-device")
    users, items, n_items = generated(options.users)
    table = Interactions.from_arrays(users, items).with_catalogue(np.arange(n_items))
    print(f"{device.device_kind}: {table.n_users:,} users, {n_items:,} items, {len(table):,} likes\n")
    print("| batch | users/s | seconds an epoch | of the card's arithmetic |\n|---:|---:|---:|---:|")
    for batch in options.batch:
        seconds = seconds_of_epoch(table, batch, options.epochs)
        of_card = flops(table.n_users, n_items) / seconds / (options.tflops * 1e12)
        print(f"| {batch:,} | {table.n_users / seconds:,.0f} | {seconds:.3f} | {of_card:.1%} |", flush=True)


def seconds_of_epoch(table: Interactions, batch: int, epochs: int) -> float:
    """The median epoch of `fit`, once every shape of batch has been compiled."""
    ends: list[float] = []
    model = MultVAE.for_interactions(table, epochs, batch, seed=1)
    model.compile()
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    model.fit(table, batch_size=batch, epochs=epochs, callbacks=[clock], verbose=0)
    return float(np.median(np.diff(ends)[1:]))


def flops(n_users: int, n_items: int) -> float:
    """Multiplications and additions of an epoch: of the answer, and twice as many of its gradients."""
    weights = n_items * 600 + 600 * 400 + 200 * 600 + 600 * n_items
    return 3 * 2.0 * n_users * weights


if __name__ == "__main__":
    main()
