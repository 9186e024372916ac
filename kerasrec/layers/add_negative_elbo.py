"""The evidence lower bound as a layer of a functional model."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec._registry import public
from kerasrec.losses import NegativeELBO
from kerasrec.types import Tensor


@public
class AddNegativeELBO(keras.layers.Layer):
    """Adds `kerasrec.losses.NegativeELBO` to the loss of the model that the layer is part of, and returns the logits.

    Keras passes one output to a compiled loss, and the evidence lower bound needs three: logits, μ and log σ². This
    layer receives all of them, so that a functional model is compiled without a loss and its output stays the logits.

    Args:
        likelihood: `"multinomial"`, `"gaussian"` or `"logistic"`.
        beta: β, the weight of the KL term.
        **kwargs: as in `keras.layers.Layer`.

    Shapes:
        In: likes `(batch, n)`, logits `(batch, n)`, μ and log σ², each `(batch, latent_dim)`. Out: the logits.

    Raises:
        ValueError: `likelihood` is unknown, or `beta` is negative.

    Example:
        >>> import keras, numpy as np
        >>> from kerasrec import layers
        >>> likes = keras.Input((50,))
        >>> hidden = keras.layers.Dense(16, "tanh")(likes)
        >>> mean, log_var = keras.layers.Dense(4)(hidden), keras.layers.Dense(4)(hidden)
        >>> logits = keras.layers.Dense(50)(layers.GaussianSampling(seed=1)(mean, log_var))
        >>> model = keras.Model(likes, layers.AddNegativeELBO(beta=0.2)(likes, logits, mean, log_var))
        >>> model.compile("adam")
        >>> rows = (np.random.default_rng(0).random((20, 50)) < 0.2).astype("float32")
        >>> loss = model.fit(rows, epochs=50, verbose=0).history["loss"]
        >>> loss[-1] < loss[0]
        True

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, eq. 6.
    """

    def __init__(self, likelihood: str = "multinomial", beta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.likelihood = likelihood
        self.beta = beta
        self.loss = NegativeELBO(likelihood, beta, reduction="none")
        self.built = True

    def call(self, likes: Tensor, logits: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        rows = self.loss(likes, {"logits": logits, "mean": mean, "log_var": log_var})
        self.add_loss(keras.ops.mean(rows))  # Keras scales it for distribution
        return logits

    def compute_output_shape(self, likes_shape: Any, logits_shape: Any, mean_shape: Any, log_var_shape: Any) -> Any:
        return logits_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "likelihood": self.likelihood, "beta": self.beta}
