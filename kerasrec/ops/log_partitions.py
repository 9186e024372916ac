"""Log-partition functions of many softmaxes over one catalogue, without all of their logits at once."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasrec.ops.gradients import custom_gradient
from kerasrec.types import Tensor


def sum_of_log_partitions(
    hidden: Tensor, kernel: Tensor, bias: Tensor, weights: Tensor, block: int = 512, factors: str = "float32"
) -> Tensor:
    """Σ_t w_t · log Σ_i exp(h_t · W_i + b_i): the normalisers of many softmaxes over one catalogue.

    Computes the logits of `block` rows at a time, and the gradient along with them. The memory therefore does not grow
    with the number of rows times the size of the catalogue. Rows of weight 0 cost nothing.

    Args:
        hidden: h, float32 `(n, units)`.
        kernel: W, float32 `(units, n_items)`.
        bias: b, float32 `(n_items,)`.
        weights: w, float32 `(n,)`; treated as constants by the gradient.
        block: rows at a time.
        factors: dtype of the factors of matrix products, `"float32"` or `"bfloat16"`. Everything else is float32.

    Returns:
        A float32 scalar.
    """

    def product(left: Tensor, right: Tensor) -> Tensor:
        return ops.cast(ops.matmul(ops.cast(left, factors), ops.cast(right, factors)), "float32")

    n = ops.shape(hidden)[0]
    # Row n is added with weight 0. It fills the last block.
    weights = ops.pad(weights, [[0, 1]])
    used_first = ops.argsort(ops.cast(weights[:-1] == 0, "int32"))
    order = ops.concatenate([ops.cast(used_first, "int32"), ops.full((block,), n, dtype="int32")], axis=0)
    n_used = ops.sum(ops.cast(weights != 0, "int32"))

    @custom_gradient
    def total(hidden: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        hidden = ops.pad(hidden, [[0, 1], [0, 0]])
        kernel_factors, transposed_factors = ops.cast(kernel, factors), ops.cast(ops.transpose(kernel), factors)

        def add_block(
            i: Tensor, value: Tensor, d_hidden: Tensor, d_kernel: Tensor, d_bias: Tensor
        ) -> tuple[Tensor, ...]:
            places = ops.slice(order, (i * block,), (block,))
            rows, weight = ops.take(hidden, places, axis=0), ops.expand_dims(ops.take(weights, places), 1)
            logits = product(rows, kernel_factors) + bias  # (block, n_items)
            highest = ops.max(logits, axis=1, keepdims=True)
            softmax = ops.exp(logits - highest)
            partition = ops.sum(softmax, axis=1, keepdims=True)
            softmax = softmax * (weight / partition)
            return (
                i + 1,
                value + ops.sum(weight * (ops.log(partition) + highest)),
                ops.scatter_update(d_hidden, ops.expand_dims(places, 1), product(softmax, transposed_factors)),
                d_kernel + product(ops.transpose(rows), softmax),
                d_bias + ops.sum(softmax, axis=0),
            )

        start = (
            ops.zeros((), "int32"),
            ops.zeros((), "float32"),
            ops.zeros_like(hidden),
            ops.zeros_like(kernel),
            ops.zeros_like(bias),
        )
        _, value, *gradients = ops.while_loop(lambda i, *_: i * block < n_used, add_block, start)

        def gradient(upstream: Tensor) -> tuple[Tensor, ...]:
            d_hidden, d_kernel, d_bias = gradients
            return upstream * d_hidden[:-1], upstream * d_kernel, upstream * d_bias

        return value, gradient

    return total(hidden, kernel, bias)
