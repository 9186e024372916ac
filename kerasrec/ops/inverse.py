"""(XᵀX + Λ)⁻¹ of a sparse matrix of likes and a diagonal, from which EASE and EDLAE follow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from kerasrec.types import FloatArray

BLOCK = 512
"""Rows of a sparse matrix that are multiplied at a time, to spare memory."""

MANY_ROWS = 23_000
"""With more, the Cholesky factorisation has one thread: OpenBLAS 0.3.30's threaded one crashes from 28,000 on at the
latest, where 25,000 still went well (a matrix of 2 GiB has 23,170 rows). What follows it has all of them."""


def penalised_inverse(rows: sp.csr_array, penalty: FloatArray, progress: tqdm) -> FloatArray:
    """(XᵀX + Λ)⁻¹, by a Cholesky factorisation of as many rows as there are items or users, whichever is less work.

    Args:
        rows: X, float32 `(n_users, n_items)`.
        penalty: the diagonal of Λ, above 0, `(n_items,)`.
        progress: a bar of 100 steps.

    Returns:
        float32 `(n_items, n_items)`, row after row, at an address that TensorFlow takes as it is.

    Raises:
        numpy.linalg.LinAlgError: the matrix cannot be inverted in float32.
    """
    by = by_users if users_are_less_work(rows, penalty) else by_items
    seconds = seconds_to_invert(rows.shape[0 if by is by_users else 1])
    if seconds > 2:  # LAPACK does not say how far it is
        progress.set_postfix_str(f"about {seconds:,.0f} s, {bytes_to_invert(rows.shape[1]) / 1e9:.1f} GB")
    return by(rows, penalty, progress)


def by_items(rows: sp.csr_array, penalty: FloatArray, progress: tqdm) -> FloatArray:
    """`penalised_inverse` as it is written."""
    matrix = gram(rows, progress, share=40)
    matrix[np.diag_indices_from(matrix)] += penalty
    inverse = invert(matrix)
    progress.update(60)
    return inverse


def by_users(rows: sp.csr_array, penalty: FloatArray, progress: tqdm) -> FloatArray:
    """`penalised_inverse` by Woodbury's identity: Λ^-½ (I - Yᵀ (I + YYᵀ)⁻¹ Y) Λ^-½ with Y = X Λ^-½."""
    root = np.sqrt(penalty).astype(np.float32)
    columns = (rows @ sp.diags_array(1 / root)).T.tocsr()
    matrix = gram(columns, progress, share=20)
    matrix[np.diag_indices_from(matrix)] += 1.0
    inner = invert(matrix)
    progress.update(40)
    result = aligned(len(root))

    def some(block: slice) -> None:
        result[block] = (columns @ -(columns[block] @ inner).T).T

    in_blocks(some, len(root), progress, share=40)
    result[np.diag_indices_from(result)] += 1.0
    result /= root
    result /= root[:, None]
    return result


def users_are_less_work(rows: sp.csr_array, penalty: FloatArray) -> bool:
    """Whether `by_users` is faster, and loses nothing to rounding."""
    n_users, n_items = rows.shape
    # An entry of X costs a pass over a row of either matrix, at a thirtieth of LAPACK's speed.
    faster = n_users**3 + 30 * rows.nnz * (n_users + n_items) < n_items**3
    # What is left of 1 where an item's users outweigh its penalty is rounded in proportion to them.
    return bool(faster and (squares(rows) <= 100 * penalty).all())


def squares(rows: sp.csr_array) -> FloatArray:
    """The diagonal of XᵀX: how many users liked each item."""
    return np.asarray(rows.power(2).sum(axis=0), np.float32).ravel()


def gram(rows: sp.csr_array, progress: tqdm, share: float) -> FloatArray:
    """XᵀX of a sparse float32 matrix as a dense one, which takes a share of the progress."""
    columns = rows.T.tocsr()
    result = aligned(rows.shape[1])

    def some(block: slice) -> None:
        result[block] = (columns[block] @ rows).toarray()

    in_blocks(some, len(result), progress, share)
    return result.T  # symmetric; LAPACK works in place on Fortran order


def in_blocks(work: Callable[[slice], None], n: int, progress: tqdm, share: float) -> None:
    """Has n rows worked on a block at a time, some at once, as SciPy's products have one thread each."""
    blocks = [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, blocks):
            progress.update(share / len(blocks))
    progress.refresh()  # it may stand still from here until LAPACK is through


def invert(matrix: FloatArray, rows: int | None = None) -> FloatArray:
    """The inverse of a symmetric positive definite matrix of no negative numbers, in its own memory where possible.

    Args:
        matrix: float32 `(n, n)`, in Fortran order.
        rows: how many to go about it as if there were; n where absent.

    Raises:
        numpy.linalg.LinAlgError: it is singular, or too close to it for float32.
    """
    norm = matrix.sum(axis=0).max()  # of no negative numbers: the 1-norm
    with threadpool_limits(1 if (rows or len(matrix)) > MANY_ROWS else None, "blas"):
        factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1)
    # Rounding may let a singular matrix through; what comes of it is noise.
    if failed or lapack.spocon(factor, norm, uplo="L")[0] < np.finfo(np.float32).eps:
        raise np.linalg.LinAlgError("the matrix is singular in float32")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    for column in range(1, len(inverse)):  # potri fills one triangle; index arrays would outweigh the matrix
        inverse[:column, column] = inverse[column, :column]
    return inverse.T  # symmetric, so this turns its memory into row-major order


def aligned(n: int) -> FloatArray:
    """An uninitialised float32 `(n, n)` at an address that TensorFlow takes as it is."""
    memory = np.empty(4 * n * n + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + 4 * n * n].view(np.float32).reshape(n, n)


def bytes_to_invert(n_items: int) -> float:
    """Memory for the inverse, and as much for what it is made of or becomes."""
    return 2 * 4 * n_items**2


def memory_limit() -> float:
    """Bytes of memory that this machine has, or this container may use."""
    limits = [float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")] if hasattr(os, "sysconf") else []
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        limits.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits, default=float("inf"))


def seconds_to_invert(n: int, trial: int = 3000) -> float:
    """About how long `invert` takes, from a small matrix; 0 for one that is no larger."""
    if n <= trial:
        return 0.0
    for size in (trial // 5, trial):  # the first one wakes the threads
        matrix = np.eye(size, dtype=np.float32, order="F")
        began = time.perf_counter()
        invert(matrix, rows=n)
        seconds = time.perf_counter() - began
    return seconds * (n / trial) ** 3
