"""The best k items of each user, all at once or as a stream of tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
from keras import ops

from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.item_profiles import item_profiles
from kerasrec.data.popularity import ItemPopularity
from kerasrec.data.splits import HeldOut
from kerasrec.data.table_argument import check_table
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.inference.recommendations import Recommendations, list_table
from kerasrec.ops.diversity import diverse_top_k
from kerasrec.ops.ranking import EXCLUDED_SCORE, finite, popular_if_unknown, top_k
from kerasrec.types import Array, FloatArray, IntArray, RecommenderLike, Tensor
from kerasrec.validation import as_int_at_least


class TopK(BatchPredictor):
    """The best items `(batch, k)` without those of the history, and their scores.

    `"mask"` of the inputs is an additive mask, `(n_items,)`: 0, or -inf for excluded items. `"counts"` and `"places"`
    are the popularity of the items. Without them, equal scores are in column order, and unknown users get the scores
    of the model.
    """

    def __init__(self, model: RecommenderLike, k: int) -> None:
        super().__init__(model)
        self.k = k

    def scores(self, inputs: dict[str, Any]) -> Tensor:
        """`(batch, n_items)`, -inf for items that must not be recommended."""
        batch = self.model.with_sparse_rows(inputs["x"])
        scores = self.model(batch, training=False)
        if "counts" in inputs:
            scores = popular_if_unknown(scores, self.model.is_unknown(batch), inputs["counts"])
        allowed = self.model.mask_seen(scores, batch) + inputs["mask"]
        return ops.reshape(allowed, (-1, self.model.n_columns))  # in a graph, the length of a mask is unknown

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        items, best = top_k(self.scores(inputs), self.k, inputs.get("places"))
        return {"items": items, "scores": finite(best)}


class DiverseTopK(TopK):
    """`TopK` with lists re-ranked by `diverse_top_k`, from `"vectors"` and `"strength"` of the inputs."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        vectors, strength = inputs["vectors"], inputs["strength"]
        items, best = diverse_top_k(self.scores(inputs), self.k, vectors, strength, inputs.get("places"))
        return {"items": items, "scores": finite(best)}


def recommend(
    model: RecommenderLike,
    histories: Interactions,
    k: int = 10,
    users: Sequence[Any] | None = None,
    exclude: Sequence[Any] = (),
    candidates: Sequence[Any] = (),
    train: Interactions | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
    diversify: float = 0.0,
) -> Recommendations:
    """The best `k` items of each user; see `kerasrec.Recommender.recommend`."""
    request = _Request.checked(model, histories, k, users, exclude, candidates, train, diversify)
    table = request.histories
    padding = "" if table.item_ids.dtype.kind in "US" else -1
    lists = list(request.lists(batch_size, verbose))
    columns = np.concatenate([np.empty((0, k), np.int32), *(part.columns for part in lists)])
    scores = np.concatenate([np.empty((0, k), np.float32), *(part.scores for part in lists)])
    item_ids = np.where(columns < 0, padding, table.item_ids[columns])
    return Recommendations(item_ids, scores, table.user_ids, table.counts)


