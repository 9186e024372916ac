"""The masked squared error of rating models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasrec._registry import public
from kerasrec.losses.row_loss import RowLoss
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids
from kerasrec.types import Tensor


@public
class MaskedMeanSquaredError(RowLoss):
    """Squared error over the observed entries only.

        per="row":    L_u = Σ_{i ∈ O_u} (r_ui - h_ui)², averaged over the rows (AutoRec)
        per="entry":  L = Σ_u Σ_{i ∈ O_u} (r_ui - h_ui)² / Σ_u |O_u| (DeepRec)

    O_u is the set of observed entries of row u. A row without observations has the loss 0.

    Args:
        per: `"row"` or `"entry"`, the unit of the mean.
        missing: the value of `y_true` that marks an entry as not observed. With the default, `nan`,
            every number can be a rating. Pass 0 for dense matrices that are 0 where nothing was observed.
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Shapes:
        `y_true`, `y_pred`: `(batch, n)`. In a model's own `compute_loss`, `y_true` can also be
        `{"ids": (batch, length), "values": (batch, length)}` or `SparseRows`, which is faster.
        `compile(loss=…)` does not accept these: Keras would look for outputs of these names.

    Raises:
        ValueError: `per` is unknown, or `y_true` and `y_pred` have different numbers of columns.

    Example:
        >>> import numpy as np
        >>> from kerasrec.losses import MaskedMeanSquaredError
        >>> loss = MaskedMeanSquaredError(per="entry", missing=0.0)
        >>> float(loss(np.array([[5.0, 0.0], [3.0, 1.0]]), np.array([[4.0, 9.0], [3.5, 1.5]])))
        0.5

    Source: Sedhain et al., AutoRec, 2015, eq. 2; Kuchaiev and Ginsburg, DeepRec, 2017, eq. 1.
    """

    accepts_sparse_rows = True

    def __init__(
        self,
        per: str = "row",
        missing: float = float("nan"),
        name: str = "masked_mean_squared_error",
        **kwargs: Any,
    ) -> None:
        if per not in ("row", "entry"):
            raise ValueError(f'`per`: expected "row" or "entry", got {per!r}')
        super().__init__(name, **kwargs)
        self.per = per
        self.missing = missing

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        row_mask = getattr(y_pred, "_keras_mask", None)  # set by Keras' masking layers
        y_pred = ops.cast(y_pred, "float32")
        if isinstance(y_true, Mapping):
            y_true = from_padded_ids(y_true["ids"], y_true.get("values", 1.0))
        if isinstance(y_true, (SparseRows, DenseRows)):
            errors, counts = squared_errors(y_true, y_pred), y_true.counts
        else:
            observed = observed_mask(y_true, self.missing)
            # Replace NaN by the prediction before the subtraction: NaN would reach the gradient even behind a mask.
            errors = ops.sum(ops.square(ops.where(observed, y_true, y_pred) - y_pred), axis=-1)
            counts = ops.sum(ops.cast(observed, "float32"), axis=-1)
        if self.per == "row":
            return errors
        # Keras divides the sum by the number of rows that are not masked: multiply by it, divide by their entries.
        counted = ops.ones_like(counts) if row_mask is None else ops.cast(row_mask, "float32")
        return errors * ops.divide_no_nan(ops.sum(counted), ops.sum(counts * counted))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "per": self.per, "missing": self.missing}


def observed_mask(y_true: Tensor, missing: float) -> Tensor:
    """Boolean mask of the entries of `y_true` that differ from `missing`, which may be `nan`."""
    return ops.logical_not(ops.isnan(y_true)) if missing != missing else ops.not_equal(y_true, missing)


def squared_errors(observed: SparseRows | DenseRows, y_pred: Tensor, weights: Tensor = 1.0) -> Tensor:
    """Σ_{i ∈ O_u} w_ui (r_ui - h_ui)² of each row, `(batch,)`.

    Args:
        observed: the observed entries and their values r.
        y_pred: h, `(batch, n)`.
        weights: w, of the shape of `observed.values`, or a scalar.
    """
    return observed.row_sums(observed.mask * weights * ops.square(observed.values - observed.gather(y_pred)))
