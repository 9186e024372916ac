"""(XᵀX + Λ)⁻¹ of a sparse matrix X of likes and a diagonal Λ, from which EASE and EDLAE follow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from kerasrec.ops.variables import aligned_empty
from kerasrec.types import FloatArray

BLOCK = 512
"""Rows of a sparse matrix that are multiplied at a time, to save memory."""

MAX_THREADED_ROWS = 23_000
"""Larger matrices are factorised by one thread. OpenBLAS 0.3.30's threaded Cholesky factorisation crashes for 28,000
rows, and did not crash for 25,000 (a matrix of 2 GiB has 23,170 rows). The inversion after it uses all threads."""


def penalised_inverse(rows: sp.csr_array, penalty: FloatArray, progress: tqdm) -> FloatArray:
    """(XᵀX + Λ)⁻¹, by the Cholesky factorisation of a matrix of items or of users, whichever takes less work.

    Args:
        rows: X, float32 `(n_users, n_items)`.
        penalty: the diagonal of Λ, above 0, `(n_items,)`.
        progress: a bar of 100 steps.

    Returns:
        float32 `(n_items, n_items)`, C-contiguous and aligned, which `kerasrec.ops.variables` needs to avoid a copy.

    Raises:
        numpy.linalg.LinAlgError: the matrix is singular in float32.
    """
    by_users = takes_less_work_by_users(rows, penalty)
    seconds = seconds_to_invert(rows.shape[0 if by_users else 1])
    if seconds > 2:  # LAPACK does not report progress
        progress.set_postfix_str(f"about {seconds:,.0f} s, {4e-9 * rows.shape[1] ** 2:.1f} GB")
    return (inverse_by_users if by_users else inverse_by_items)(rows, penalty, progress)


def inverse_by_items(rows: sp.csr_array, penalty: FloatArray, progress: tqdm) -> FloatArray:
    """`penalised_inverse` by a factorisation of XᵀX + Λ."""
    matrix = gram_matrix(rows, progress, share=40)
    matrix[np.diag_indices_from(matrix)] += penalty
    inverse = invert(matrix)
    progress.update(60)
    return inverse


def inverse_by_users(rows: sp.csr_array, penalty: FloatArray, progress: tqdm) -> FloatArray:
    """`penalised_inverse` by Woodbury's identity: Λ^-½ (I - Yᵀ (I + YYᵀ)⁻¹ Y) Λ^-½ with Y = X Λ^-½."""
    root = np.sqrt(penalty).astype(np.float32)
    columns = (rows @ sp.diags_array(1 / root)).T.tocsr()  # Yᵀ
    matrix = gram_matrix(columns, progress, share=20)
    matrix[np.diag_indices_from(matrix)] += 1.0
    inner = invert(matrix)
    progress.update(40)
    result = aligned_empty(len(root), len(root))

    def multiply(block: slice) -> None:
        result[block] = (columns @ -(columns[block] @ inner).T).T

    for_each_block(multiply, len(root), progress, share=40)
    result[np.diag_indices_from(result)] += 1.0
    result /= root
    result /= root[:, None]
    return result


def takes_less_work_by_users(rows: sp.csr_array, penalty: FloatArray) -> bool:
    """Whether `inverse_by_users` is faster than `inverse_by_items` and as accurate."""
    n_users, n_items = rows.shape
    # Each entry of X costs a pass over a row of either matrix, at a thirtieth of LAPACK's speed.
    faster = n_users**3 + 30 * rows.nnz * (n_users + n_items) < n_items**3
    # `inverse_by_users` subtracts from 1. An item with many users for its penalty leaves few digits of the difference.
    return bool(faster and (gram_diagonal(rows) <= 100 * penalty).all())


def gram_diagonal(rows: sp.csr_array) -> FloatArray:
    """The diagonal of XᵀX, float32 `(n_items,)`: for likes, the number of users of each item."""
    return np.asarray(rows.power(2).sum(axis=0), np.float32).ravel()


def gram_matrix(rows: sp.csr_array, progress: tqdm, share: float) -> FloatArray:
    """XᵀX of a sparse float32 matrix, dense and in Fortran order; advances `progress` by `share`."""
    columns = rows.T.tocsr()
    result = aligned_empty(rows.shape[1], rows.shape[1])

    def multiply(block: slice) -> None:
        result[block] = (columns[block] @ rows).toarray()

    for_each_block(multiply, len(result), progress, share)
    return result.T  # the matrix is symmetric, and LAPACK works in place on Fortran order


def for_each_block(work: Callable[[slice], None], n: int, progress: tqdm, share: float, size: int = BLOCK) -> None:
    """Calls `work` for each block of n rows, in threads, because each of SciPy's sparse products uses one thread."""
    blocks = [slice(start, start + size) for start in range(0, n, size)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, blocks):
            progress.update(share / len(blocks))
    progress.refresh()  # the bar stands still while LAPACK works


def invert(matrix: FloatArray, rows: int | None = None) -> FloatArray:
    """The inverse of a symmetric positive definite matrix without negative entries, in its own memory if possible.

    Args:
        matrix: float32 `(n, n)`, in Fortran order.
        rows: number of rows by which the number of threads is chosen; n if omitted.

    Returns:
        float32 `(n, n)`, C-contiguous.

    Raises:
        numpy.linalg.LinAlgError: the matrix is singular in float32, or nearly so.
    """
    norm = matrix.sum(axis=0).max()  # the 1-norm, as no entry is negative
    with threadpool_limits(1 if (rows or len(matrix)) > MAX_THREADED_ROWS else None, "blas"):
        factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1)
    # Rounding can hide that a matrix is singular. Its inverse would be noise.
    if failed or lapack.spocon(factor, norm, uplo="L")[0] < np.finfo(np.float32).eps:
        raise np.linalg.LinAlgError(
            "expected an invertible matrix, got one that is singular in float32. Fix: increase the penalty"
        )
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    for column in range(1, len(inverse)):  # potri fills one triangle; index arrays would be larger than the matrix
        inverse[:column, column] = inverse[column, :column]
    return inverse.T  # the matrix is symmetric, so the transpose only changes the memory order to C


def seconds_to_invert(n: int, trial: int = 3000) -> float:
    """Estimated seconds of `invert` for n rows, extrapolated from a matrix of `trial` rows; 0 if n is not larger."""
    if n <= trial:
        return 0.0
    for size in (trial // 5, trial):  # the first run starts the threads
        matrix = np.eye(size, dtype=np.float32, order="F")
        began = time.perf_counter()
        invert(matrix, rows=n)
        seconds = time.perf_counter() - began
    return seconds * (n / trial) ** 3
