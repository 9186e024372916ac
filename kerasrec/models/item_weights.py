"""Closed-form models whose scores are x B: one weight for each pair of items."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kerasrec.models.closed_form import ClosedForm
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.ops.variables import unallocated_zeros
from kerasrec.types import FloatArray, IntArray, Tensor


class ItemWeights(ClosedForm):
    """Base of the models that solve for B `(n_items, n_items)` and score a row x by x B.

    A subclass implements `solve`, which returns B. Row i of B has the weights by which a like of item i changes the
    scores; column j has the weights that the score of item j is computed from.
    """

    linear = True

    def __init__(self, n_items: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items

    def build(self, input_shape: Any = None) -> None:
        shape = (self.n_items, self.n_items)
        self.kernel = self.add_weight(
            shape, unallocated_zeros, "float32", trainable=False, autocast=False, name="kernel"
        )

    def bytes_to_solve(self, n_users: int) -> float:
        return 2 * 4 * self.n_items**2  # the weights, and what they are computed from, or a copy that is saved

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.observed(inputs).matmul(ops.convert_to_tensor(self.kernel))

    def item_vectors(self, train: Any) -> FloatArray:
        return np.ascontiguousarray(ops.convert_to_numpy(self.kernel).T, np.float32)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, np.ones(len(columns), np.float32))
