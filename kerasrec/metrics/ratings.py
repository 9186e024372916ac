"""Metrics of predicted ratings."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.losses.ratings import observed_mask
from kerasrec.types import Tensor
from kerasrec.validation import check_columns


class RatingMetric(keras.metrics.Mean):
    """Base of the metrics of predicted ratings: a mean over the observed entries. A subclass implements `error`.

    Args:
        name: name of the metric.
        value_range: (lowest, highest) rating. Predictions are clipped to it.
        missing: the value of `y_true` that marks an entry as not observed.
        dtype: as in `keras.metrics.Metric`.
    """

    _direction = "down"  # Keras' callbacks read it: `EarlyStopping("val_rmse")` needs no `mode`

    def __init__(
        self,
        name: str,
        value_range: tuple[float, float] | None = None,
        missing: float = float("nan"),
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.value_range = None if value_range is None else _checked_range(value_range)
        self.missing = missing

    def error(self, difference: Tensor) -> Tensor:
        """The error of each entry, from target minus prediction."""
        raise NotImplementedError

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Adds the observed entries of `y_true` `(batch, n)`; `sample_weight` is `()`, `(batch,)` or `(batch, n)`."""
        check_columns(y_true, y_pred)
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        if self.value_range is not None:
            y_pred = ops.clip(y_pred, *self.value_range)
        observed = observed_mask(y_true, self.missing)
        weight = ops.cast(observed, "float32")
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, "float32")
            per_row = len(sample_weight.shape) == 1 and len(weight.shape) == 2
            weight = weight * (ops.expand_dims(sample_weight, 1) if per_row else sample_weight)
        difference = ops.where(observed, y_true, y_pred) - y_pred
        super().update_state(self.error(difference), sample_weight=weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value_range": self.value_range, "missing": self.missing}


def _checked_range(value_range: Any) -> tuple[float, float]:
    """A range of ratings as a tuple.

    Raises:
        ValueError: `value_range` has not two numbers, or they are not ascending.
    """
    numbers = tuple(value_range)
    if len(numbers) != 2 or isinstance(value_range, str) or not numbers[0] <= numbers[1]:
        raise ValueError(f"`value_range`: expected (lowest, highest) rating, got {value_range}")
    return numbers


@public
class RMSE(RatingMetric):
    """Root mean squared error over all observed entries: √(Σ (r - r̂)² / |O|).

    Not to be confused with the mean of each user's own RMSE, which is a smaller number.

    Args:
        name: name of the metric.
        **kwargs: `value_range`, the (lowest, highest) rating, to which predictions are clipped; `missing`, the value
            of `y_true` that marks an entry as not observed (default `nan`); `dtype`.
    """

    def __init__(self, name: str = "rmse", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def error(self, difference: Tensor) -> Tensor:
        return ops.square(difference)

    def result(self) -> Tensor:
        return ops.sqrt(super().result())


@public
class MAE(RatingMetric):
    """Mean absolute error over all observed entries: Σ |r - r̂| / |O|.

    Args:
        name: name of the metric.
        **kwargs: as in `RMSE`.
    """

    def __init__(self, name: str = "mae", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def error(self, difference: Tensor) -> Tensor:
        return ops.abs(difference)
