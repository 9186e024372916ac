"""Popularity: the baseline that every recommender must beat."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp
from keras import ops
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.models.closed_form import ClosedForm
from kerasrec.types import FloatArray, Tensor


@public
class Popularity(ClosedForm):
    """Scores each item by how many users liked it, the same for everybody: f_ui = Σ_v x_vi.

    Needs likes. It is no autoencoder: it is here because a figure says little without it.

    Args:
        n_items: size of the catalogue.
        seed: has no effect; every model takes it.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`.
    """

    def __init__(self, n_items: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items

    def build(self, input_shape: Any = None) -> None:
        self.popularity = self.add_weight(
            shape=(self.n_items,), dtype="float32", initializer="zeros", trainable=False, name="popularity"
        )

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        return rows.sum(axis=0)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        n_rows = ops.shape(inputs["ids"] if hasattr(inputs, "keys") else inputs)[0]
        return ops.broadcast_to(ops.convert_to_tensor(self.popularity, "float32"), (n_rows, self.n_items))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_items": self.n_items}
