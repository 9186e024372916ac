"""From scores to ranked lists: masks, top-K, and what a list hit. All of it in float32."""

from __future__ import annotations

from typing import NamedTuple

from keras import ops

from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids
from kerasrec.types import Tensor

NOTHING = float("-inf")
"""The score of an item that must not be recommended. Any finite number can lose to a low logit."""


class Ranking(NamedTuple):
    """The best `k` of each row, best first, held against what was held out.

    Attributes:
        items: int32 `(batch, k)`, the columns.
        hits: float32 `(batch, k)`, 1 where that column was held out.
        relevant: float32 `(batch,)`, how many columns were held out in all.
    """

    items: Tensor
    hits: Tensor
    relevant: Tensor


def exclude(scores: Tensor, ids: Tensor) -> Tensor:
    """`scores` `(batch, n)` with -inf at `ids` `(batch, length)` (-1 for padding)."""
    return from_padded_ids(ids).scatter_add(ops.cast(scores, "float32"), NOTHING)


def top_k(scores: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The best `k` columns of each row and their scores, best first.

    Returns:
        Columns int32 `(batch, k)`, -1 where only excluded ones are left, and scores float32.
    """
    scores = ops.cast(scores, "float32")
    # A model that diverged must not look good: NaN would be ranked by the number of its column.
    # Their sum says in one pass whether there is one (or infinities of both signs).
    scores = ops.cond(ops.isnan(ops.sum(scores)), lambda: ops.where(ops.isnan(scores), NOTHING, scores), lambda: scores)
    best, columns = ops.top_k(scores, k, sorted=True)
    columns = ops.cast(columns, "int32")
    return ops.where(best == NOTHING, -1, columns), best


def rank(scores: Tensor, relevance: Tensor | SparseRows | DenseRows, k: int) -> Ranking:
    """Ranks each row of `scores` `(batch, n)` and marks the hits.

    Args:
        scores: what to rank by, -inf for what must not be recommended.
        relevance: `(batch, n)`, above 0 where the column was held out; or what was held out, as
            `kerasrec.ops.sparse_rows.observed_rows` has it, which saves most passes over `(batch, n)`.
        k: length of the list, at most `n` of which can be filled.
    """
    scores = ops.convert_to_tensor(scores)
    if isinstance(relevance, SparseRows):
        held_out = relevance.with_values(relevance.known).dense(scores.shape[-1], dtype="uint8")
        relevant = relevance.counts
    else:
        dense = relevance.known if isinstance(relevance, DenseRows) else ops.convert_to_tensor(relevance, "float32")
        held_out = ops.cast(dense > 0, "float32")
        relevant = ops.sum(held_out, axis=-1)
    items, best = top_k(scores, min(k, scores.shape[-1]))
    hits = ops.cast(ops.take_along_axis(held_out, ops.maximum(items, 0), axis=-1), "float32")
    hits = ops.where(best == NOTHING, 0.0, hits)
    short = k - items.shape[-1]
    if short > 0:
        items = ops.pad(items, [[0, 0], [0, short]], constant_values=-1)
        hits = ops.pad(hits, [[0, 0], [0, short]])
    return Ranking(items, hits, relevant)
