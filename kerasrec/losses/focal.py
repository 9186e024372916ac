"""The focal loss: a logistic loss in which easy entries count less."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasrec._registry import public
from kerasrec.losses.row_loss import RowLoss
from kerasrec.ops.gradients import custom_gradient
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


@public
class FocalLoss(RowLoss):
    """Logistic loss in which an entry that is already predicted well has a small weight.

        L_u = -Σ_i α x_ui (1 - p_ui)^γ log p_ui + (1 - α) (1 - x_ui) p_ui^γ log(1 - p_ui),   p = σ(f)

    Most entries of a row are unobserved and easy: γ > 0 reduces their share of the loss.

    Args:
        alpha: α, weight of the likes; the other entries have the weight 1 - α (paper: 0.25).
        gamma: γ; 0 gives the logistic loss with weights (paper: 2).
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Shapes:
        `y_true`: `(batch, n)` of 0 and 1. `y_pred`: `(batch, n)` logits.

    Raises:
        ValueError: `alpha` is outside 0 to 1, or `gamma` is negative.

    Example:
        >>> import numpy as np
        >>> from kerasrec.losses import FocalLoss
        >>> likes, logits = np.array([[1.0, 0.0]], np.float32), np.zeros((1, 2), np.float32)
        >>> round(float(FocalLoss(alpha=0.25, gamma=2.0)(likes, logits)), 4)  # (¼ + ¾) · ½² · log 2
        0.1733

    Not to be confused with `keras.losses.BinaryFocalCrossentropy`, which averages over the columns.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, eq. 5.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, name: str = "focal_loss", **kwargs: Any) -> None:
        check_at_least(0, alpha=alpha, gamma=gamma)
        if alpha > 1:
            raise ValueError(f"`alpha`: expected a weight of at most 1, got {alpha:g}")
        super().__init__(name, **kwargs)
        self.alpha = alpha
        self.gamma = gamma

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return ops.sum(focal_entry_losses(y_true, ops.cast(y_pred, "float32"), self.alpha, self.gamma), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


def focal_entry_losses(likes: Tensor, logits: Tensor, alpha: float, gamma: float) -> Tensor:
    """The focal loss of each entry, `(batch, n)`; `likes` is 0 or 1.

    The gradient is written by hand: an automatic one adds five gradients of the logits, in an order that differs
    between two runs.
    """
    likes = ops.cast(likes, "float32")

    @custom_gradient
    def entry_losses(logits: Tensor) -> tuple[Tensor, Any]:
        sign = 2.0 * likes - 1.0
        miss = ops.sigmoid(-sign * logits)  # probability of the other class
        log_hit = -ops.softplus(-sign * logits)
        weight = (alpha * likes + (1.0 - alpha) * (1.0 - likes)) * miss**gamma

        def gradient(upstream: Tensor) -> Tensor:
            return upstream * sign * weight * (gamma * (1.0 - miss) * log_hit - miss)

        return -weight * log_hit, gradient

    entries: Tensor = entry_losses(logits)
    return entries
