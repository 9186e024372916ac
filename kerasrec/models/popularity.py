"""Popularity: the baseline that every recommender must beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from keras import ops
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.models.closed_form import ClosedForm
from kerasrec.types import FloatArray, Tensor


@public
class Popularity(ClosedForm):
    """Scores each item by the number of users who liked it, the same for every user: f_ui = Σ_v x_vi.

    Needs likes. It is not an autoencoder, but the baseline for the results of all others.

    Args:
        n_items: size of the catalogue.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`.
    """

    def __init__(self, n_items: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items

    def build(self, input_shape: Any = None) -> None:
        self.popularity = self.add_weight((self.n_items,), "zeros", "float32", trainable=False, name="popularity")

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        return rows.sum(axis=0)

    def solve_table(self, table: Interactions, progress: tqdm) -> FloatArray:
        return table.item_counts.astype(np.float32)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        counts = ops.convert_to_tensor(self.popularity, "float32")
        n_rows = ops.shape(self.observed(inputs).counts)[0]
        return ops.broadcast_to(counts, (n_rows, self.n_items))
