"""The code of a variational autoencoder, by the reparametrisation trick."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.types import Tensor


@public
class GaussianSampling(keras.layers.Layer):
    """Draws the code of a variational autoencoder by the reparametrisation trick.

    In training z = μ + exp(log σ² / 2) · ε with ε ~ N(0, I). Otherwise z = μ, so that the same history always gets
    the same scores.

    Args:
        seed: seed of ε.
        **kwargs: as in `keras.layers.Layer`.

    Shapes:
        In: μ and log σ², each `(batch, latent_dim)`. Out: `(batch, latent_dim)`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import GaussianSampling
        >>> mean, log_var = np.full((2, 3), 0.5, np.float32), np.zeros((2, 3), np.float32)
        >>> float(np.abs(GaussianSampling()(mean, log_var) - mean).max())
        0.0

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2014.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, mean: Tensor, log_var: Tensor, training: bool = False) -> Tensor:
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(log_var / 2) * noise

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
