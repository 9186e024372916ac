"""The served form of ELSA with `n_kept`: only the kept entries of the item vectors."""

from __future__ import annotations

from typing import Any

from kerasrec.models.base import Recommender
from kerasrec.ops.compressed_rows import compress_rows, sum_of_compressed_rows, times_transposed
from kerasrec.ops.sparse_rows import DenseRows
from kerasrec.types import FloatArray, Tensor


class CompressedELSA(Recommender):
    """Scores x A Aᵀ - x, from the nonzero entries of A. It is exported, not trained, and reads batches of ids.

    Args:
        vectors: A, float32 `(n_items, latent_dim)`.
        columns_digest: as in `Recommender`.
    """

    linear = True

    def __init__(self, vectors: FloatArray, columns_digest: str | None = None) -> None:
        super().__init__(len(vectors), columns_digest=columns_digest, name="compressed_elsa")
        columns, values = compress_rows(vectors)
        self.latent_dim = vectors.shape[1]
        fixed: dict[str, Any] = {"trainable": False, "autocast": False, "initializer": "zeros"}
        self.columns = self.add_weight(columns.shape, dtype=columns.dtype.name, name="columns", **fixed)
        self.values = self.add_weight(values.shape, dtype="float32", name="values", **fixed)
        self.columns.assign(columns)
        self.values.assign(values)
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        likes = self.observed(inputs)
        if isinstance(likes, DenseRows):
            raise TypeError("`inputs`: expected a batch of ids, got dense rows")
        columns, values = self.columns.value, self.values.value
        code = sum_of_compressed_rows(likes, columns, values, self.latent_dim)
        return likes.scatter_add(times_transposed(code, columns, values), -likes.values)
