"""A softmax over a large catalogue, estimated from the items of a batch and a sample of the others."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.indexing import gather_rows
from kerasrec.ops.ranking import EXCLUDED_SCORE
from kerasrec.ops.sparse_rows import SparseRows
from kerasrec.types import Tensor


class SampledItems(NamedTuple):
    """Items sampled for a batch.

    Attributes:
        items: int32 `(n,)`, columns in ascending order; a column may occur more than once.
        expected: float32 `(n,)`, the expected number of occurrences of each: n q_s.
    """

    items: Tensor
    expected: Tensor


def sample_items(observed: SparseRows, n_items: int, n: int, seed: keras.random.SeedGenerator) -> SampledItems:
    """Samples items for a batch, half of them from its own entries, half from the whole catalogue.

    The expected number of occurrences of item s is

        n q_s = n/2 · (share of s in the batch's entries) + n/2 · 1/n_items

    Popular items, which have most of the softmax's mass, are sampled often, and no item has probability 0. The expected
    value of Σ_s g(s) / (n q_s) over the sample is Σ_i g(i), for any g. Each half is stratified (one item from each of
    n/2 equal strata), so the estimate is at least as precise as one of independent samples.

    Args:
        observed: the batch's entries.
        n_items: size of the catalogue.
        n: size of the sample. If it is `n_items` or more, the sample is every item once.
        seed: the source of randomness.
    """
    if n >= n_items:
        return SampledItems(ops.arange(n_items, dtype="int32"), ops.ones((n_items,)))
    is_entry = observed.mask > 0
    entries = ops.sort(ops.where(is_entry, observed.columns, n_items))  # padding is sorted to the end
    entries = ops.concatenate([entries, ops.full((1,), n_items, "int32")], axis=0)
    n_entries = ops.maximum(ops.sum(ops.cast(is_entry, "int32")), 1)
    half = n // 2
    uniform = keras.random.uniform((n,), dtype="float32", seed=seed)
    from_entries = ops.take(entries, _one_per_stratum(uniform[:half], n_entries))
    from_catalogue = _one_per_stratum(uniform[half:], ops.convert_to_tensor(n_items))
    items = ops.sort(ops.minimum(ops.concatenate([from_entries, from_catalogue], axis=0), n_items - 1))
    counts = ops.cast(ops.searchsorted(entries, items, side="right") - ops.searchsorted(entries, items), "float32")
    return SampledItems(items, half * counts / ops.cast(n_entries, "float32") + (n - half) / n_items)


def _one_per_stratum(uniform: Tensor, total: Tensor) -> Tensor:
    """One of the integers 0 … total - 1 from each of m equal strata, int32 `(m,)`; `uniform` `(m,)` in [0, 1)."""
    m = uniform.shape[0]
    stratum = ops.arange(m, dtype="int32")
    # stratum · total can overflow int32, and float32 does not represent every integer above 16,777,216.
    remainder = ops.cast(stratum, "float32") * (ops.cast(total % m, "float32") / m)
    offset = ops.cast(ops.floor(remainder + uniform * (ops.cast(total, "float32") / m)), "int32")
    return ops.minimum(stratum * (total // m) + offset, total - 1)


def dot_products(hidden: Tensor, observed: SparseRows, vectors: Tensor) -> Tensor:
    """h_row · v of each entry, `(n,)`, from h `(n_rows, dim)` and one v per entry, `(n, dim)`."""

    @custom_gradient
    def dot(hidden: Tensor, vectors: Tensor) -> tuple[Tensor, Any]:
        of_entries = observed.broadcast_to_entries(hidden)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            upstream = ops.expand_dims(upstream, 1)
            return observed.row_sums(upstream * vectors), upstream * of_entries

        return ops.sum(of_entries * vectors, axis=1), gradient

    return dot(hidden, vectors)


def is_observed(items: Tensor, observed: SparseRows) -> Tensor:
    """Whether each row has an entry for each item, boolean `(n_rows, n)`; costs n_rows · n plus the entries.

    Args:
        items: `(n,)` in ascending order.
        observed: the entries of the rows.
    """
    # Each entry adds 1 where its item first occurs in `items` and subtracts 1 behind the last occurrence.
    width = items.shape[0] + 1
    starts, ends = (
        observed.rows * width + ops.cast(ops.searchsorted(items, observed.columns, side=side), "int32")
        for side in ("left", "right")
    )
    ones = ops.cast(observed.mask, "int32")
    places, steps = ops.concatenate([starts, ends], axis=0), ops.concatenate([ones, -ones], axis=0)
    steps = ops.segment_sum(steps, places, num_segments=observed.n_rows * width)
    return ops.cumsum(ops.reshape(steps, (observed.n_rows, width)), axis=1)[:, :-1] > 0


def sampled_multinomial_nll(
    hidden: Tensor, observed: SparseRows, kernel: keras.Variable, bias: keras.Variable, sample: SampledItems
) -> Tensor:
    """-Σ_i x_ui (f_ui - log Z_u) of each row, with an estimate of Z_u: see `kerasrec.layers.SampledLogits`.

    Args:
        hidden: h, float32 `(n_rows, dim)`.
        observed: the likes x, each column at most once in a row.
        kernel: W, float32 `(n_items, dim)`.
        bias: b, float32 `(n_items,)`.
        sample: from `sample_items`.

    Returns:
        float32 `(n_rows,)`.
    """
    is_entry = observed.mask > 0
    liked = dot_products(hidden, observed, gather_rows(kernel, observed.columns)) + gather_rows(bias, observed.columns)
    sampled = ops.matmul(hidden, ops.transpose(gather_rows(kernel, sample.items))) + gather_rows(bias, sample.items)
    sampled = sampled - ops.log(sample.expected)  # (n_rows, n)
    liked_or_excluded = ops.where(is_entry, liked, EXCLUDED_SCORE)
    highest = ops.segment_max(liked_or_excluded, observed.rows, num_segments=observed.n_rows)
    highest = ops.stop_gradient(ops.maximum(ops.max(sampled, axis=1), highest))
    sampled = ops.where(is_observed(sample.items, observed), EXCLUDED_SCORE, sampled)
    partition = ops.sum(ops.exp(sampled - ops.expand_dims(highest, 1)), axis=1)
    partition = partition + observed.row_sums(ops.exp(liked_or_excluded - observed.broadcast_to_entries(highest)))
    return observed.counts * (ops.log(partition) + highest) - observed.row_sums(ops.where(is_entry, liked, 0.0))


def sampled_sum_of_squares(kernel: keras.Variable, sample: SampledItems) -> Tensor:
    """An estimate of Σ_i ‖W_i‖² over the whole catalogue; W `(n_items, dim)`, summed in float32."""
    rows = ops.cast(gather_rows(kernel, sample.items), "float32")
    return ops.sum(ops.sum(ops.square(rows), axis=1) / sample.expected)
