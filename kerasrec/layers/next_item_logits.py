"""The output layer of sequence models over a catalogue."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasrec._registry import public
from kerasrec.layers.dense import Logits
from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.log_partitions import sum_of_log_partitions
from kerasrec.types import Tensor


@public
class NextItemLogits(Logits):
    """An output layer over a catalogue that computes the loss of many steps without storing all their logits.

    f_t = h_t W + b. `nll` returns -Σ_t Σ_{j=1..k} log softmax(f_t)_{item_{t+j}} of each row: the loss of predicting
    at each step the next `k` items.

    Args:
        units: number of items.
        activation: None. Softmax is part of the loss.
        product_dtype: as in `Logits`.
        **kwargs: as in `keras.layers.Dense`. The default `dtype` is float32.

    Shapes:
        In: h `(…, dim)`. Out: logits `(…, units)`.
    """

    def nll(self, hidden: Tensor, ids: Tensor, k: int = 1, row_weights: Tensor = None) -> Tensor:
        """The weighted sum over the rows of -Σ_t Σ_{j=1..k} log softmax(f_t)_{item_{t+j}}, a scalar.

        Args:
            hidden: h, `(batch, length, dim)`.
            ids: `(batch, length)`, with all padding (-1) at the end.
            k: number of next items that each step predicts.
            row_weights: `(batch,)`, 1 if omitted.
        """
        if not self.built:
            self.build(hidden.shape)
        # Copies, because custom gradients on TensorFlow take tensors, not variables.
        kernel, bias = ops.copy(self.kernel), ops.copy(self.bias)
        # log softmax(f)_i = f_i - log Σ_j exp f_j, and only the second term needs the logits of all items.
        weights = ops.cast(ids >= 0, "float32")
        if row_weights is not None:
            weights = weights * ops.expand_dims(ops.cast(row_weights, "float32"), 1)
        columns = ops.maximum(ids, 0)
        target_kernels = ops.take(ops.transpose(kernel), columns, axis=0) * ops.expand_dims(weights, -1)
        target_logits = ops.sum(hidden * sum_of_next(target_kernels, k))
        target_logits = target_logits + ops.sum(sum_of_next(ops.take(bias, columns) * weights, k))
        n_targets = ops.reshape(sum_of_next(weights, k), (-1,))
        states = ops.reshape(hidden, (-1, kernel.shape[0]))
        dtype = self.product_dtype or "float32"
        return sum_of_log_partitions(states, kernel, bias, n_targets, factors=dtype) - target_logits

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)


def sum_of_next(values: Tensor, k: int) -> Tensor:
    """Σ_{j=1..k} values[:, t + j] at each t. `values` is `(batch, length, …)` and counts as 0 beyond its end."""

    def sum_of_neighbours(values: Tensor, before: bool) -> Tensor:
        length = ops.shape(values)[1]
        padded = ops.pad(values, [[0, 0], [k, 0] if before else [0, k]] + [[0, 0]] * (len(values.shape) - 2))
        total = ops.zeros_like(values)
        for j in range(k) if before else range(1, k + 1):
            total = total + padded[:, j : j + length]
        return total

    @custom_gradient
    def total(values: Tensor) -> tuple[Tensor, Any]:
        def gradient(upstream: Tensor) -> Tensor:
            # Each value counts for the k steps before it. TensorFlow's own gradient would copy all values k times.
            return sum_of_neighbours(upstream, before=True)

        return sum_of_neighbours(values, before=False), gradient

    return total(values)
