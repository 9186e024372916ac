"""EASE: a linear autoencoder in closed form. https://arxiv.org/abs/1905.03375."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
from keras import ops
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from kerasrec._api import public
from kerasrec.entries import entries
from kerasrec.models.closed_form import ClosedForm
from kerasrec.types import FloatArray, Tensor


@public
class EASE(ClosedForm):
    """Embarrassingly shallow autoencoder: item-item weights with a zero diagonal, solved exactly.

        minimise ‖X - X B‖² + reg · ‖B‖²  subject to diag(B) = 0
        P = (XᵀX + reg · I)⁻¹,   B_ij = -P_ij / P_jj,   B_ii = 0

    B is not symmetric and has negative weights; both matter for accuracy.

    Needs likes and a history only. Memory: n_items² float32 for the weights, and as much again
    while solving. Time: about n_items³ operations.

    Args:
        n_items: size of the catalogue.
        reg: λ (paper: ML-20M 500, Netflix 1000, Million Song 200).
        seed: has no effect; every model takes it.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: in `fit`, when `reg` is too small for the matrix to be inverted in float32.
        MemoryError: in `fit`, when the machine is too small for the catalogue, before anything is begun.

    Example:
        >>> from kerasrec import EASE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASE(table.n_items, reg=10.0)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: solved in float32 by a Cholesky factorisation.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
    """

    def __init__(self, n_items: int, reg: float = 500.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if not reg > 0:
            raise ValueError(f"`reg` must be above 0, not {reg:g}: without it XᵀX cannot be inverted")
        self.n_items = n_items
        self.reg = reg

    def build(self, input_shape: Any = None) -> None:
        shape = (self.n_items, self.n_items)
        self.kernel = self.add_weight(shape, "zeros", "float32", trainable=False, autocast=False, name="kernel")

    def check_memory(self) -> None:
        needed, there = 2 * 4 * self.n_items**2, memory_limit()
        if needed > there:
            raise MemoryError(
                f"{type(self).__name__} of {self.n_items:,} items needs {needed / 1e9:,.0f} GB, this machine has "
                f"{there / 1e9:,.0f} GB: keep the items with more users (`Interactions.core`), or take MultVAE"
            )

    def solve(self, rows: sp.csr_array, progress: tqdm) -> None:
        seconds = seconds_to_invert(self.n_items)
        if seconds > 2:  # LAPACK does not say how far it is
            progress.set_postfix_str(f"about {seconds:,.0f} s, {2 * 4 * self.n_items**2 / 1e9:.1f} GB")
        matrix = gram(rows, progress)
        diagonal = np.diag_indices_from(matrix)
        matrix[diagonal] += self.penalty(matrix[diagonal])
        progress.refresh()
        inverse = invert(matrix, self.reg).T  # symmetric, so this turns its memory into row-major order
        progress.update(60)
        inverse /= -np.diagonal(inverse)
        np.fill_diagonal(inverse, 0.0)
        hand_over(inverse, self.kernel)

    def penalty(self, item_counts: FloatArray) -> FloatArray | float:
        """What is added to the diagonal of XᵀX, from how many users liked each item."""
        return self.reg

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return entries(inputs).matmul(ops.convert_to_tensor(self.kernel))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_items": self.n_items, "reg": self.reg}


def gram(rows: sp.csr_array, progress: tqdm, block: int = 1024) -> FloatArray:
    """XᵀX of a sparse float32 matrix as a dense one, a block of columns at a time to spare memory."""
    n = rows.shape[1]
    columns = rows.T.tocsr()
    result = aligned(n).T  # LAPACK works in place on Fortran order
    for start in range(0, n, block):
        part = columns[start : start + block] @ rows
        result[:, start : start + block] = part.T.toarray()
        progress.update(40 * part.shape[0] / n)
    return result


MANY_ITEMS = 23_000
"""With more, the Cholesky factorisation has one thread: OpenBLAS 0.3.30's threaded one crashes from 28,000 on at the
latest, where 25,000 still went well (a matrix of 2 GiB has 23,170 rows)."""


def threads_for(n: int) -> Any:
    """A context in which a matrix of n rows can be factorised."""
    return threadpool_limits(1 if n > MANY_ITEMS else None, "blas")


def invert(matrix: FloatArray, reg: float) -> FloatArray:
    """The inverse of a symmetric positive definite matrix, in its own memory where possible."""
    norm = matrix.sum(axis=0).max()  # neither counts nor `reg` are negative: this is the 1-norm
    with threads_for(len(matrix)):
        factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1)
        # Rounding may let a singular matrix through; what comes of it is noise.
        if failed or lapack.spocon(factor, norm, uplo="L")[0] < np.finfo(np.float32).eps:
            raise ValueError(
                f"`reg` = {reg:g} is too small: the penalised XᵀX cannot be inverted in float32; raise `reg`"
            )
        inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    for column in range(1, len(inverse)):  # potri fills one triangle; index arrays would outweigh the matrix
        inverse[:column, column] = inverse[column, :column]
    return inverse


def aligned(n: int) -> FloatArray:
    """An uninitialised float32 `(n, n)` at an address that TensorFlow takes as it is."""
    memory = np.empty(4 * n * n + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + 4 * n * n].view(np.float32).reshape(n, n)


def hand_over(matrix: FloatArray, variable: keras.Variable) -> None:
    """Assigns `matrix`, not to be used again; without a copy on TensorFlow, which would make two on the way."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        variable.assign(tf.experimental.dlpack.from_dlpack(matrix.__dlpack__()))
    else:
        variable.assign(matrix)


def memory_limit() -> float:
    """Bytes of memory that this machine has, or this container may use."""
    limits = [float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")] if hasattr(os, "sysconf") else []
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        limits.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits, default=float("inf"))


def seconds_to_invert(n: int, trial: int = 1000) -> float:
    """About how long `invert` takes, from a small Cholesky factorisation, which is a third of an inversion's work."""
    times = []
    for _ in range(3):  # the first one wakes the threads
        matrix = np.eye(trial, dtype=np.float32, order="F")
        began = time.perf_counter()
        with threads_for(n):
            lapack.spotrf(matrix, lower=1, overwrite_a=1)
        times.append(time.perf_counter() - began)
    return 3 * min(times) * (n / trial) ** 3