def recommend_batches(
    model: RecommenderLike,
    histories: Interactions,
    k: int = 10,
    users: Sequence[Any] | None = None,
    exclude: Sequence[Any] = (),
    candidates: Sequence[Any] = (),
    train: Interactions | None = None,
    batch_size: int | None = None,
    min_score: float | None = None,
    verbose: int = 0,
    titles: bool = False,
) -> Iterator[pa.Table]:
    """The best `k` items of many users, as a stream of Arrow tables.

    The memory does not grow with the number of users. `kerasrec.inference.write_recommendations` writes the stream to
    a file.

    Args:
        model: a trained model.
        histories: the users' histories, with the catalogue of the training table.
        k: number of items, 1 to the size of the catalogue.
        users: ids of the users, in the order of the result. Default: all users of `histories`.
        exclude: ids of items that must not be recommended.
        candidates: ids of the only items that may be recommended. Default: all.
        train: the training table, for models with weights per user; see `kerasrec.Recommender.recommend`.
        batch_size: users per batch, and in each table. Default: the model's.
        min_score: items with a lower score are left out. Unknown users then get no items, because the popular items
            that they get otherwise have numbers of users instead of scores of the model.
        verbose: 1 shows a progress bar if it takes longer than two seconds.
        titles: whether to add the column `title`.

    Yields:
        Tables with the columns `user_id`, `rank` (from 1), `item_id`, `score` and, with `titles`, `title`. The ids
        and titles are dictionary-encoded.

    Raises:
        TypeError: `histories` is not `Interactions`.
        ValueError: `k` is out of range, an id is unknown, the model was trained on another table than `train`, or
            `titles` is True and `train` (without it, `histories`) has no titles.

    Example:
        >>> from kerasrec import EASE, generate
        >>> from kerasrec.inference import recommend_batches
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASE(table.n_items, reg=10.0)
        >>> _ = model.fit(table, verbose=0)
        >>> [len(lists) for lists in recommend_batches(model, table, k=5, batch_size=40)]
        [200, 200, 100]
    """
    if min_score is not None and math.isnan(min_score):
        raise ValueError("`min_score`: expected a number, got nan")
    request = _Request.checked(
        model, histories, k, users, exclude, candidates, train, popular_if_unknown=min_score is None
    )
    catalogues = {"item_ids": pa.array(request.histories.item_ids)}
    if titles:
        catalogues["titles"] = _title_catalogue(histories if train is None else train)
    lowest = np.float32(EXCLUDED_SCORE if min_score is None else min_score)

    def encoded(columns: IntArray) -> dict[str, pa.DictionaryArray]:
        places = pa.array(columns.astype(np.int32, copy=False))
        return {name: pa.DictionaryArray.from_arrays(places, values) for name, values in catalogues.items()}

    def tables() -> Iterator[pa.Table]:  # apart from the checks, which a generator would delay
        if not request.histories.n_users:
            none = np.zeros((0, request.k), np.float32)
            yield list_table(request.histories.user_ids, none > 0, none, **encoded(np.zeros(0, np.int32)))
        for part in _one_ahead(request.lists(batch_size, verbose)):
            valid = (part.columns >= 0) & (part.scores >= lowest)
            yield list_table(request.histories.user_ids[part.rows], valid, part.scores, **encoded(part.columns[valid]))

    return tables()


def _title_catalogue(table: Interactions) -> pa.Array:
    if table.item_titles is None:
        raise ValueError("`titles`: expected data with titles of the items, got none. Fix: leave `titles` out")
    return pa.array(table.item_titles)


def _one_ahead(lists: Iterator[_Lists]) -> Iterator[_Lists]:
    """The same lists. The next ones are computed in a thread while the caller works on the present ones."""
    first = next(lists, None)  # in this thread, which traces the graph
    if first is None:
        return
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(next, lists, None)
        yield first
        while (part := future.result()) is not None:
            future = executor.submit(next, lists, None)
            yield part


class _Lists(NamedTuple):
    """The lists of some users: their rows in the table, columns and scores `(n_users, k)`."""

    rows: slice
    columns: IntArray
    scores: FloatArray


