"""Vectors that describe items by their users, for the similarity of any two items."""

from __future__ import annotations

import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.types import FloatArray
from kerasrec.validation import as_int_at_least


def item_profiles(train: Interactions, dim: int = 128, seed: int = 0) -> FloatArray:
    """One vector of length 1 per item; the product of two is near the cosine of the items' columns of likes.

    Each user has `dim` random numbers, and an item's vector is the sum of those of its users. Products of such vectors
    equal the cosine of the columns up to a random error of about 1 / √dim (Johnson and Lindenstrauss). An item without
    users has the vector 0.

    Args:
        train: the training table.
        dim: length of the vectors.
        seed: seed of the random numbers.

    Returns:
        float32 `(n_items, dim)`.

    Example:
        >>> from kerasrec import generate
        >>> from kerasrec.data import item_profiles
        >>> item_profiles(generate(n_users=100, n_items=50, seed=1)).shape
        (50, 128)
    """
    dim = as_int_at_least(1, dim=dim)
    random = np.random.default_rng(seed).standard_normal((train.n_users, dim), np.float32)
    vectors: FloatArray = np.asarray(train.likes().matrix.T @ random, np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)
