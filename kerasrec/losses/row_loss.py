"""Base of the losses: one number per row, in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec.ops.sparse_rows import DenseRows, SparseRows
from kerasrec.types import Tensor
from kerasrec.validation import check_columns


class RowLoss(keras.losses.Loss):
    """A loss that sums over the columns of a row and averages over the rows, in float32.

    A subclass implements `call(y_true, y_pred)`, which returns `(batch,)`.

    Class attributes:
        accepts_sparse_rows: whether `y_true` may also be `{"ids": (batch, length)}` or `SparseRows`.
    """

    accepts_sparse_rows = False

    def __init__(self, name: str, reduction: str = "sum_over_batch_size", dtype: Any = "float32") -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Tensor | None = None) -> Tensor:
        if isinstance(y_true, (SparseRows, DenseRows)) or (isinstance(y_true, Mapping) and "ids" in y_true):
            if not self.accepts_sparse_rows:
                raise ValueError(
                    f"`y_true` of {type(self).__name__}: expected dense rows (batch, n), got lists of ids. "
                    "Fix: convert them with `kerasrec.layers.Densify`"
                )
            # Keras would cast the ids to float32: two passes over them, and ids above 16,777,216 would change.
            rows = self.call(y_true, y_pred)
            return RowMean(self.reduction, self.name, self.dtype)(rows, rows, sample_weight)
        if isinstance(y_pred, (list, tuple)):  # Keras would convert each number to a tensor of its own
            y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        check_columns(y_true, y_pred)
        return super().__call__(y_true, y_pred, sample_weight)


class RowMean(keras.losses.Loss):
    """The weighted mean of row losses `(batch,)`, scaled for distribution as Keras scales its own losses.

    Models use it in `compute_loss` for losses that need more than the scores: `RowMean()(rows, rows, weights)`.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "row_mean", dtype: Any = "float32") -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return y_pred