@dataclass(frozen=True)
class _Request:
    """The checked arguments of `recommend`.

    Attributes:
        model: a model with users as rows.
        histories: the users of the result.
        rows: their rows in the training table, or `None` if the two tables are the same.
        k: length of the lists.
        arrays: the inputs of `TopK` that all batches share.
    """

    model: RecommenderLike
    histories: Interactions
    rows: IntArray | None
    k: int
    arrays: dict[str, Any]

    @classmethod
    def checked(
        cls,
        model: RecommenderLike,
        histories: Interactions,
        k: int,
        users: Sequence[Any] | None,
        exclude: Sequence[Any],
        candidates: Sequence[Any],
        train: Interactions | None,
        diversify: float = 0.0,
        popular_if_unknown: bool = True,
    ) -> _Request:
        """A request from the arguments of `recommend`. Without `popular_if_unknown`, unknown users get no items."""
        check_table(histories=histories, **({} if train is None else {"train": train}))
        k = as_int_at_least(1, k=k)
        if k > histories.n_items:
            raise ValueError(f"`k`: expected 1 to {histories.n_items:,} (the number of items), got {k}")
        if not 0 <= diversify <= 1:
            raise ValueError(f"`diversify`: expected 0 to 1, got {diversify}")
        if diversify and train is None:
            raise ValueError("`diversify`: expected the training table as `train`, from which items are compared")
        arrays: dict[str, Any] = {"mask": _mask(histories, exclude, candidates)}
        user_model = model.as_user_model(histories if train is None else train)
        popularity: ItemPopularity | None = user_model.item_popularity
        if popularity is not None:
            counts = popularity.counts if popular_if_unknown else np.full_like(popularity.counts, EXCLUDED_SCORE)
            arrays |= {"counts": counts, "places": popularity.places}
        if diversify and train is not None:
            arrays |= {"vectors": item_profiles(train), "strength": np.float32(diversify)}
        rows = None
        if users is not None:
            rows = user_rows(histories, users)
            if (rows < 0).any():
                raise ValueError(f"`users`: {list(users)[int(np.argmin(rows))]!r} is not in `histories`")
            histories = histories.take_users(rows)
        if train is not None:
            rows = user_rows(train, histories.user_ids)
        return cls(user_model, histories, rows, k, arrays)

    def lists(self, batch_size: int | None, verbose: int) -> Iterator[_Lists]:
        """The lists of each batch of users."""
        if not self.histories.n_users:
            return
        batches = self.model.batches(HeldOut(self.histories, rows=self.rows), batch_size)
        predictor_class = DiverseTopK if "vectors" in self.arrays else TopK
        predictor = predictor_class.cached(self.model, _rounded_up(self.k, self.histories.n_items))
        start = 0
        for result in predictor.predictions(batches, verbose, **self.arrays):
            columns, scores = result["items"][:, : self.k], result["scores"][:, : self.k]
            yield _Lists(slice(start, start + len(columns)), columns, scores)
            start += len(columns)


def _mask(table: Interactions, exclude: Sequence[Any], candidates: Sequence[Any]) -> FloatArray:
    """Additive mask of the items, `(n_items,)`: 0, or -inf for excluded items."""
    mask = np.zeros(table.n_items, np.float32)
    allowed = item_columns(table, candidates, "candidates")
    if len(allowed):
        mask[:] = EXCLUDED_SCORE
        mask[allowed] = 0.0
    mask[item_columns(table, exclude, "exclude")] = EXCLUDED_SCORE
    return mask


def _rounded_up(k: int, n_items: int) -> int:
    """The next power of two, so that a model stores few compiled predictors whatever values of `k` it gets."""
    return min(n_items, max(16, 1 << (k - 1).bit_length()))


def user_rows(table: Interactions, user_ids: Sequence[Any] | Array) -> IntArray:
    """Row in `table` of each of `user_ids`, -1 for a user that it does not contain. The table may have any order."""
    order = np.argsort(table.user_ids, kind="stable")
    return np.append(order, -1)[lookup(table.user_ids[order], as_id_list(user_ids, "users"))]


def item_columns(table: Interactions, ids: Sequence[Any], argument: str) -> IntArray:
    """Columns of items in a table. Raises `ValueError`, which names the argument, for an unknown id."""
    columns = lookup(table.item_ids, as_id_list(ids, argument))
    if (columns < 0).any():
        raise ValueError(f"`{argument}`: {list(ids)[int(np.argmin(columns))]!r} is not an item of the catalogue")
    return columns


def as_id_list(ids: Any, argument: str) -> Array:
    """Ids of a caller as an array.

    Raises:
        ValueError: `ids` is not a flat list of integers or strings.
    """
    error = ValueError(f"`{argument}`: expected one flat list of ids, got {ids!r}. Fix: pass a list such as [3, 5]")
    try:
        array = np.asarray(list(ids) if isinstance(ids, (set, frozenset)) else ids)
        if array.dtype.kind == "O" and array.ndim == 1:  # strings of pandas, or UUIDs
            array = np.array([str(value) if isinstance(value, UUID) else value for value in array.tolist()])
    except (TypeError, ValueError):  # lists of several lengths
        raise error from None
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iufUS"):
        raise error
    return array
