"""From scores to ranked lists: exclusion of items, top-K and hits, all in float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from keras import ops

from kerasrec.ops.sparse_rows import DenseRows, SparseRows, from_padded_ids
from kerasrec.types import IntArray, Tensor

EXCLUDED_SCORE = float("-inf")
"""The score of an excluded item. A finite number could be above a low logit."""

MISSING_SCORE = float(np.finfo(np.float32).min)
"""The score of a place without an item, at the end of a list. It sorts last, and JSON has no infinite numbers."""


class Ranking(NamedTuple):
    """The top `k` of each row, best first, compared with the held-out columns.

    Attributes:
        items: int32 `(batch, k)`, columns; the last entries are -1 if fewer than `k` columns can be ranked.
        hits: float32 `(batch, k)`, 1 if the column is held out and 0 otherwise.
        relevant: float32 `(batch,)`, number of held-out columns of the row.
    """

    items: Tensor
    hits: Tensor
    relevant: Tensor


def exclude(scores: Tensor, ids: Tensor) -> Tensor:
    """`scores` `(batch, n)` with -inf at `ids` `(batch, length)`, which are padded with -1."""
    return from_padded_ids(ids).scatter_add(ops.cast(scores, "float32"), EXCLUDED_SCORE)


def top_k(scores: Tensor, k: Tensor, places: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The `k` best columns of each row and their scores, best first.

    Args:
        scores: `(batch, n)`. NaN counts as -inf.
        k: length of the lists, at most n.
        places: `(n,)` float32, an order of the columns: of equal scores, the one with the lower place is better.
            Default: the number of the column.

    Returns:
        Columns int32 `(batch, k)`, -1 if the score is -inf, and scores float32 `(batch, k)`.
    """
    scores = ops.cast(scores, "float32")
    # TensorFlow would rank NaN by column, so a diverged model could look good. The sum is NaN if any score is NaN (or
    # if both infinities occur), and costs only one pass.
    scores = ops.cond(
        ops.isnan(ops.sum(scores)), lambda: ops.where(ops.isnan(scores), EXCLUDED_SCORE, scores), lambda: scores
    )
    if places is None:
        best, columns = ops.top_k(scores, k, sorted=True)
        columns = ops.cast(columns, "int32")
    else:
        best, columns = _top_k_by_place(scores, k, places)
    return ops.where(best == EXCLUDED_SCORE, -1, columns), best


def finite(scores: Tensor) -> Tensor:
    """float32 scores with -inf and NaN as the lowest, and inf as the highest float32."""
    scores = ops.cast(scores, "float32")
    return ops.clip(ops.where(ops.isnan(scores), MISSING_SCORE, scores), MISSING_SCORE, -MISSING_SCORE)


def hashed_order(n: int) -> IntArray:
    """The columns 0 to n - 1, int32, in an order that depends on nothing but n and looks random (Knuth's hash)."""
    hashes = np.arange(1, n + 1, dtype=np.uint64) * 2654435761 % 2**32
    return np.argsort(hashes, kind="stable").astype(np.int32)


