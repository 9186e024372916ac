"""Losses of single entries, summed with weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasrec._registry import public
from kerasrec.losses.row_loss import RowLoss
from kerasrec.types import Tensor

OBJECTIVES = ("logistic", "square")
"""The objectives of `PointwiseLoss` and `CDAE`."""


@public
class PointwiseLoss(RowLoss):
    """Weighted sum of the losses of single entries, for `compute_loss`: `compile` does not accept it.

        L_u = Σ_i c_ui · ℓ(x_ui, f_ui)

        objective="logistic": ℓ = log(1 + exp f) - x f, with f a logit
        objective="square":   ℓ = ½ (x - f)²

    Args:
        objective: `"logistic"` or `"square"`.
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Shapes:
        `y_true`: `{"likes": (batch, n) of 0 and 1, "weight": (batch, n)}`. An entry of weight 0 does not count.
        `y_pred`: `(batch, n)`.

    Raises:
        ValueError: `objective` is unknown, or `y_true` is not a dictionary.

    Source: Wu et al., Collaborative Denoising Auto-Encoders, 2016, table 1.
    """

    def __init__(self, objective: str = "logistic", name: str = "pointwise_loss", **kwargs: Any) -> None:
        if objective not in OBJECTIVES:
            raise ValueError(f"`objective`: expected one of {', '.join(OBJECTIVES)}, got {objective!r}")
        super().__init__(name, **kwargs)
        self.objective = objective

    def call(self, y_true: dict[str, Tensor], y_pred: Tensor) -> Tensor:
        if not isinstance(y_true, Mapping):
            raise ValueError(
                "`y_true` of PointwiseLoss: expected a dictionary of likes and weight, got one array. Fix: call the "
                "loss in your own `compute_loss`, or pass `LogisticNLL` to `compile`"
            )
        likes, f = y_true["likes"], ops.cast(y_pred, "float32")
        entry_losses = ops.softplus(f) - likes * f if self.objective == "logistic" else 0.5 * ops.square(likes - f)
        return ops.sum(y_true["weight"] * entry_losses, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "objective": self.objective}
