"""Re-ranking for diverse lists. https://doi.org/10.1145/290941.291025."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasrec.ops.ranking import EXCLUDED_SCORE, top_k
from kerasrec.types import Tensor

POOL = 500
"""The best items of a row, from which a diverse list is selected. Longer lists have a pool of their own length."""


def diverse_top_k(
    scores: Tensor, k: Tensor, vectors: Tensor, strength: Any, places: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The `k` columns of each row that maximal marginal relevance selects, in the order of selection.

    From the 500 best columns, it selects one after the other the column with the highest

        (1 - strength) · relevance - strength · (highest similarity to a selected column)

    Relevance is the score, scaled to [0, 1] within the pool. Strength 0 gives the list of `top_k`.

    Args:
        scores: `(batch, n)`, -inf for excluded columns.
        k: length of the lists, at most n.
        vectors: `(n, dim)` with rows of length 1; the similarity of two columns is their product.
        strength: 0 to 1.
        places: the order of equal scores; see `top_k`.

    Returns:
        Columns int32 `(batch, k)`, -1 at the end of a list with fewer columns, and their scores float32 `(batch, k)`.

    Source: Carbonell and Goldstein, The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
    Summaries, SIGIR 1998.
    """
    n = scores.shape[-1]
    pool = min(n, max(POOL, k)) if isinstance(k, int) else ops.minimum(n, ops.maximum(POOL, k))
    columns, best = top_k(scores, pool, places)
    is_valid = columns >= 0
    n_valid = ops.sum(ops.cast(is_valid, "int32"), axis=1, keepdims=True)
    lowest = ops.min(ops.where(is_valid, best, float("inf")), axis=1, keepdims=True)
    spread = best[:, :1] - lowest
    relevance = ops.where(is_valid, (best - lowest) / ops.where(spread > 0, spread, 1.0), 0.0)
    rows = ops.take(vectors, ops.maximum(columns, 0), axis=0)  # (batch, pool, dim)
    pool_places, list_places = ops.arange(pool, dtype="int32"), ops.arange(k, dtype="int32")

    def select(step: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        selected, similarity, is_open = state
        value = ops.where(is_open, (1.0 - strength) * relevance - strength * similarity, EXCLUDED_SCORE)
        place = ops.expand_dims(ops.cast(ops.argmax(value, axis=1), "int32"), 1)
        row = ops.take_along_axis(rows, ops.expand_dims(place, 2), axis=1)  # (batch, 1, dim)
        similarity = ops.maximum(similarity, ops.sum(rows * row, axis=2))
        selected = ops.where(list_places == ops.cast(step, "int32"), place, selected)
        return selected, similarity, ops.logical_and(is_open, pool_places != place)

    first = ops.zeros_like(n_valid) + 0 * list_places  # (batch, k)
    selected, _, _ = ops.fori_loop(0, k, select, (first, ops.zeros_like(best), is_valid))
    in_list = list_places < n_valid
    columns = ops.where(in_list, ops.take_along_axis(columns, selected, axis=1), -1)
    return columns, ops.where(in_list, ops.take_along_axis(best, selected, axis=1), EXCLUDED_SCORE)