def top_k_with_hashed_ties(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`top_k` with columns of equal score in `hashed_order` instead of ascending order.

    In many tables the first columns are popular items, so ties in ascending order would reward a constant model.

    Args:
        scores: `(batch, n)`. NaN counts as -inf.
        k: length of the lists, at most n.
    """
    n = scores.shape[-1]
    items, best = top_k(scores, min(k + 1, n))  # one more shows whether the last place has a tie
    is_tie = ops.logical_and(best[:, 1:] == best[:, :-1], best[:, 1:] > EXCLUDED_SCORE)
    order = ops.convert_to_tensor(hashed_order(n))

    def by_hash() -> tuple[Tensor, Tensor]:
        places, best = top_k(ops.take(scores, order, axis=1), k)
        return ops.where(places < 0, -1, ops.take(order, ops.maximum(places, 0))), best

    result: tuple[Tensor, Tensor] = ops.cond(ops.any(is_tie), by_hash, lambda: (items[:, :k], best[:, :k]))
    return result


def popular_if_unknown(scores: Tensor, is_unknown: Tensor, counts: Tensor) -> Tensor:
    """`scores` `(batch, n)`, in unknown rows (`is_unknown` `(batch,)`) replaced with the `counts` `(n,)` of the items.

    Without unknown rows, which is the usual case, there is no pass over `(batch, n)`.
    """
    scores = ops.cast(scores, "float32")
    return ops.cond(
        ops.any(is_unknown), lambda: ops.where(ops.expand_dims(is_unknown, 1), counts, scores), lambda: scores
    )


def _top_k_by_place(scores: Tensor, k: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """`top_k`, with equal scores in the order of `places`. Without equal scores it costs as much as `ops.top_k`."""
    n = scores.shape[-1]
    # One more than k, because the next score can be equal to the last one of the list.
    width = min(k + 1, n) if isinstance(k, int) else ops.minimum(k + 1, n)
    best, columns = ops.top_k(scores, width, sorted=True)
    columns = ops.cast(columns, "int32")
    last, following = best[:, k - 1], best[:, width - 1]
    ends_in_tie = ops.logical_and(ops.any((last == following) & (last > EXCLUDED_SCORE)), width > k)

    def chosen_by_place() -> tuple[Tensor, Tensor]:
        threshold = ops.expand_dims(last, 1)
        order = ops.where(scores > threshold, 1.0, ops.where(scores == threshold, -places, EXCLUDED_SCORE))
        chosen = ops.cast(ops.top_k(order, k)[1], "int32")
        return ops.take_along_axis(scores, chosen, axis=1), chosen

    best, columns = ops.cond(ends_in_tie, chosen_by_place, lambda: (best[:, :k], columns[:, :k]))
    has_ties = ops.logical_or(ends_in_tie, ops.any((best[:, 1:] == best[:, :-1]) & (best[:, 1:] > EXCLUDED_SCORE)))

    def sorted_by_place() -> tuple[Tensor, Tensor]:
        by_place = ops.argsort(ops.take(places, columns), axis=1)
        by_score = ops.argsort(-ops.take_along_axis(best, by_place, axis=1), axis=1)  # a stable sort
        order = ops.take_along_axis(by_place, by_score, axis=1)
        return ops.take_along_axis(best, order, axis=1), ops.take_along_axis(columns, order, axis=1)

    return ops.cond(has_ties, sorted_by_place, lambda: (best, columns))


def rank(scores: Tensor, relevance: Tensor | SparseRows | DenseRows, k: int) -> Ranking:
    """Ranks the columns of each row and marks the hits. Columns of equal score have a fixed random order.

    Args:
        scores: `(batch, n)`, -inf for excluded columns.
        relevance: `(batch, n)`, above 0 for held-out columns; or the held-out entries from
            `kerasrec.ops.sparse_rows.observed_rows`, which avoids most passes over `(batch, n)`.
        k: length of the lists. If it exceeds n, the remaining places have -1 and no hit.
    """
    scores = ops.convert_to_tensor(scores)
    if isinstance(relevance, SparseRows):
        held_out = relevance.with_values(relevance.mask).dense(scores.shape[-1], dtype="uint8")
        relevant = relevance.counts
    else:
        dense = relevance.mask if isinstance(relevance, DenseRows) else ops.convert_to_tensor(relevance, "float32")
        held_out = ops.cast(dense > 0, "float32")
        relevant = ops.sum(held_out, axis=-1)
    items, best = top_k_with_hashed_ties(scores, min(k, scores.shape[-1]))
    hits = ops.cast(ops.take_along_axis(held_out, ops.maximum(items, 0), axis=-1), "float32")
    hits = ops.where(best == EXCLUDED_SCORE, 0.0, hits)
    n_missing = k - items.shape[-1]
    if n_missing > 0:
        items = ops.pad(items, [[0, 0], [0, n_missing]], constant_values=-1)
        hits = ops.pad(hits, [[0, 0], [0, n_missing]])
    return Ranking(items, hits, relevant)
