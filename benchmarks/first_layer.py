"""The first layer of a model on rows of ids: the sparse rows of kerasrec and `DistributedEmbedding` of keras-rs.

    pip install keras-rs
    python benchmarks/first_layer.py
    python benchmarks/first_layer.py --items 1000000 --backends jax

Prints a Markdown table. Each line comes from a new process: the median time of the sum of the kernel's rows of a batch
with its gradient, and the peak memory. The batch has 500 rows of about 70 ids, padded to 384.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BATCH_SIZE, LENGTH, LIKES, UNITS = 500, 384, 70, 600


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--backends", nargs="+", choices=["jax", "tensorflow"], default=["jax", "tensorflow"])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(**json.loads(options.child))))
        return
    print("| backend | items | first layer | s | peak memory, GB |\n|---|---|---|---|---|", flush=True)
    for backend in options.backends:
        for n_items in options.items:
            for layer in ("kerasrec", "keras-rs"):
                child = json.dumps({"n_items": n_items, "layer": layer})
                environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": backend}
                command = [sys.executable, __file__, "--child", child]
                output = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True).stdout
                seconds, gigabytes = json.loads(output.splitlines()[-1])
                print(f"| {backend} | {n_items:,} | {layer} | {seconds:.3f} | {gigabytes:.1f} |", flush=True)


def measure(n_items: int, layer: str) -> tuple[float, float]:
    """The median seconds and the peak memory of this process."""
    rng = np.random.default_rng(0)
    ids = np.full((BATCH_SIZE, LENGTH), -1, np.int32)
    for row, length in enumerate(np.minimum(rng.geometric(1 / LIKES, BATCH_SIZE), LENGTH)):
        ids[row, :length] = rng.choice(n_items, length, replace=False)
    sums, kernel = sums_of_kerasrec(n_items) if layer == "kerasrec" else sums_of_keras_rs(n_items, ids)
    step = with_gradient(sums, kernel)
    step(ids)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        step(ids)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def sums_of_kerasrec(n_items: int) -> tuple[Callable[[Any], Any], Any]:
    """The function from ids to the sums of their rows, and the kernel."""
    import keras

    from kerasrec.ops.sparse_rows import from_padded_ids

    kernel = keras.Variable(np.full((n_items, UNITS), 0.01, np.float32))
    return lambda ids: from_padded_ids(ids).matmul(kernel.value), kernel


def sums_of_keras_rs(n_items: int, ids: Any) -> tuple[Callable[[Any], Any], Any]:
    """The same, computed by keras-rs. Padding has the weight 0."""
    import keras_rs
    from keras import ops

    table = keras_rs.layers.TableConfig("items", n_items, UNITS, combiner="sum")
    feature = keras_rs.layers.FeatureConfig("history", table, (BATCH_SIZE, LENGTH), (BATCH_SIZE, UNITS))
    embedding = keras_rs.layers.DistributedEmbedding({"history": feature})

    def sums(ids: Any) -> Any:
        weights = ops.cast(ids >= 0, "float32")
        return embedding({"history": ops.maximum(ids, 0)}, {"history": weights})["history"]

    sums(ops.convert_to_tensor(ids))
    return sums, embedding.trainable_variables[0]


def with_gradient(sums: Callable[[Any], Any], kernel: Any) -> Callable[[Any], None]:
    """A compiled function that computes a loss of the sums and its gradient."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        def loss(value: Any, ids: Any) -> Any:
            with keras.StatelessScope([(kernel, value)]):
                return (sums(ids) ** 2).sum()

        compiled = jax.jit(jax.value_and_grad(loss))
        return lambda ids: jax.block_until_ready(compiled(kernel.value, ids))
    import tensorflow as tf

    @tf.function
    def step(ids: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(sums(ids) ** 2)
        return loss, tape.gradient(loss, kernel.value)

    return lambda ids: step(tf.constant(ids))[0].numpy()


if __name__ == "__main__":
    main()
