"""One side of implicit alternating least squares: the factors of all rows for given factors of the columns."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from kerasrec.types import FloatArray, IntArray

FLOATS_PER_BATCH = 2**23
"""Numbers in the largest array of a batch of rows, 32 MiB."""


def row_factors(
    rows: sp.csr_array, columns: FloatArray, gram: FloatArray, penalties: FloatArray, progress: tqdm, share: float
) -> FloatArray:
    """w_u = (Σ_{i ∈ u} h_i h_iᵀ + gram + penalty_u · I)⁻¹ Σ_{i ∈ u} h_i for each row u of a binary matrix.

    Args:
        rows: `(n_rows, n_columns)`, of which only the places of the entries are used.
        columns: h, float32 `(n_columns, dim)`.
        gram: the part of the matrix that all rows share, float32 `(dim, dim)`.
        penalties: float32 `(n_rows,)`, above 0.
        progress: a bar, to advance by `share`.
        share: steps of the bar.

    Returns:
        w, float32 `(n_rows, dim)`.
    """
    n_columns, dim = columns.shape
    counts = np.diff(rows.indptr)
    padded = np.concatenate([columns, np.zeros((1, dim), np.float32)])  # the last row is that of the padding
    result = np.zeros((len(counts), dim), np.float32)
    batches = batches_of_similar_length(counts, dim)

    def solve(batch: IntArray) -> None:
        places = rows.indptr[batch, np.newaxis] + np.arange(counts[batch].max())
        inside = places < rows.indptr[batch + 1, np.newaxis]
        ids = np.where(inside, rows.indices[np.minimum(places, rows.nnz - 1)], n_columns)
        factors = padded[ids]  # (batch, length, dim)
        matrices = np.matmul(factors.transpose(0, 2, 1), factors)
        matrices += gram
        matrices[:, np.arange(dim), np.arange(dim)] += penalties[batch, np.newaxis]
        result[batch] = np.linalg.solve(matrices, factors.sum(axis=1)[:, :, np.newaxis])[:, :, 0]

    # NumPy solves the small systems of a batch one after the other, so the batches share the cores.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for batch, _ in zip(batches, pool.map(solve, batches), strict=True):
            progress.update(share * len(batch) / len(counts))
    return result


def batches_of_similar_length(counts: IntArray, dim: int) -> list[IntArray]:
    """The rows with entries, from long to short, in batches whose arrays have at most `FLOATS_PER_BATCH` numbers."""
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    batches: list[IntArray] = []
    start = 0
    while start < len(order):
        n_rows = max(1, FLOATS_PER_BATCH // (dim * max(int(counts[order[start]]), dim)))
        batches.append(order[start : start + n_rows])
        start += n_rows
    return batches
