"""Negative log-likelihoods of a row of likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasrec._registry import public
from kerasrec.losses.row_loss import RowLoss
from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


@public
class MultinomialNLL(RowLoss):
    """Negative multinomial log-likelihood of a row of likes: L_u = -Σ_i x_ui log softmax(f_u)_i.

    Args:
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Shapes:
        `y_true`: `(batch, n)` likes or counts. `y_pred`: `(batch, n)` logits. In a model's own `compute_loss`,
        `y_true` can also be `{"ids": (batch, length)}`, the liked columns, each once, padded with -1, or
        `SparseRows`, which is faster. `compile(loss=…)` does not accept these: Keras would look for outputs of these
        names.

    Not to be confused with categorical cross-entropy, which expects each row to sum to 1.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 2.
    """

    accepts_sparse_rows = True

    def __init__(self, name: str = "multinomial_nll", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        y_pred = ops.cast(y_pred, "float32")
        if isinstance(y_true, Mapping):
            y_true = from_padded_ids(y_true["ids"])
        if isinstance(y_true, SparseRows):
            return _multinomial_nll_of_likes(y_true, y_pred)
        if isinstance(y_true, DenseRows):
            y_true = y_true.values
        # Σ x log softmax(f) = Σ x f - (Σ x) logsumexp(f): two sums instead of a pass that writes (batch, n).
        total = ops.sum(y_true, axis=-1)
        return total * ops.logsumexp(y_pred, axis=-1) - ops.sum(y_true * y_pred, axis=-1)


def _multinomial_nll_of_likes(likes: SparseRows, logits: Tensor) -> Tensor:
    """`MultinomialNLL` of sparse rows, `(batch,)`: the only passes over (batch, n) are softmax and its gradient."""

    @custom_gradient
    def nll(logits: Tensor) -> tuple[Tensor, Any]:
        softmax = ops.softmax(logits, axis=1)
        # The largest entry of the softmax is exp(max f) / Σ exp f.
        log_partition = ops.max(logits, axis=1) - ops.log(ops.max(softmax, axis=1))
        value = likes.counts * log_partition - likes.row_sums(likes.mask * likes.gather(logits))

        def gradient(upstream: Tensor) -> Tensor:
            all_items = softmax * ops.expand_dims(likes.counts * upstream, 1)
            at_likes = likes.with_values(likes.broadcast_to_entries(upstream)).dense(logits.shape[1])
            return all_items - at_likes  # n softmax(f), less 1 at each like

        return value, gradient

    return nll(logits)


@public
class GaussianNLL(RowLoss):
    """Negative Gaussian log-likelihood up to a constant: L_u = Σ_i c_ui / 2 · (x_ui - f_ui)².

    c_ui is `observed_weight` where x_ui > 0 and 1 elsewhere, so observed entries can have a larger weight than
    unobserved ones.

    Args:
        observed_weight: c of an observed entry (default 1; the paper tunes it).
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Raises:
        ValueError: `observed_weight` is negative.

    Shapes:
        `y_true`, `y_pred`: `(batch, n)`.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 3.
    """

    def __init__(self, observed_weight: float = 1.0, name: str = "gaussian_nll", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        check_at_least(0, observed_weight=observed_weight)
        self.observed_weight = observed_weight

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        weight = ops.where(y_true > 0, ops.convert_to_tensor(self.observed_weight, "float32"), 1.0)
        return 0.5 * ops.sum(weight * ops.square(y_true - ops.cast(y_pred, "float32")), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "observed_weight": self.observed_weight}


@public
class LogisticNLL(RowLoss):
    """Negative logistic log-likelihood: L_u = -Σ_i x_ui log σ(f_ui) + (1 - x_ui) log(1 - σ(f_ui)).

    Args:
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Shapes:
        `y_true`: `(batch, n)` of 0 and 1. `y_pred`: `(batch, n)` logits.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 4.
    """

    def __init__(self, name: str = "logistic_nll", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_pred = ops.cast(y_pred, "float32")
        return ops.sum(ops.softplus(y_pred) - y_true * y_pred, axis=-1)


LIKELIHOODS: dict[str, Any] = {
    "multinomial": MultinomialNLL,
    "gaussian": GaussianNLL,
    "logistic": LogisticNLL,
}
"""The likelihoods of `NegativeELBO` and `MultVAE` by name."""
