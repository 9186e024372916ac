"""The output layer over a large catalogue, with a sampled softmax loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.ops.sampled_softmax import SampledItems, sample_items, sampled_multinomial_nll
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids
from kerasrec.types import Tensor
from kerasrec.validation import as_int_at_least


@public
class SampledLogits(keras.layers.Layer):
    """An output layer over a large catalogue that estimates a multinomial loss from a sample of the items.

    f = h · kernelᵀ + bias. `nll` returns for each row

        -Σ_i x_ui (f_ui - log Z_u),   Z_u = Σ_{i: x_ui = 1} exp f_ui + Σ_{s ∈ S: x_us = 0} exp f_us / (n q_s)

    S are the n sampled items, shared by the rows of a batch, and n q_s is how often item s is expected in S. The
    expected value of Z_u is the partition function of the full softmax, and the loss converges to the full softmax
    loss as n grows; with every item in S the two are equal. The cost grows with the number of entries and with
    rows · n, not with the size of the catalogue. The items are the rows of the kernel; the gradient holds only the
    rows of the batch's entries and of S (`tf.IndexedSlices`; on JAX and under XLA it is dense).

    Args:
        units: number of items.
        n_sampled: n, the number of items to sample for each batch.
        kernel_initializer: as in `keras.layers.Dense`.
        bias_initializer: as in `keras.layers.Dense`.
        seed: seed of the sampling.
        activation: None. Softmax is part of the loss.
        **kwargs: as in `keras.layers.Layer`. The default `dtype` is float32.

    Shapes:
        In: h `(batch, dim)`. Out: logits `(batch, units)`, float32. `nll`: `(batch,)`, float32.

    Raises:
        ValueError: `n_sampled` is below 2 (half of the sample comes from the batch's entries), or `activation` is
            not None.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import SampledLogits
        >>> layer = SampledLogits(1000, n_sampled=100, seed=1)
        >>> hidden, ids = np.ones((2, 8), np.float32), np.array([[3, 14, 15], [92, -1, -1]])
        >>> layer(hidden).shape
        TensorShape([2, 1000])
        >>> layer.nll(hidden, ids).shape
        TensorShape([2])

    Differs from its sources in: half of S is drawn from the batch's own entries, that is by popularity, without a
    table of it, and half uniformly; the items of a row count once, exactly.

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
        if activation is not None:
            raise ValueError(f"`activation`: expected None, got {activation!r}. Softmax is part of the loss")
        self.units = as_int_at_least(1, units=units)
        self.n_sampled = as_int_at_least(2, n_sampled=n_sampled)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        shape = (self.units, input_shape[-1])
        self.kernel = self.add_weight(shape, self.kernel_initializer, autocast=False, name="kernel")
        self.bias = self.add_weight(shape[:1], self.bias_initializer, autocast=False, name="bias")

    def call(self, inputs: Tensor) -> Tensor:
        logits = ops.matmul(ops.cast(inputs, "float32"), ops.transpose(self.kernel)) + self.bias
        return ops.cast(logits, self.compute_dtype)

    def draw(self, rows: SparseRows | Tensor | None) -> SampledItems:
        """A sample of items for a batch, half from its entries and half uniform.

        Args:
            rows: the batch's entries, or ids `(batch, length)` padded with -1.
        """
        return sample_items(_as_sparse_rows(rows), self.units, self.n_sampled, self.seed_generator)

    def nll(self, hidden: Tensor, rows: SparseRows | Tensor | None, sample: SampledItems | None = None) -> Tensor:
        """The estimated negative multinomial log-likelihood of each row, `(batch,)`.

        Args:
            hidden: h, `(batch, dim)`.
            rows: the likes, or their ids `(batch, length)` padded with -1.
            sample: the result of `draw`. If omitted, a new sample is drawn.
        """
        if not self.built:
            self.build(hidden.shape)
        rows = _as_sparse_rows(rows)
        sample = self.draw(rows) if sample is None else sample
        return sampled_multinomial_nll(ops.cast(hidden, "float32"), rows, self.kernel, self.bias, sample)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        config = {
            "units": self.units,
            "n_sampled": self.n_sampled,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }
        return {**super().get_config(), **config}


def _as_sparse_rows(rows: Any) -> SparseRows:
    if isinstance(rows, SparseRows):
        return rows
    is_dense = isinstance(rows, DenseRows) or rows is None
    if is_dense or keras.backend.is_float_dtype(keras.backend.standardize_dtype(rows.dtype)):
        raise ValueError("sampled softmax: expected batches of ids, got dense rows. Fix: pass `Interactions` to `fit`")
    return from_padded_ids(rows)
