"""Training of Mult-VAE on a GPU with JAX: users/s of `fit`, and the share of the card's arithmetic that it reaches.

    pip install . 'jax[cuda12]'
    KERAS_BACKEND=jax python benchmarks/gpu.py
    KERAS_BACKEND=jax python benchmarks/gpu.py --users 2000 --batch 500 --any-device

The data has ML-20M's shape, the architecture is the paper's. The batches have 500 rows, as in the paper, and 24,576. A
third of a step's multiplications belongs to the forward pass and two thirds to the gradients. `--tflops` is the card's
peak (an H200: 989 in bfloat16). A published result for this model and size is 354,000 users/s, on one A100 in mixed
precision.
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
    parser.add_argument("--epochs", type=int, default=6, help="including the first two, which do not count")
    parser.add_argument(
        "--tflops", type=float, default=989.0, help="peak of the card in bfloat16, in 10^12 operations per second"
    )
    parser.add_argument("--any-device", action="store_true", help="also run without a GPU")
    options = parser.parse_args()
    if keras.backend.backend() != "jax":
        raise SystemExit(f"expected the JAX backend, got {keras.backend.backend()}. Fix: set KERAS_BACKEND=jax")
    device = jax.devices()[0]
    if device.platform == "cpu" and not options.any_device:
        raise SystemExit(
            "expected a GPU, got a CPU. Fix: install 'jax[cuda12]' on a machine with a GPU, or pass --any-device"
        )
    users, items, n_items = generated(options.users)
    table = Interactions.from_arrays(users, items).with_catalogue(np.arange(n_items))
    print(f"{device.device_kind}: {table.n_users:,} users, {n_items:,} items, {len(table):,} likes\n")
    print("| batch | users/s | seconds per epoch | share of the peak |\n|---:|---:|---:|---:|")
    for batch in options.batch:
        seconds = seconds_per_epoch(table, batch, options.epochs)
        share = operations_per_epoch(table.n_users, n_items) / seconds / (options.tflops * 1e12)
        print(f"| {batch:,} | {table.n_users / seconds:,.0f} | {seconds:.3f} | {share:.1%} |", flush=True)


def seconds_per_epoch(table: Interactions, batch: int, epochs: int) -> float:
    """The median epoch of `fit`, without the first two, in which the shapes of batches are compiled."""
    ends: list[float] = []
    model = MultVAE.for_interactions(table, epochs, batch, seed=1)
    model.compile()
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    model.fit(table, batch_size=batch, epochs=epochs, callbacks=[clock], verbose=0)
    return float(np.median(np.diff(ends)[1:]))


def operations_per_epoch(n_users: int, n_items: int) -> float:
    """Multiplications and additions: those of the forward pass, and twice as many for the gradients."""
    weights = n_items * 600 + 600 * 400 + 200 * 600 + 600 * n_items
    return 3 * 2.0 * n_users * weights


if __name__ == "__main__":
    main()
