"""Losses of autoencoder recommenders, each a `keras.losses.Loss` for use in any Keras model.

Every loss gives one number a row, `(batch,)`, which Keras then averages over the rows. All of
them compute in float32, whatever the dtype policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids
from kerasrec.types import Tensor
from kerasrec.validation import check_columns


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) = ½ Σ (σ² + μ² - 1 - log σ²), in nats.

    Args:
        mean: μ, `(batch, latent_dim)`.
        log_var: log σ² (not σ), `(batch, latent_dim)`.

    Returns:
        `(batch,)` float32.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2014, appendix B.
    """
    mean, log_var = ops.cast(mean, "float32"), ops.cast(log_var, "float32")
    return 0.5 * ops.sum(ops.exp(log_var) + ops.square(mean) - 1.0 - log_var, axis=-1)


def sum_of_log_partitions(
    hidden: Tensor, kernel: Tensor, bias: Tensor, weights: Tensor, block: int = 512, factors: str = "float32"
) -> Tensor:
    """Σ_t w_t · log Σ_i exp(h_t · W_i + b_i): the normalisers of many softmaxes over one catalogue.

    The logits exist for `block` rows at a time, and the gradient is formed along with them, so the
    memory needed does not grow with the number of rows times the size of the catalogue. Rows of
    weight 0 cost nothing.

    Args:
        hidden: h, float32 `(n, units)`.
        kernel: W, float32 `(units, n_items)`.
        bias: b, float32 `(n_items,)`.
        weights: w, float32 `(n,)`, of which no gradient is taken.
        block: rows at a time.
        factors: what the products' factors are rounded to, `"float32"` or `"bfloat16"`; all else is in float32.

    Returns:
        A float32 scalar.
    """

    def product(left: Tensor, right: Tensor) -> Tensor:
        return ops.cast(ops.matmul(ops.cast(left, factors), ops.cast(right, factors)), "float32")

    n = ops.shape(hidden)[0]
    # One more row of weight 0, the n-th, fills up the last block.
    weights = ops.pad(weights, [[0, 1]])
    used_first = ops.argsort(ops.cast(weights[:-1] == 0, "int32"))
    order = ops.concatenate([ops.cast(used_first, "int32"), ops.full((block,), n, dtype="int32")], axis=0)
    n_used = ops.sum(ops.cast(weights != 0, "int32"))

    @custom_gradient
    def total(hidden: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        hidden = ops.pad(hidden, [[0, 1], [0, 0]])
        across, back = ops.cast(kernel, factors), ops.cast(ops.transpose(kernel), factors)

        def add(i: Tensor, value: Tensor, d_hidden: Tensor, d_kernel: Tensor, d_bias: Tensor) -> tuple[Tensor, ...]:
            at = ops.slice(order, (i * block,), (block,))
            rows, weight = ops.take(hidden, at, axis=0), ops.expand_dims(ops.take(weights, at), 1)
            logits = product(rows, across) + bias  # (block, n_items)
            highest = ops.max(logits, axis=1, keepdims=True)
            softmax = ops.exp(logits - highest)
            partition = ops.sum(softmax, axis=1, keepdims=True)
            softmax = softmax * (weight / partition)
            return (
                i + 1,
                value + ops.sum(weight * (ops.log(partition) + highest)),
                ops.scatter_update(d_hidden, ops.expand_dims(at, 1), product(softmax, back)),
                d_kernel + product(ops.transpose(rows), softmax),
                d_bias + ops.sum(softmax, axis=0),
            )

        zero = (
            ops.zeros((), "int32"),
            ops.zeros(()),
            ops.zeros_like(hidden),
            ops.zeros_like(kernel),
            ops.zeros_like(bias),
        )
        _, value, *gradients = ops.while_loop(lambda i, *_: i * block < n_used, add, zero)

        def gradient(above: Tensor) -> tuple[Tensor, ...]:
            d_hidden, d_kernel, d_bias = gradients
            return above * d_hidden[:-1], above * d_kernel, above * d_bias

        return value, gradient

    return total(hidden, kernel, bias)


class _RowLoss(keras.losses.Loss):
    """A loss that sums over the columns and averages over the rows, in float32.

    Class attributes:
        takes_lists: whether `y_true` may also be lists of ids.
    """

    takes_lists = False

    def __init__(self, name: str, reduction: str = "sum_over_batch_size", dtype: Any = "float32") -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Tensor | None = None) -> Tensor:
        if not (isinstance(y_true, Mapping) and "ids" in y_true):
            check_columns(y_true, y_pred)
            return super().__call__(y_true, y_pred, sample_weight)
        if not self.takes_lists:
            raise ValueError(
                f"{type(self).__name__} takes rows as `y_true`, not lists of ids: make rows of them "
                "(`kerasrec.layers.Densify`)"
            )
        # Keras would make floats of ids, which costs two passes over them and, beyond 16,777,216, their value.
        rows = self.call(y_true, y_pred)
        return _MeanOfRows(self.name, self.reduction, self.dtype)(rows, rows, sample_weight)


