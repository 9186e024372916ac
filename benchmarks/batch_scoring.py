"""Lists for all users in a file: users per second and memory, next to a bare pass over the same batches.

    python benchmarks/batch_scoring.py
    python benchmarks/batch_scoring.py --users 200000 --items 50000 --k 100 --seconds 300

The bare pass computes scores, mask and top-K of each batch in one compiled function and drops the result. The other
line also breaks ties by popularity, detects unknown users and writes a Parquet file (`recommend_batches` and
`write_recommendations`). The model is ELSA with random vectors, because accuracy does not matter here. `--seconds`
limits the bare pass; the rate is that of the batches done.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from kerasrec import ELSA, Interactions
from kerasrec.inference import recommend_batches, write_recommendations
from kerasrec.inference.batch_predictor import BatchPredictor


class BarePass(BatchPredictor):
    """Scores, mask and top-K."""

    def __init__(self, model: keras.Model, k: int) -> None:
        super().__init__(model)
        self.k = k

    def call(self, inputs: dict) -> dict:
        batch = self.model.with_sparse_rows(inputs["x"])
        scores, items = keras.ops.top_k(self.model.mask_seen(self.model(batch, training=False), batch), self.k)
        return {"scores": scores, "items": items}


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--length", type=int, default=50, help="mean length of a history")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60, help="of the bare pass")
    options = parser.parse_args()
    table = histories(options.users, options.items, options.length)
    model = ELSA.for_interactions(table, latent_dim=options.dim, seed=1)
    print(f"{table!r}, k={options.k}, ELSA with {options.dim} dimensions\n")
    warm_up = table.take_users(range(min(1000, options.users)))
    list(recommend_batches(model, warm_up, options.k))
    input_gb = peak_gb()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        n_rows = write_recommendations(recommend_batches(model, table, options.k), Path(folder) / "lists.parquet")
        rate = options.users / (time.perf_counter() - start)
        size = (Path(folder) / "lists.parquet").stat().st_size / 1e9
    peak = peak_gb()
    bare = bare_rate(model, table, options.k, options.seconds)
    print("| pass | users per s | share of the bare pass | memory beyond the input, GB |")
    print("|---|---|---|---|")
    print(f"| bare | {bare:,.0f} | 1.00 | |")
    print(f"| lists in a file | {rate:,.0f} | {rate / bare:.2f} | {peak - input_gb:.2f} |")
    print(f"\n{n_rows:,} rows, {size:.2f} GB")


def histories(n_users: int, n_items: int, length: int) -> Interactions:
    """Random histories of items with a popularity that falls as a power, without repetitions."""
    rng = np.random.default_rng(0)
    counts = np.maximum(1, rng.poisson(length, n_users))
    users = np.repeat(np.arange(n_users, dtype=np.int64), counts)
    items = (n_items * rng.random(len(users)) ** 3).astype(np.int64)
    pairs = np.unique(users * n_items + items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(pairs // n_items, minlength=n_users))])
    values = np.ones(len(pairs), np.float32)
    return Interactions(indptr, pairs % n_items, values, None, np.arange(n_users), np.arange(n_items))


def bare_rate(model: ELSA, table: Interactions, k: int, seconds: float) -> float:
    """Users per second of the bare pass, for at most `seconds`."""
    batches = model.batches(table)
    predictor = BarePass(model, k)
    predictor.predict_any_shape({"x": batches[0][0]})
    start = time.perf_counter()
    n_users = 0
    for number in range(len(batches)):
        n_users += len(predictor.predict_any_shape({"x": batches[number][0]})["items"])
        if time.perf_counter() - start > seconds:
            break
    return n_users / (time.perf_counter() - start)


def peak_gb() -> float:
    """Peak memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
