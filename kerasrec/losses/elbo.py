"""The evidence lower bound of variational autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasrec._registry import public
from kerasrec.losses.likelihoods import LIKELIHOODS, GaussianNLL
from kerasrec.losses.row_loss import RowLoss
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


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


@public
class NegativeELBO(RowLoss):
    """Negative evidence lower bound with a weighted KL term, for `compute_loss`: `compile` does not accept it.

    `MultVAE` trains with it:

        L_u = NLL(x_u, f_u) + β · KL(q(z_u | x_u) ‖ N(0, I)),   q = N(μ_u, diag σ_u²)

    Use it in a functional model through `kerasrec.layers.AddNegativeELBO`, because Keras passes only one output to a
    compiled loss.

    Args:
        likelihood: `"multinomial"`, `"gaussian"` or `"logistic"`.
        beta: β, the weight of the KL term (1 is the true bound; the paper anneals it up to 0.2).
        observed_weight: weight of the observed entries in the Gaussian likelihood, see `GaussianNLL`.
        name: name of the loss.
        **kwargs: `reduction` and `dtype`, as in `keras.losses.Loss`.

    Shapes:
        `y_true`: `(batch, n)`; with the multinomial likelihood also `{"ids": (batch, length)}` or `SparseRows`.
        `y_pred`: `{"logits": (batch, n), "mean": (batch, latent_dim), "log_var": (batch, latent_dim)}`, with log σ².
        Its optional scalar `"beta"` replaces the constant β, for annealing.

    Raises:
        ValueError: `likelihood` is unknown, `beta` is negative, or `y_pred` is not a dictionary.

    Example:
        >>> import numpy as np
        >>> from kerasrec.losses import NegativeELBO
        >>> zeros = np.zeros((1, 2), np.float32)
        >>> outputs = {"logits": zeros, "mean": zeros + 1.0, "log_var": zeros}
        >>> loss = NegativeELBO(beta=0.5)(np.array([[1.0, 0.0]], np.float32), outputs)
        >>> round(float(loss), 4)  # log 2 + 0.5 · ½ (1² + 1²)
        1.1931

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 6.
    """

    def __init__(
        self,
        likelihood: str = "multinomial",
        beta: float = 1.0,
        observed_weight: float = 1.0,
        name: str = "negative_elbo",
        **kwargs: Any,
    ) -> None:
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"`likelihood`: expected one of {', '.join(LIKELIHOODS)}, got {likelihood!r}")
        check_at_least(0, beta=beta)
        super().__init__(name, **kwargs)
        self.likelihood = likelihood
        self.beta = beta
        self.observed_weight = observed_weight
        self.nll = GaussianNLL(observed_weight) if likelihood == "gaussian" else LIKELIHOODS[likelihood]()
        self.accepts_sparse_rows = self.nll.accepts_sparse_rows

    def call(self, y_true: Any, y_pred: dict[str, Tensor]) -> Tensor:
        if not isinstance(y_pred, Mapping):
            raise ValueError(
                "`y_pred` of NegativeELBO: expected a dictionary of logits, mean and log_var, got one tensor. Fix: use "
                "`kerasrec.layers.AddNegativeELBO`, because `compile(loss=…)` passes one output"
            )
        beta = y_pred.get("beta", self.beta)
        return self.nll.call(y_true, y_pred["logits"]) + beta * gaussian_kl(y_pred["mean"], y_pred["log_var"])

    def get_config(self) -> dict[str, Any]:
        config = {"likelihood": self.likelihood, "beta": self.beta, "observed_weight": self.observed_weight}
        return {**super().get_config(), **config}
