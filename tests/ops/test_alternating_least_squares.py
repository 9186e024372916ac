"""One side of ALS against a loop over the rows."""

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec.ops import alternating_least_squares as als


def test_factors_are_the_solutions_of_each_row(monkeypatch):
    monkeypatch.setattr(als, "FLOATS_PER_BATCH", 200)  # several batches
    rng = np.random.default_rng(0)
    dense = rng.random((25, 12)) < rng.random((25, 1))  # rows of many lengths
    dense[4] = False
    columns = rng.normal(size=(12, 4)).astype(np.float32)
    penalties = rng.uniform(0.5, 2.0, 25).astype(np.float32)
    gram = 0.3 * columns.T @ columns
    with tqdm(total=50, disable=True) as progress:
        factors = als.row_factors(sp.csr_array(dense.astype(np.float32)), columns, gram, penalties, progress, share=50)
    for row, penalty, factor in zip(dense, penalties, factors, strict=True):
        liked = columns[row].astype(np.float64)
        expected = np.linalg.solve(liked.T @ liked + gram + penalty * np.eye(4), liked.sum(0))
        np.testing.assert_allclose(factor, expected, rtol=1e-4, atol=1e-6)


def test_batches_contain_each_row_with_entries_once():
    counts = np.array([3, 0, 7, 1, 1, 0, 9])
    batches = als.batches_of_similar_length(counts, dim=2)
    assert sorted(np.concatenate(batches).tolist()) == [0, 2, 3, 4, 6]