class _MeanOfRows(keras.losses.Loss):
    """What Keras makes of the losses of rows: weighed and reduced."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return y_pred


@public
class MaskedMeanSquaredError(_RowLoss):
    """Squared error over the observed entries only.

    per="row":    L_u = Σ_{i ∈ O_u} (r_ui - h_ui)², averaged over the rows (AutoRec)
    per="entry":  L = Σ_u Σ_{i ∈ O_u} (r_ui - h_ui)² / Σ_u |O_u| (DeepRec)

    Args:
        per: what the mean is taken over, `"row"` or `"entry"`.
        missing: the value of `y_true` that marks an entry as not observed. The default, `nan`,
            leaves every number free to be a rating; pass 0 for the usual dense matrices.

    Shapes:
        `y_true`, `y_pred`: `(batch, n)`. Or `y_true` is `{"ids": (batch, length), "values": (batch,
        length)}`, the entries that were observed, padded with -1, which is faster, but for a model's own
        `compute_loss` only: `compile(loss=…)` would look for outputs of these names. A row without
        observations counts 0.

    Example:
        >>> import numpy as np
        >>> from kerasrec.losses import MaskedMeanSquaredError
        >>> loss = MaskedMeanSquaredError(per="entry", missing=0.0)
        >>> float(loss(np.array([[5.0, 0.0], [3.0, 1.0]]), np.array([[4.0, 9.0], [3.0, 1.0]]) + [[0.0], [0.5]]))
        0.5

    Source: Sedhain et al., AutoRec, 2015, eq. 2; Kuchaiev and Ginsburg, DeepRec, 2017, eq. 1.
    """

    takes_lists = True

    def __init__(
        self,
        per: str = "row",
        missing: float = float("nan"),
        name: str = "masked_mean_squared_error",
        **kwargs: Any,
    ) -> None:
        if per not in ("row", "entry"):
            raise ValueError(f'`per` must be "row" or "entry", not {per!r}')
        super().__init__(name, **kwargs)
        self.per = per
        self.missing = missing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_pred = ops.cast(y_pred, "float32")
        if isinstance(y_true, Mapping):
            observed = from_padded_ids(y_true["ids"], y_true["values"])
            rows, known = squared_errors(observed, y_pred), observed.known
        else:
            known = observed_mask(y_true, self.missing)
            # Swap in the prediction first: NaN - x would reach the gradient even behind a mask.
            rows = ops.sum(ops.square(ops.where(known, y_true, y_pred) - y_pred), axis=-1)
        if self.per == "row":
            return rows
        entries = ops.sum(ops.cast(known, "float32"))
        n_rows = ops.cast(ops.shape(rows)[0], "float32")
        return rows * ops.divide_no_nan(n_rows, entries)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "per": self.per, "missing": self.missing}


def observed_mask(y_true: Tensor, missing: float) -> Tensor:
    """Boolean mask of the entries of `y_true` that differ from `missing`, which may be `nan`."""
    return ops.logical_not(ops.isnan(y_true)) if missing != missing else ops.not_equal(y_true, missing)


def squared_errors(observed: SparseRows | DenseRows, y_pred: Tensor, weights: Tensor = 1.0) -> Tensor:
    """Σ_{i ∈ O_u} w_ui (r_ui - h_ui)² of each row, `(batch,)`; w `(n,)` as the entries are, or one for all."""
    return observed.row_sums(observed.known * weights * ops.square(observed.values - observed.gather(y_pred)))


@public
class MultinomialNLL(_RowLoss):
    """Negative multinomial log-likelihood of a row of likes: L_u = -Σ_i x_ui log softmax(f_u)_i.

    Shapes:
        `y_true`: `(batch, n)` likes or counts, or `{"ids": (batch, length)}`, the columns that are
        liked, each once, padded with -1, which is faster, but for a model's own `compute_loss` only:
        `compile(loss=…)` would look for outputs of these names. `y_pred`: `(batch, n)` logits.

    Not to be confused with categorical cross-entropy, which expects each row to sum to 1.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 2.
    """

    takes_lists = True

    def __init__(self, name: str = "multinomial_nll", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_pred = ops.cast(y_pred, "float32")
        if isinstance(y_true, Mapping):
            return _multinomial_nll_of_entries(from_padded_ids(y_true["ids"]), y_pred)
        # Σ x log softmax(f) = Σ x f - (Σ x) logsumexp(f): two sums instead of a pass that writes (batch, n).
        total = ops.sum(y_true, axis=-1)
        return total * ops.logsumexp(y_pred, axis=-1) - ops.sum(y_true * y_pred, axis=-1)


def _multinomial_nll_of_entries(liked: SparseRows, logits: Tensor) -> Tensor:
    """The same from the likes, `(batch,)`: no pass over (batch, n) but those for softmax and its gradient."""

    @custom_gradient
    def nll(logits: Tensor) -> tuple[Tensor, Any]:
        softmax = ops.softmax(logits, axis=1)
        # The largest of the softmax is exp(max f) / Σ exp f.
        log_partition = ops.max(logits, axis=1) - ops.log(ops.max(softmax, axis=1))
        value = liked.counts * log_partition - liked.row_sums(liked.known * liked.gather(logits))

        def gradient(above: Tensor) -> Tensor:
            all_items = softmax * ops.expand_dims(liked.counts * above, 1)
            likes = liked.with_values(liked.broadcast_to_entries(above)).dense(logits.shape[1])
            return all_items - likes  # n softmax(f), less 1 at each like

        return value, gradient

    return nll(logits)


@public
class GaussianNLL(_RowLoss):
    """Negative Gaussian log-likelihood up to a constant: L_u = Σ_i c_ui / 2 · (x_ui - f_ui)².

    c_ui is `observed_weight` where x_ui > 0 and 1 elsewhere: entries that were seen weigh more
    than the many that were not.

    Args:
        observed_weight: the confidence in an observed entry (default 1; the paper tunes it).

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 3.
    """

    def __init__(self, observed_weight: float = 1.0, name: str = "gaussian_nll", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.observed_weight = observed_weight

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        weight = ops.where(y_true > 0, self.observed_weight, 1.0)
        return 0.5 * ops.sum(weight * ops.square(y_true - ops.cast(y_pred, "float32")), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "observed_weight": self.observed_weight}


@public
class LogisticNLL(_RowLoss):
    """Negative logistic log-likelihood: L_u = -Σ_i x_ui log σ(f_ui) + (1 - x_ui) log(1 - σ(f_ui)).

    Shapes:
        `y_true`: `(batch, n)` of 0 and 1. `y_pred`: `(batch, n)` logits.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 4.
    """

    def __init__(self, name: str = "logistic_nll", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_pred = ops.cast(y_pred, "float32")
        return ops.sum(ops.softplus(y_pred) - y_true * y_pred, axis=-1)


POINTWISE = ("logistic", "square")


@public
class PointwiseLoss(_RowLoss):
    """Loss of each entry by itself, summed with weights: L_u = Σ_i c_ui · ℓ(x_ui, f_ui).

    objective="logistic": ℓ = log(1 + exp f) - x f, with f a logit
    objective="square":   ℓ = ½ (x - f)²

    Args:
        objective: `"logistic"` or `"square"`.

    Shapes:
        `y_true`: `{"likes": (batch, n) of 0 and 1, "weight": (batch, n)}`, the weights c 0 where an
        entry does not count. `y_pred`: `(batch, n)`.

    Source: Wu et al., Collaborative Denoising Auto-Encoders, 2016, table 1.
    """

    def __init__(self, objective: str = "logistic", name: str = "pointwise_loss", **kwargs: Any) -> None:
        if objective not in POINTWISE:
            raise ValueError(f"`objective` must be one of {', '.join(POINTWISE)}, not {objective!r}")
        super().__init__(name, **kwargs)
        self.objective = objective

    def call(self, y_true: dict[str, Tensor], y_pred: Tensor) -> Tensor:
        likes, f = y_true["likes"], ops.cast(y_pred, "float32")
        entries = ops.softplus(f) - likes * f if self.objective == "logistic" else 0.5 * ops.square(likes - f)
        return ops.sum(y_true["weight"] * entries, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "objective": self.objective}


LIKELIHOODS = {"multinomial": MultinomialNLL, "gaussian": GaussianNLL, "logistic": LogisticNLL}


@public
class NegativeELBO(_RowLoss):
    """Negative evidence lower bound with a weighted KL: L_u = NLL(x_u, f_u) + β · KL(q(z_u) ‖ N(0, I)).

    Args:
        likelihood: `"multinomial"`, `"gaussian"` or `"logistic"`.
        beta: β, the weight of the KL term (1 gives the true bound; the paper anneals up to 0.2).

    Shapes:
        `y_true`: `(batch, n)`. `y_pred`: `{"logits": (batch, n), "mean": (batch, latent_dim),
        "log_var": (batch, latent_dim)}`. For `compile`, which compares one output with the truth:
        `kerasrec.layers.GaussianSampling(beta=…)` and the loss of the likelihood alone.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 6.
    """

    def __init__(
        self, likelihood: str = "multinomial", beta: float = 1.0, name: str = "negative_elbo", **kwargs: Any
    ) -> None:
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"`likelihood` must be one of {', '.join(LIKELIHOODS)}, not {likelihood!r}")
        super().__init__(name, **kwargs)
        self.likelihood = likelihood
        self.beta = beta
        self._nll = LIKELIHOODS[likelihood]()

    def call(self, y_true: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        return self._nll.call(y_true, y_pred["logits"]) + self.beta * gaussian_kl(y_pred["mean"], y_pred["log_var"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "likelihood": self.likelihood, "beta": self.beta}
