"""The largest singular value of a sparse matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def largest_singular_value(matrix: sp.csr_array, steps: int = 100, tolerance: float = 1e-4) -> float:
    """The largest singular value σ of a matrix without negative entries, by power iteration.

    v ← Xᵀ X v / ‖Xᵀ X v‖ converges to the first right singular vector, which has no negative entry either.

    Args:
        matrix: X, `(n_rows, n_columns)`.
        steps: the highest number of iterations.
        tolerance: relative change of σ at which the iteration ends.

    Example:
        >>> import scipy.sparse as sp
        >>> from kerasrec.ops.spectrum import largest_singular_value
        >>> round(largest_singular_value(sp.csr_array([[3.0, 0.0], [0.0, 2.0]])), 3)
        3.0
    """
    vector = np.asarray(matrix.sum(axis=0), np.float64).ravel()  # the first iterate of a vector of ones, nearly
    columns = matrix.T
    value = 0.0
    for _ in range(steps):
        norm = np.linalg.norm(vector)
        if norm == 0:
            return 0.0
        product = matrix @ (vector / norm)
        previous, value = value, float(np.linalg.norm(product))
        if abs(value - previous) <= tolerance * value:
            break
        vector = columns @ product
    return value
