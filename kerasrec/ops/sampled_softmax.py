"""A softmax over a large catalogue from the items of a batch and a sample of the others."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.ranking import NOTHING
from kerasrec.ops.sparse_rows import SparseRows
from kerasrec.types import Tensor


class Sample(NamedTuple):
    """Items drawn for a batch.

    Attributes:
        items: int32 `(n,)`, their columns in ascending order; one may stand there more than once.
        expected: float32 `(n,)`, how often each was to be expected: n q_s.
    """

    items: Tensor
    expected: Tensor


def draw(observed: SparseRows, n_items: int, n: int, seed: keras.random.SeedGenerator) -> Sample:
    """Draws items for a batch, half of them from its own entries, half from the whole catalogue.

    Item s comes n q_s = n/2 · (share of s in the batch's entries) + n/2 · 1/n_items times in the mean:
    often where it is popular, as the softmax has most of its mass there, and never with probability 0.
    Σ_s g(s) / (n q_s) over the sample is then Σ_i g(i) in the mean, for any g. Each half is
    stratified (one item from each of n/2 equal parts), which estimates no worse than independent draws.

    Args:
        observed: the batch's entries.
        n_items: size of the catalogue.
        n: how many; `n_items` or more take every item, once.
        seed: draws them.
    """
    if n >= n_items:
        return Sample(ops.arange(n_items, dtype="int32"), ops.ones((n_items,)))
    known = observed.known > 0
    own = ops.sort(ops.where(known, observed.columns, n_items))  # what padding is left comes last
    own = ops.concatenate([own, ops.full((1,), n_items, "int32")], axis=0)
    n_own = ops.maximum(ops.sum(ops.cast(known, "int32")), 1)
    half = n // 2
    jitter = keras.random.uniform((n,), seed=seed)
    items = ops.concatenate(
        [ops.take(own, _stratified(jitter[:half], n_own)), _stratified(jitter[half:], ops.convert_to_tensor(n_items))],
        axis=0,
    )
    items = ops.sort(ops.minimum(items, n_items - 1))
    times = ops.cast(ops.searchsorted(own, items, side="right") - ops.searchsorted(own, items), "float32")
    return Sample(items, half * times / ops.cast(n_own, "float32") + (n - half) / n_items)


def _stratified(jitter: Tensor, total: Tensor) -> Tensor:
    """One of 0 … total - 1 from each of as many equal parts as there are numbers in `jitter`, int32 `(m,)`."""
    m = jitter.shape[0]
    place = ops.arange(m, dtype="int32")
    # place · total may be more than 32 bits hold, and float32 does not tell items beyond 16 millions apart.
    rest = ops.cast(place, "float32") * (ops.cast(total % m, "float32") / m) + jitter * (ops.cast(total, "float32") / m)
    return ops.minimum(place * (total // m) + ops.cast(ops.floor(rest), "int32"), total - 1)


def rows_of(weight: keras.Variable, columns: Tensor) -> Tensor:
    """`weight[columns]`; on TensorFlow the cost of it and its gradient's size grow with the columns alone."""
    if keras.backend.backend() != "tensorflow":
        return ops.take(weight, columns, axis=0)
    import tensorflow as tf

    return tf.gather(weight.value, columns)  # `ops.take` would read, and once it was updated by rows copy, all of it


def products(hidden: Tensor, observed: SparseRows, vectors: Tensor) -> Tensor:
    """h_row · v of each entry, `(n,)`, from h `(batch, dim)` and v `(n, dim)`."""

    @custom_gradient
    def dot(hidden: Tensor, vectors: Tensor) -> tuple[Tensor, Any]:
        own = observed.broadcast_to_entries(hidden)

        def gradient(above: Tensor) -> tuple[Tensor, Tensor]:
            above = ops.expand_dims(above, 1)
            return observed.row_sums(above * vectors), above * own

        return ops.sum(own * vectors, axis=1), gradient

    return dot(hidden, vectors)


def among_own(items: Tensor, observed: SparseRows) -> Tensor:
    """Whether a row's entries hold each of some items: boolean `(n_rows, n)`, at a cost of rows · n and of entries.

    Args:
        items: `(n,)` in ascending order.
        observed: the rows' entries.
    """
    width = items.shape[0] + 1
    first, beyond = (
        observed.rows * width + ops.cast(ops.searchsorted(items, observed.columns, side=side), "int32")
        for side in ("left", "right")
    )
    step = ops.cast(observed.known, "int32")
    at, step = ops.concatenate([first, beyond], axis=0), ops.concatenate([step, -step], axis=0)
    steps = ops.segment_sum(step, at, num_segments=observed.n_rows * width)
    return ops.cumsum(ops.reshape(steps, (observed.n_rows, width)), axis=1)[:, :-1] > 0


def sampled_multinomial_nll(
    hidden: Tensor, observed: SparseRows, kernel: keras.Variable, bias: keras.Variable, sample: Sample
) -> Tensor:
    """-Σ_i x_ui (f_ui - log Z_u) of each row, with Z_u estimated: see `kerasrec.layers.SampledLogits`.

    Args:
        hidden: h, float32 `(batch, dim)`.
        observed: the likes, each column once in a row.
        kernel: W, float32 `(n_items, dim)`.
        bias: b, float32 `(n_items,)`.
        sample: as `draw` gives it.

    Returns:
        float32 `(batch,)`.
    """
    known = observed.known > 0
    own = products(hidden, observed, rows_of(kernel, observed.columns)) + rows_of(bias, observed.columns)
    others = ops.matmul(hidden, ops.transpose(rows_of(kernel, sample.items))) + rows_of(bias, sample.items)
    others = others - ops.log(sample.expected)  # (batch, n)
    counted = ops.where(known, own, NOTHING)
    highest = ops.segment_max(counted, observed.rows, num_segments=observed.n_rows)
    highest = ops.stop_gradient(ops.maximum(ops.max(others, axis=1), highest))
    others = ops.where(among_own(sample.items, observed), NOTHING, others)
    partition = ops.sum(ops.exp(others - ops.expand_dims(highest, 1)), axis=1)
    partition = partition + observed.row_sums(ops.exp(counted - observed.broadcast_to_entries(highest)))
    return observed.counts * (ops.log(partition) + highest) - observed.row_sums(ops.where(known, own, 0.0))


def sum_of_squares(kernel: keras.Variable, sample: Sample) -> Tensor:
    """Σ_i ‖W_i‖² over the whole catalogue, estimated from a sample of it."""
    rows = rows_of(kernel, sample.items)
    return ops.sum(ops.sum(ops.square(rows), axis=1) / sample.expected)
