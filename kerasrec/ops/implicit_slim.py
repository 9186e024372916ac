"""The closed-form step of ImplicitSLIM: item vectors that agree with item-item weights, which are never computed.

https://arxiv.org/abs/2406.00198
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kerasrec.types import FloatArray


def implicit_slim(vectors: FloatArray, likes: sp.csr_array, reg: float, alpha: float, min_count: int = 0) -> FloatArray:
    """Item vectors V near `vectors` = W that are reconstructed well by the item-item weights of `EASE`.

        V = argmin_V ‖V - Bᵀ V‖² + α ‖Aᵀ (V - W)‖²,   A = W, with 0 for rare items

    B are the weights of `EASE` with λ = `reg`, whose solution contains the diagonal of (XᵀX + λI)⁻¹. The diagonal is
    approximated by 1 / (n_i + λ), for n_i likes of item i. Neither B nor XᵀX is computed: with D = diag(1 / (n_i + λ))
    and C = (XᵀX + λI) D² (XᵀX + λI), which is the inverse of (I - B) (I - B)ᵀ,

        V = C A (I / α + Aᵀ C A)⁻¹ Aᵀ W

    Time: proportional to the number of likes times the width of a vector.

    Args:
        vectors: W, `(n_items, dim)`.
        likes: X, the binary matrix of likes `(n_users, n_items)`.
        reg: λ, above 0.
        alpha: α, above 0. With a larger α, V is nearer to W.
        min_count: items with fewer likes do not hold V near W.

    Returns:
        V, float32 `(n_items, dim)`.

    Source: Shenbin and Nikolenko, ImplicitSLIM and How it Improves Embedding-based Collaborative Filtering, ICLR 2024,
    and the authors' code (ilya-shenbin/ImplicitSLIM).
    """
    counts = np.bincount(likes.indices, minlength=likes.shape[1])
    vectors = np.asarray(vectors, np.float64)
    anchors = np.where(counts[:, np.newaxis] >= min_count, vectors, 0.0)  # A

    def times_gram(matrix: FloatArray) -> FloatArray:  # (XᵀX + λI) M
        return likes.T @ (likes @ matrix) + reg * matrix

    scaled = times_gram(anchors) / np.square(counts + reg)[:, np.newaxis]
    smooth = times_gram(scaled)  # C A
    inner = np.eye(vectors.shape[1]) / alpha + anchors.T @ smooth
    result: FloatArray = (smooth @ np.linalg.solve(inner, anchors.T @ vectors)).astype(np.float32)
    return result
