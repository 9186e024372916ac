"""The best k items of each user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.item_profiles import item_profiles
from kerasrec.data.splits import HeldOut
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.ops.diversity import diverse_top_k
from kerasrec.ops.ranking import EXCLUDED_SCORE, finite, top_k
from kerasrec.types import Array, Batch, FloatArray, IntArray, RecommenderLike, Tensor
from kerasrec.validation import as_int_at_least


class Recommendations(NamedTuple):
    """The result of `Recommender.recommend`.

    Attributes:
        item_ids: `(n_users, k)` original ids, best first; "" or -1 at the end of a list with fewer than k items.
        scores: `(n_users, k)` float32, the lowest float32 at the end of such a list. No score is infinite. With
            `diversify` the scores need not descend.
    """

    item_ids: Array
    scores: FloatArray


class TopK(BatchPredictor):
    """The best items `(batch, k)` without those of the history, and their scores.

    `"mask"` of the inputs is an additive mask, `(n_items,)`: 0, or -inf for excluded items.
    """

    def __init__(self, model: RecommenderLike, k: int) -> None:
        super().__init__(model)
        self.k = k

    def call(self, inputs: dict[str, Batch]) -> dict[str, Tensor]:
        batch = self.model.with_sparse_rows(inputs["x"])
        scores = self.model.mask_seen(self.model(batch, training=False), batch) + inputs["mask"]
        items, best = top_k(scores, self.k)
        return {"items": items, "scores": finite(best)}


class DiverseTopK(TopK):
    """`TopK` with lists re-ranked by `diverse_top_k`, from `"vectors"` and `"strength"` of the inputs."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        batch = self.model.with_sparse_rows(inputs["x"])
        scores = self.model.mask_seen(self.model(batch, training=False), batch) + inputs["mask"]
        items, best = diverse_top_k(scores, self.k, inputs["vectors"], inputs["strength"])
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
    if not isinstance(histories, Interactions):
        raise TypeError(
            "`histories`: expected Interactions, for example `split.test.inputs` or `Interactions.from_histories(…)`, "
            f"got {type(histories).__name__}"
        )
    k = as_int_at_least(1, k=k)
    if k > histories.n_items:
        raise ValueError(f"`k`: expected 1 to {histories.n_items:,} (the number of items), got {k}")
    if not 0 <= diversify <= 1:
        raise ValueError(f"`diversify`: expected 0 to 1, got {diversify}")
    if diversify and train is None:
        raise ValueError("`diversify`: expected the training table as `train`, from which items are compared")
    mask = np.zeros(histories.n_items, np.float32)
    if len(candidates):
        mask[:] = EXCLUDED_SCORE
        mask[_item_columns(histories, candidates, "candidates")] = 0.0
    mask[_item_columns(histories, exclude, "exclude")] = EXCLUDED_SCORE
    user_model = model.as_user_model(histories if train is None else train)
    rows = None
    if users is not None:
        rows = _user_rows(histories, users)
        if (rows < 0).any():
            raise ValueError(f"`users`: {users[int(np.argmin(rows))]!r} is not in `histories`")
        histories = histories.take_users(rows)
    if train is not None:
        rows = _user_rows(train, histories.user_ids)
    padding = "" if histories.item_ids.dtype.kind in "US" else -1
    if not histories.n_users:
        return Recommendations(np.full((0, k), padding, histories.item_ids.dtype), np.empty((0, k), np.float32))
    batches = user_model.batches(HeldOut(histories, rows=rows), batch_size)
    predictor_class: type[TopK] = TopK
    arrays: dict[str, Any] = {"mask": mask}
    if diversify and train is not None:
        predictor_class = DiverseTopK
        arrays |= {"vectors": item_profiles(train), "strength": np.float32(diversify)}
    predictor = predictor_class.cached(user_model, _rounded_up(k, histories.n_items))
    results = list(predictor.predictions(batches, verbose, **arrays))
    columns, scores = (np.concatenate([result[name][:, :k] for result in results]) for name in ("items", "scores"))
    return Recommendations(np.where(columns < 0, padding, histories.item_ids[columns]), scores)


def _rounded_up(k: int, n_items: int) -> int:
    """The next power of two, so that a model stores few compiled predictors whatever values of `k` it gets."""
    return min(n_items, max(16, 1 << (k - 1).bit_length()))


def _user_rows(table: Interactions, user_ids: Sequence[Any] | Array) -> IntArray:
    """Rows of users in a table, in any order; -1 for users that it does not contain."""
    order = np.argsort(table.user_ids, kind="stable")
    return np.append(order, -1)[lookup(table.user_ids[order], np.asarray(user_ids))]


def _item_columns(table: Interactions, ids: Sequence[Any], argument: str) -> IntArray:
    columns = lookup(table.item_ids, np.asarray(ids)) if len(ids) else np.array([], np.int64)
    if (columns < 0).any():
        raise ValueError(f"`{argument}`: {ids[int(np.argmin(columns))]!r} is not an item of the catalogue")
    return columns
