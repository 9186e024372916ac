"""Layers that autoencoder recommenders are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._api import public
from kerasrec.ranking import scatter_rows
from kerasrec.types import Batch, Tensor


def xavier_dense(units: int, activation: str | None, seed: int | None, name: str, **kwargs: Any) -> keras.layers.Dense:
    """A dense layer that starts as those of Liang et al. 2018: Glorot uniform, and biases within ±0.002.

    Args:
        units: width of its output.
        activation: applied to the output; none where absent.
        seed: seeds kernel and bias.
        name: name of the layer.
        **kwargs: of `keras.layers.Dense`.
    """
    return keras.layers.Dense(
        units,
        activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        bias_initializer=keras.initializers.TruncatedNormal(stddev=0.001, seed=seed),
        name=name,
        **kwargs,
    )


@public
class Densify(keras.layers.Layer):
    """Turns padded lists of column ids into dense rows, inside the graph.

    Args:
        n_columns: width of the rows.
        use_values: whether entries carry their values; each is 1 otherwise.
        missing: what stands for an entry that was not observed. `nan` tells a rating of 0 from
            no rating.

    Shapes:
        In: `{"ids": (batch, length), "values": (batch, length)}`, padded with -1 (`values` may be
        absent: 1 each), or a dense `(batch, n_columns)` array, in which 0 is not observed.
        Out: float32 `(batch, n_columns)`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import Densify
        >>> rows = Densify(4)({"ids": np.array([[2, 0], [3, -1]])})
        >>> np.asarray(rows)
        array([[1., 0., 1., 0.],
               [0., 0., 0., 1.]], dtype=float32)
    """

    def __init__(self, n_columns: int, use_values: bool = False, missing: float = 0.0, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")  # ratings and ids do not survive 8 bits of mantissa
        super().__init__(autocast=False, **kwargs)
        self.n_columns = n_columns
        self.use_values = use_values
        self.missing = missing
        self.built = True

    def call(self, inputs: Batch | Tensor) -> Tensor:
        if isinstance(inputs, Mapping):
            values = inputs["values"] if self.use_values and "values" in inputs else 1.0
            return scatter_rows(inputs["ids"], values, self.n_columns, self.missing)
        dense = ops.cast(inputs, "float32")
        return ops.where(dense == 0, self.missing, dense if self.use_values else 1.0)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        shape = input_shape["ids"] if isinstance(input_shape, Mapping) else input_shape
        return (shape[0], self.n_columns)

    def get_config(self) -> dict[str, Any]:
        config = {"n_columns": self.n_columns, "use_values": self.use_values, "missing": self.missing}
        return {**super().get_config(), **config}


@public
class GaussianSampling(keras.layers.Layer):
    """Draws the code of a variational autoencoder by the reparametrisation trick.

    z = μ + exp(log σ² / 2) · ε with ε ~ N(0, I) in training; z = μ otherwise, so that the same
    history gets the same answer.

    Args:
        seed: seeds ε.

    Shapes:
        In: μ and log σ², each `(batch, latent_dim)`. Out: `(batch, latent_dim)`.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2014.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, mean: Tensor, log_var: Tensor, training: bool = False) -> Tensor:
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(log_var / 2) * noise

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
