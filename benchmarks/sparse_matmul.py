"""Measures the constants of the cost model in `kerasrec/ops/sparse_matmul.py` on this machine.

    python benchmarks/sparse_matmul.py
    python benchmarks/sparse_matmul.py --rounds 20 --rows 500 --columns 20108 --units 600

Times each algorithm of `SparseRows.matmul`, forward and gradient together, on rows of random columns. Prints a Markdown
table: for each constant its measured value, its value in the code, and the times it follows from. The cost of an entry
is the number of cells of dense rows divided by the number of entries for which both products take the same time, by a
straight line through two batches, of 50 and of 400 entries in a row.

The constants depend on the processor. Runs on two cores of an AMD EPYC with AVX512-BF16, while other programs used the
same cores, measured

| constant | measured | in the code |
|---|---|---|
| EQUAL_ENTRY_COST_FLOAT32 | 26 to 33 | 40 |
| EQUAL_ENTRY_COST_BFLOAT16 | 41 to 45 | 110 |
| ENTRY_COST, float32 | 138 to 224 | 150 |
| ENTRY_COST, bfloat16 | 211 to 318 | 150 |
| MIN_DENSE_ROWS | 6 to 26 | 8 |

Processors with AMX multiply bfloat16 faster, which raises the constants for it. A wrong constant chooses the slower
algorithm for some batches, slower by at most the ratio of the two values.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kerasrec.ops import sparse_matmul
from kerasrec.ops.sparse_rows import SparseRows, from_padded_ids

FEW, MANY = 50, 400
"""Entries in each row of the two batches."""


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--columns", type=int, default=20_108, help="size of the catalogue; ML-20M's if omitted")
    parser.add_argument("--units", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=10, help="the fastest round counts")
    options = parser.parse_args()
    kernel = tf.Variable(tf.random.stateless_normal((options.columns, options.units), (0, 1)))
    steps: dict[str, Callable[[], Any]] = {}
    for n_entries in (FEW, MANY):
        observed = batch(options.rows, options.columns, n_entries)
        steps[f"equal entries, {n_entries}"] = step(equal_entries, observed, kernel)
        steps[f"entries, {n_entries}"] = step(entries, observed, kernel)
    for factors in ("float32", "bfloat16"):
        steps[f"dense, {factors}"] = step(dense(factors), batch(options.rows, options.columns, MANY), kernel)
    steps["dense, one row"] = step(dense("float32"), batch(1, options.columns, MANY), kernel)
    ms = {name: 1e3 * seconds for name, seconds in fastest(steps, options.rounds).items()}
    print("| constant | measured | in the code | follows from |\n|---|---:|---:|---|")
    for constant, algorithm, factors in (
        ("EQUAL_ENTRY_COST_FLOAT32", "equal entries", "float32"),
        ("EQUAL_ENTRY_COST_BFLOAT16", "equal entries", "bfloat16"),
        ("ENTRY_COST", "entries", "float32"),
        ("ENTRY_COST", "entries", "bfloat16"),
    ):
        few, many, dense_ms = ms[f"{algorithm}, {FEW}"], ms[f"{algorithm}, {MANY}"], ms[f"dense, {factors}"]
        ms_per_entry = (many - few) / (MANY - FEW)  # in each row
        crossover = FEW + (dense_ms - few) / ms_per_entry
        source = f"{few:.0f} and {many:.0f} ms by entries, {dense_ms:.0f} ms by dense {factors} rows"
        print(f"| {constant} | {options.columns / crossover:.0f} | {getattr(sparse_matmul, constant)} | {source} |")
    one_row, ms_per_row = ms["dense, one row"], ms["dense, float32"] / options.rows
    source = f"{one_row:.2f} ms for 1 row, {ms_per_row:.2f} ms for each of {options.rows}"
    print(f"| MIN_DENSE_ROWS | {one_row / ms_per_row:.0f} | {sparse_matmul.MIN_DENSE_ROWS} | {source} |")


def batch(n_rows: int, n_columns: int, n_entries: int) -> SparseRows:
    """Rows of `n_entries` different columns each, all of value 1."""
    rng = np.random.default_rng(0)
    ids = np.stack([rng.choice(n_columns, n_entries, replace=False) for _ in range(n_rows)])
    return from_padded_ids(ids.astype(np.int32))


def dense(factors: str) -> Callable[[SparseRows, Any], Any]:
    """The product of dense rows, with factors of a dtype."""

    def product(observed: SparseRows, kernel: Any) -> Any:
        return sparse_matmul.dense_product(observed.dense(kernel.shape[0], dtype=factors), kernel, factors)

    return product


def equal_entries(observed: SparseRows, kernel: Any) -> Any:
    """The product of entries if all values of a row are equal."""
    return sparse_matmul.product_of_equal_entries(
        observed.values, observed.rows, observed.columns, observed.n_rows, kernel
    )


def entries(observed: SparseRows, kernel: Any) -> Any:
    """The product of entries of any value."""
    return sparse_matmul.product_of_entries(observed.values, observed.rows, observed.columns, observed.n_rows, kernel)


def step(product: Callable[[SparseRows, Any], Any], observed: SparseRows, kernel: tf.Variable) -> Callable[[], Any]:
    """A compiled forward and backward pass of one product."""

    @tf.function
    def compiled(*parts: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(product(SparseRows(*parts), tf.convert_to_tensor(kernel)))
        return tape.gradient(loss, kernel)

    return lambda: compiled(*observed)


def fastest(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of the fastest of several rounds, in which all steps alternate."""
    seconds = dict.fromkeys(steps, float("inf"))
    for round_ in range(rounds + 1):
        for name, run in steps.items():
            began = time.perf_counter()
            np.asarray(tf.convert_to_tensor(run())[0, 0])
            if round_:  # the first round traces
                seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    main()
