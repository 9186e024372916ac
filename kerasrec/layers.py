"""Layers that autoencoder recommenders are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.losses import gaussian_kl, sum_of_log_partitions
from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.hardware import multiplies_bfloat16
from kerasrec.ops.sampled_softmax import Sample, draw, rows_of, sampled_multinomial_nll
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids, observed_rows
from kerasrec.types import Batch, Tensor
from kerasrec.validation import check_at_least


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
        Out: `(batch, n_columns)`, float32 unless another `dtype` is asked for.

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
            return ops.cast(
                from_padded_ids(inputs["ids"], values).dense(self.n_columns, self.missing), self.compute_dtype
            )
        dense = ops.cast(inputs, "float32")
        if dense.shape[-1] not in (None, self.n_columns):
            raise ValueError(f"rows of {dense.shape[-1]} columns were given, {self.n_columns} are due")
        return ops.cast(ops.where(dense == 0, self.missing, dense if self.use_values else 1.0), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        shape = input_shape["ids"] if isinstance(input_shape, Mapping) else input_shape
        return (shape[0], self.n_columns)

    def get_config(self) -> dict[str, Any]:
        config = {"n_columns": self.n_columns, "use_values": self.use_values, "missing": self.missing}
        return {**super().get_config(), **config}


@public
class RowDense(keras.layers.Dense):
    """A dense layer whose input is rows of the interaction matrix: an autoencoder's first one.

    activation(x · kernel + bias), at a cost that on a CPU grows with the entries where they are few.

    Args:
        units: width of the output.
        activation: as in `keras.layers.Dense`.
        sparse: whether only the kernel's rows that a batch observes are read, and are all that the
            gradient holds (`tf.IndexedSlices`; on JAX and under XLA it is dense). For large catalogues, and for
            `kerasrec.optimizers.Adam`: Keras' own squares each part of a row's gradient before it adds them up.
        n_columns: width of the rows, which lists of ids do not tell; dense rows do, and so does a `build` before them.
        **kwargs: as in `keras.layers.Dense`.

    Shapes:
        In: a batch of `kerasrec.data.batches`, dense rows `(batch, n_columns)`, or either as
        `kerasrec.ops.sparse_rows.observed_rows` has it. Out: `(batch, units)`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import RowDense
        >>> layer = RowDense(2, n_columns=4, kernel_initializer="ones")
        >>> np.asarray(layer({"ids": np.array([[2, 0, 3], [3, -1, -1]])}))
        array([[3., 3.],
               [1., 1.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        sparse: bool = False,
        n_columns: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.sparse = sparse
        self.n_columns = n_columns

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        # Mixed precision would cast the whole kernel before its rows are taken.
        return super().add_weight(*args, **{**kwargs, **({"autocast": False} if self.sparse else {})})

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, Mapping):
            if self.n_columns is None:
                raise ValueError("lists of ids do not tell how many columns there are: give the layer `n_columns`")
            input_shape = (None, self.n_columns)
        super().build(input_shape)
        self.n_columns = self.kernel.shape[0]
        self.input_spec = None  # lists are as wide as the longest row, not as the kernel

    def call(self, inputs: Batch | Tensor | SparseRows | DenseRows, training: bool = False) -> Tensor:
        observed = inputs if isinstance(inputs, (SparseRows, DenseRows)) else observed_rows(inputs, use_values=True)
        if self.sparse and isinstance(observed, SparseRows):
            values = ops.expand_dims(ops.cast(observed.values, "float32"), 1)
            hidden = observed.row_sums(values * rows_of(self.kernel, observed.columns))
        else:
            half = "bfloat16" if training and trains_in_bfloat16() else None
            hidden = observed.matmul(ops.convert_to_tensor(self.kernel), half)
        hidden = ops.cast(hidden, self.compute_dtype)
        if self.use_bias:
            hidden = hidden + ops.cast(self.bias, self.compute_dtype)
        return self.activation(hidden)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sparse": self.sparse, "n_columns": self.n_columns}

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = input_shape["ids"] if isinstance(input_shape, Mapping) else input_shape
        return (*shape[:-1], self.units)


@public
class BFloat16Dense(keras.layers.Dense):
    """A dense layer that in training multiplies bfloat16 numbers where that is fast (`trains_in_bfloat16`).

    activation(x · kernel + bias), and all but the product's factors of the layer's own dtype: weights, sum with the
    bias, activation, and outside training the product as well. Made with the arguments of `keras.layers.Dense`.

    Shapes:
        In: x `(…, dim)`. Out: `(…, units)`. Of a call with `learn=False` the gradient goes to x only, not to kernel
        and bias.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import BFloat16Dense
        >>> layer = BFloat16Dense(2, "tanh")
        >>> float(np.abs(layer(np.zeros((1, 3), np.float32), training=True)).max())
        0.0
    """

    def call(self, inputs: Tensor, training: bool = False, learn: bool = True) -> Tensor:
        kernel, bias = self.kernel, self.bias if self.use_bias else 0.0
        if not learn:
            kernel, bias = ops.stop_gradient(kernel), ops.stop_gradient(bias)
        factors = "bfloat16" if training and trains_in_bfloat16() else self.compute_dtype
        product = ops.matmul(ops.cast(inputs, factors), ops.cast(kernel, factors))
        return self.activation(ops.cast(product, self.compute_dtype) + bias)


def xavier_dense(
    units: int,
    activation: str | None,
    seed: int | None,
    name: str,
    kind: Callable[..., keras.layers.Layer] = BFloat16Dense,
    **kwargs: Any,
) -> keras.layers.Layer:
    """A dense layer that starts as those of Liang et al. 2018: Glorot uniform, and biases within ±0.002.

    Args:
        units: width of its output.
        activation: applied to the output; none where absent.
        seed: seeds kernel and bias.
        name: name of the layer.
        kind: of layer, where not that one.
        **kwargs: of `keras.layers.Dense`.
    """
    return kind(
        units,
        activation=activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        bias_initializer=keras.initializers.TruncatedNormal(stddev=0.001, seed=seed),
        name=name,
        **kwargs,
    )


@public
class Logits(BFloat16Dense):
    """An output layer over the catalogue, in float32; in training it multiplies bfloat16 numbers where that is fast.

    f = h · kernel + bias. Answers are ranked, and 8 bits of mantissa would keep 44 % of a top-100's
    order; a gradient bears them, and the product is most of a training step.

    Args:
        units: number of items.
        activation: none, as softmax is part of the loss; another is refused.
        **kwargs: as in `keras.layers.Dense`, with float32 for the default dtype.

    Shapes:
        In: h `(batch, dim)`. Out: float32 `(batch, units)`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import Logits
        >>> Logits(20)(np.ones((4, 8), np.float32), training=True).shape
        TensorShape([4, 20])
    """

    def __init__(self, units: int, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(units, activation, **{"dtype": "float32", **kwargs})
        if self.activation is not keras.activations.linear:
            raise ValueError(f"`activation` must be None, not {activation!r}: what it would do is part of the loss")


@public
class SampledLogits(keras.layers.Layer):
    """An output layer over a large catalogue, which tells a multinomial loss from a sample of the items.

    f = h · kernelᵀ + bias; given ids as well, each row's

        -Σ_i x_ui (f_ui - log Z_u),   Z_u = Σ_{i: x_ui = 1} exp f_ui + Σ_{s ∈ S: x_us = 0} exp f_us / (n q_s)

    with S the n items of `sample`, shared by the rows, and n q_s how often each was to be expected. Z_u
    is that of the full softmax in the mean, and the loss tends to the full softmax's as n grows; with
    every item in S it is the same. It costs by the entries and by rows · n, whatever the size of the
    catalogue. Items are the kernel's rows, of which the gradient holds those of the batch and of S
    (`tf.IndexedSlices`; on JAX and under XLA it is dense).

    Args:
        units: number of items.
        n_sampled: n, how many items `draw` draws for a batch.
        kernel_initializer: as in `keras.layers.Dense`.
        bias_initializer: as in `keras.layers.Dense`.
        seed: seeds what is drawn.
        activation: none: softmax is part of the loss.
        **kwargs: as in `keras.layers.Layer`, with float32 for the default dtype.

    Shapes:
        In: h `(batch, dim)`; for the loss ids `(batch, length)`, padded with -1, and a sample as well.
        Out: logits `(batch, units)`; for the loss `(batch,)`. Float32.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import SampledLogits
        >>> layer = SampledLogits(1000, n_sampled=100, seed=1)
        >>> hidden, ids = np.ones((2, 8), np.float32), np.array([[3, 14, 15], [92, -1, -1]])
        >>> layer(hidden).shape
        TensorShape([2, 1000])
        >>> layer(hidden, ids, layer.draw(ids)).shape
        TensorShape([2])

    Differs from its sources in: half of S comes from the batch's own entries, which is the popularity
    they draw by without a table of it, and half is uniform; and own items are counted once, exactly.

    Source: Bengio and Senécal, Adaptive Importance Sampling to Accelerate Training of a Neural
    Probabilistic Language Model, 2008; Jean, Cho, Memisevic and Bengio, On Using Very Large Target
    Vocabulary for Neural Machine Translation, 2015.
    """

    def __init__(
        self,
        units: int,
        n_sampled: int,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        activation: None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **{"dtype": "float32", **kwargs})
        if n_sampled < 2:
            raise ValueError(
                f"`n_sampled` must be at least 2, not {n_sampled}: half of it comes from the batch's entries"
            )
        self.units = units
        self.n_sampled = n_sampled
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, hidden_shape: Any) -> None:
        shape = (self.units, hidden_shape[-1])
        self.kernel = self.add_weight(shape, self.kernel_initializer, autocast=False, name="kernel")
        self.bias = self.add_weight(shape[:1], self.bias_initializer, autocast=False, name="bias")

    def draw(self, ids: Tensor | None) -> Sample:
        """A sample for a batch, half from its entries and half uniform; ids `(batch, length)`, padded with -1."""
        if ids is None:
            raise ValueError("items are sampled for lists of ids: give `fit` batches of ids, not dense rows")
        return draw(from_padded_ids(ids), self.units, self.n_sampled, self.seed_generator)

    def call(self, hidden: Tensor, ids: Tensor | None = None, sample: Sample | None = None) -> Tensor:
        hidden = ops.cast(hidden, "float32")
        if ids is None:
            return ops.matmul(hidden, ops.transpose(self.kernel)) + self.bias
        sample = self.draw(ids) if sample is None else sample
        return sampled_multinomial_nll(hidden, from_padded_ids(ids), self.kernel, self.bias, sample)

    def compute_output_shape(
        self, hidden_shape: Any, ids_shape: Any = None, sample_shape: Any = None
    ) -> tuple[int | None, ...]:
        return (hidden_shape[0], self.units) if ids_shape is None else (hidden_shape[0],)

    def get_config(self) -> dict[str, Any]:
        config = {
            "units": self.units,
            "n_sampled": self.n_sampled,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }
        return {**super().get_config(), **config}


def ends(n_sampled: int | None, seed: int | None) -> tuple[Callable[..., keras.layers.Layer], ...]:
    """The kinds of an autoencoder's first and last layer: over the whole catalogue, or over rows of it.

    Args:
        n_sampled: items sampled for a batch; all of them where `None`.
        seed: seeds what is sampled.
    """
    if n_sampled is None:
        return RowDense, Logits
    return partial(RowDense, sparse=True), partial(SampledLogits, n_sampled=n_sampled, seed=seed)


def trains_in_bfloat16() -> bool:
    """Whether training multiplies bfloat16 numbers: where that is fast, unless `KERASREC_PRECISION` says otherwise.

    The environment variable holds `float32` or `bfloat16`.

    Raises:
        ValueError: it holds something else.
    """
    asked = os.environ.get("KERASREC_PRECISION")
    if asked not in (None, "float32", "bfloat16"):
        raise ValueError(f"KERASREC_PRECISION must be float32 or bfloat16, not {asked!r}")
    return asked == "bfloat16" or (asked is None and multiplies_bfloat16())


@public
class GaussianSampling(keras.layers.Layer):
    """Draws the code of a variational autoencoder by the reparametrisation trick.

    z = μ + exp(log σ² / 2) · ε with ε ~ N(0, I) in training; z = μ otherwise, so that the same
    history gets the same answer.

    Args:
        seed: seeds ε.
        beta: β; above 0, β · KL(N(μ, σ²) ‖ N(0, I)), averaged over the batch, joins the loss of the model that the
            layer is part of. The zoo's own models, which anneal β, add that term themselves.

    Shapes:
        In: μ and log σ², each `(batch, latent_dim)`. Out: `(batch, latent_dim)`.

    Example:
        >>> import keras
        >>> from kerasrec import layers, losses
        >>> likes = keras.Input((50,))
        >>> hidden = keras.layers.Dense(16, "tanh")(likes)
        >>> code = layers.GaussianSampling(beta=0.2)(keras.layers.Dense(4)(hidden), keras.layers.Dense(4)(hidden))
        >>> model = keras.Model(likes, keras.layers.Dense(50)(code))
        >>> model.compile("adam", losses.MultinomialNLL())  # with the KL term, `losses.NegativeELBO(beta=0.2)`

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2014.
    """

    def __init__(self, seed: int | None = None, beta: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_at_least(0, beta=beta)
        self.seed = seed
        self.beta = beta
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, mean: Tensor, log_var: Tensor, training: bool = False) -> Tensor:
        if self.beta:
            self.add_loss(self.beta * ops.mean(gaussian_kl(mean, log_var)))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(log_var / 2) * noise

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed, "beta": self.beta}


@public
class NextItemLogits(Logits):
    """An output layer over a catalogue, which can also tell the loss of many steps without all of their logits.

    f_t = h_t W + b; given ids as well, -Σ_t Σ_{j=1..k} log softmax(f_t)_{item_{t+j}} over the whole
    batch: the loss of predicting at each step the next `k` items.

    Args:
        units: number of items.
        activation: none, as softmax is part of the loss; another is refused.
        **kwargs: as in `keras.layers.Dense`, with float32 for the default dtype.

    Shapes:
        In: h `(…, dim)`; for the loss h `(batch, length, dim)` and ids `(batch, length)` with all
        padding (-1) behind. Out: logits `(…, units)`; for the loss a scalar.
    """

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
        states, factors = ops.reshape(hidden, (-1, kernel.shape[0])), "bfloat16" if trains_in_bfloat16() else "float32"
        return sum_of_log_partitions(states, kernel, bias, n_targets, factors=factors) - own

    def compute_output_shape(self, hidden_shape: Any, ids_shape: Any = None) -> tuple[int | None, ...]:
        return (*hidden_shape[:-1], self.units) if ids_shape is None else ()


def sum_of_next(values: Tensor, k: int) -> Tensor:
    """Σ_{j=1..k} values[:, t + j] at each t; `values` is `(batch, length, …)` and counts 0 beyond its end."""

    def sum_of_others(values: Tensor, before: bool) -> Tensor:
        length = ops.shape(values)[1]
        padded = ops.pad(values, [[0, 0], [k, 0] if before else [0, k]] + [[0, 0]] * (len(values.shape) - 2))
        total = ops.zeros_like(values)
        for j in range(k) if before else range(1, k + 1):
            total = total + padded[:, j : j + length]
        return total

    @custom_gradient
    def total(values: Tensor) -> tuple[Tensor, Any]:
        def gradient(above: Tensor) -> Tensor:
            # Each value counted for the k steps before it; TensorFlow's own would hold a copy of all values for each.
            return sum_of_others(above, before=True)

        return sum_of_others(values, before=False), gradient

    return total(values)
