"""Layers that autoencoder recommenders are made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._api import public
from kerasrec.losses import sum_of_log_partitions
from kerasrec.ranking import listed, lists_entries, scatter_rows
from kerasrec.types import Batch, Tensor


def xavier_dense(
    units: int, activation: str | None, seed: int | None, name: str, kind: type = keras.layers.Dense, **kwargs: Any
) -> keras.layers.Dense:
    """A dense layer that starts as those of Liang et al. 2018: Glorot uniform, and biases within ±0.002.

    Args:
        units: width of its output.
        activation: applied to the output; none where absent.
        seed: seeds kernel and bias.
        name: name of the layer.
        kind: of layer, where not the plain one.
        **kwargs: of `keras.layers.Dense`.
    """
    return kind(
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


def entries(inputs: Batch | Tensor, use_values: bool = False) -> tuple[Tensor, Tensor | None]:
    """What a batch observes, as `(values, ids)`.

    Whatever acts on a row entry by entry (a norm, dropout) can act on `values` as they are: 70
    numbers a row where the dense row has 20,000.

    Args:
        inputs: `{"ids": (batch, length), "values": (batch, length)}`, or dense rows `(batch, n_columns)`.
        use_values: whether entries carry their values; each is 1 otherwise.

    Returns:
        float32 `(batch, length)`, 0 for padding, and int32 ids `(batch, length)`; for dense rows
        the rows themselves, 1 for each entry that is not 0 unless `use_values`, and `None`.
    """
    if not isinstance(inputs, Mapping):
        dense = ops.cast(inputs, "float32")
        return (dense if use_values else ops.cast(dense != 0, "float32")), None
    ids = ops.cast(inputs["ids"], "int32")  # MirroredStrategy averages its first batch and so hands out floats
    known = ops.cast(ids >= 0, "float32")
    return (known * ops.cast(inputs["values"], "float32") if use_values and "values" in inputs else known), ids


def row_matmul(values: Tensor, ids: Tensor | None, kernel: Tensor) -> Tensor:
    """Rows of the interaction matrix times a kernel: Σ_j values_j · kernel[ids_j] for each row.

    On a CPU under TensorFlow it costs by the entries where they are few: for 500 rows of ML-20M's
    shape, half as much as a product of dense rows; for one row, a twentieth. XLA, JAX and a GPU
    always take dense rows.

    Args:
        values: float32 `(batch, length)`, 0 for padding; the dense rows `(batch, n_columns)` where `ids` is `None`.
        ids: int32 `(batch, length)`, -1 for padding; or `None`.
        kernel: `(n_columns, units)`.

    Returns:
        `(batch, units)`, of the kernel's dtype, summed in float32.
    """
    if ids is None:
        return ops.matmul(ops.cast(values, kernel.dtype), kernel)

    def by_row() -> Tensor:
        return ops.matmul(ops.cast(scatter_rows(ids, values, kernel.shape[0], 0.0), kernel.dtype), kernel)

    if not lists_entries():
        return by_row()
    import tensorflow as tf

    index, known = listed(ids, tf.cast(values, tf.float32))
    n_rows = tf.shape(ids, tf.int64)[0]

    def by_entry() -> Tensor:
        rows = tf.SparseTensor(tf.cast(index, tf.int64), known, (n_rows, kernel.shape[0]))
        return tf.cast(tf.sparse.sparse_dense_matmul(rows, tf.cast(kernel, tf.float32)), kernel.dtype)

    # A multiplication costs about 150 times more by entry than in a product of dense matrices. One
    # of a few rows is bound by reading the kernel, and takes as long as one of eight.
    fewer = 150 * tf.size(known, tf.int64) < tf.maximum(n_rows, 8) * kernel.shape[0]
    return tf.cond(fewer, by_entry, by_row)


@public
class RowDense(keras.layers.Dense):
    """A dense layer whose input is rows of the interaction matrix: an autoencoder's first one.

    activation(x · kernel + bias), with x as `kerasrec.layers.entries` gives it.

    Args:
        units: width of the output.
        activation: as in `keras.layers.Dense`.
        **kwargs: as in `keras.layers.Dense`.

    Shapes:
        In: values `(batch, length)` and ids `(batch, length)`, or dense rows `(batch, n_columns)` alone.
        Out: `(batch, units)`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import RowDense, entries
        >>> layer = RowDense(2, kernel_initializer="ones")
        >>> layer.build((None, 4))  # four columns
        >>> values, ids = entries({"ids": np.array([[2, 0, 3], [3, -1, -1]])})
        >>> np.asarray(layer(values, ids))
        array([[3., 3.],
               [1., 1.]], dtype=float32)
    """

    def __init__(self, units: int, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(units, activation, **kwargs)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = None  # values are as wide as the longest row, not as the kernel

    def call(self, values: Tensor, ids: Tensor | None = None) -> Tensor:
        hidden = row_matmul(values, ids, ops.convert_to_tensor(self.kernel))
        if self.use_bias:
            hidden = hidden + self.bias
        return self.activation(hidden)

    def compute_output_shape(self, values_shape: Any, ids_shape: Any = None) -> tuple[int | None, int]:
        return (values_shape[0], self.units)


@public
class Logits(keras.layers.Dense):
    """An output layer over the catalogue, in float32; in training it multiplies bfloat16 numbers on request.

    f = h · kernel + bias. Answers are ranked, and 8 bits of mantissa would keep 44 % of a top-100's
    order; a gradient bears them, and the product is most of a training step (`trains_in_bfloat16`).
    Weights stay float32.

    Args:
        units: number of items.
        activation: none: softmax is part of the loss.
        **kwargs: as in `keras.layers.Dense`, with float32 for the default dtype.

    Shapes:
        In: h `(batch, dim)`. Out: float32 `(batch, units)`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import Logits
        >>> Logits(20)(np.ones((4, 8), np.float32), training=True).shape
        TensorShape([4, 20])
    """

    def __init__(self, units: int, activation: None = None, **kwargs: Any) -> None:
        super().__init__(units, activation, **{"dtype": "float32", **kwargs})

    def call(self, hidden: Tensor, training: bool = False) -> Tensor:
        if not (training and trains_in_bfloat16()):
            return super().call(hidden)
        product = ops.matmul(ops.cast(hidden, "bfloat16"), ops.cast(self.kernel, "bfloat16"))
        return ops.cast(product, "float32") + self.bias


def trains_in_bfloat16() -> bool:
    """Whether the environment variable `KERASREC_PRECISION` asks for bfloat16 products in training.

    It holds `float32`, the default, or `bfloat16`, which processors with AVX512-BF16 or AMX and GPUs
    multiply about twice as fast, and others far more slowly.

    Raises:
        ValueError: `KERASREC_PRECISION` holds something else.
    """
    asked = os.environ.get("KERASREC_PRECISION", "float32")
    if asked not in ("float32", "bfloat16"):
        raise ValueError(f"KERASREC_PRECISION must be float32 or bfloat16, not {asked!r}")
    return asked == "bfloat16"


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


@public
class NextItems(keras.layers.Dense):
    """An output layer over a catalogue, which can also tell the loss of many steps without all of their logits.

    f_t = h_t W + b; given ids as well, -Σ_t Σ_{j=1..k} log softmax(f_t)_{item_{t+j}} over the whole
    batch: the loss of predicting at each step the next `k` items.

    Args:
        units: number of items.
        activation: none: softmax is part of the loss.
        **kwargs: as in `keras.layers.Dense`, with float32 for the default dtype.

    Shapes:
        In: h `(…, dim)`; for the loss h `(batch, length, dim)` and ids `(batch, length)` with all
        padding (-1) behind. Out: logits `(…, units)`; for the loss a scalar.
    """

    def __init__(self, units: int, activation: None = None, **kwargs: Any) -> None:
        super().__init__(units, activation, **{"dtype": "float32", **kwargs})

    def call(self, hidden: Tensor, ids: Tensor | None = None, k: int = 1) -> Tensor:
        if ids is None:
            return super().call(hidden)
        # Copies, as TensorFlow's custom gradients want tensors, not variables.
        kernel, bias = ops.copy(self.kernel), ops.copy(self.bias)
        # log softmax(f)_i = f_i - log Σ_j exp f_j, and only the second term needs the logits of all items.
        known = ops.cast(ids >= 0, "float32")
        columns = ops.maximum(ids, 0)
        rows = ops.take(ops.transpose(kernel), columns, axis=0) * ops.expand_dims(known, -1)
        own = ops.sum(hidden * sum_of_next(rows, k)) + ops.sum(sum_of_next(ops.take(bias, columns) * known, k))
        n_targets = ops.reshape(sum_of_next(known, k), (-1,))
        return sum_of_log_partitions(ops.reshape(hidden, (-1, kernel.shape[0])), kernel, bias, n_targets) - own


def sum_of_next(values: Tensor, k: int) -> Tensor:
    """Σ_{j=1..k} values[:, t + j] at each t; `values` is `(batch, length, …)` and counts 0 beyond its end."""
    length = ops.shape(values)[1]
    padded = ops.pad(values, [[0, 0], [0, k]] + [[0, 0]] * (len(values.shape) - 2))
    total = ops.zeros_like(values)
    for j in range(1, k + 1):
        total = total + padded[:, j : j + length]
    return total
