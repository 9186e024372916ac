"""Which items of a history are the reasons for each recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.padding import padded_length
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.inference.recommend import recommend, user_rows
from kerasrec.types import Array, FloatArray, IntArray, RecommenderLike, Tensor
from kerasrec.validation import as_int_at_least

MAX_LEFT_OUT = 100
"""The most items that are left out, the latest ones of the history."""

MAX_STEPS = 6000
"""The most items in all these histories together, for models that read a history step by step."""


@dataclass(frozen=True)
class Explanations:
    """The result of `Recommender.explain`.

    Attributes:
        item_ids: `(n_users, k)` the recommendations, as `recommend` returns them.
        scores: `(n_users, k)` their scores.
        reason_ids: `(n_users, k, n_reasons)` the history items that raise the score most, best first; padded with ""
            or -1 if fewer items raise it.
        contributions: `(n_users, k, n_reasons)` float32, by how much each of them raises it; 0 for padding.
    """

    item_ids: Array
    scores: FloatArray
    reason_ids: Array
    contributions: FloatArray


def explain(
    model: RecommenderLike,
    histories: Interactions,
    k: int = 10,
    n_reasons: int = 3,
    users: Sequence[Any] | None = None,
    exclude: Sequence[Any] = (),
    candidates: Sequence[Any] = (),
    train: Interactions | None = None,
) -> Explanations:
    """The reasons for the recommendations; see `kerasrec.Recommender.explain`."""
    n_reasons = as_int_at_least(1, n_reasons=n_reasons)
    if "history" not in model.serving_inputs:
        raise ValueError(
            f"this {type(model).__name__} reads a user id and no history, so no item of a history is a reason. "
            'Fix: use a model that reads a history, for example `rows="users"`'
        )
    lists = recommend(model, histories, k, users, exclude, candidates, train)
    train = histories if train is None else train
    if users is not None:
        histories = histories.take_users(user_rows(histories, users))
    histories = histories.in_time_order()
    training_rows = user_rows(train, histories.user_ids)
    padding = "" if histories.item_ids.dtype.kind in "US" else -1
    shape = (histories.n_users, k, n_reasons)
    reason_ids = np.full(shape, padding, histories.item_ids.dtype)
    contributions = np.zeros(shape, np.float32)
    columns = np.maximum(lookup(histories.item_ids, lists.item_ids.ravel()), 0).reshape(-1, k).astype(np.int32)
    for user in range(histories.n_users):
        history, changes = _changes(model, histories, user, int(training_rows[user]), columns[user])
        for place, item in enumerate(lists.item_ids[user].tolist()):
            if item == padding:
                break
            best = strongest(changes[:, place], n_reasons)
            reason_ids[user, place, : len(best)] = histories.item_ids[history[best]]
            contributions[user, place, : len(best)] = changes[best, place]
    return Explanations(lists.item_ids, lists.scores, reason_ids, contributions)


def places_to_leave_out(n_items: int, ordered: bool) -> range:
    """The places of a history of `n_items` that are left out, one at a time."""
    n_left_out = MAX_LEFT_OUT
    if ordered and n_items:
        n_left_out = min(MAX_LEFT_OUT, max(1, MAX_STEPS // n_items))
    return range(max(0, n_items - n_left_out), n_items)


def strongest(changes: FloatArray, n: int) -> list[int]:
    """The positions of the `n` largest positive changes, largest first."""
    return [place for place in np.argsort(-changes, kind="stable")[:n].tolist() if changes[place] > 0]


class _ScoresOf(BatchPredictor):
    """The scores `(batch, k)` of some columns."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        batch = self.model.with_sparse_rows(inputs["x"])
        return {"scores": ops.take(self.model(batch, training=False), inputs["columns"], axis=1)}


def _changes(
    model: RecommenderLike, histories: Interactions, user: int, training_row: int, columns: IntArray
) -> tuple[IntArray, FloatArray]:
    """By how much each item of a user's history raises the scores of some columns.

    Returns:
        The columns `(n,)` of the items, and the changes `(n, len(columns))`.
    """
    part = slice(histories.indptr[user], histories.indptr[user + 1])
    items, values = histories.items[part], histories.values[part]
    if not len(items):
        return items, np.zeros((0, len(columns)), np.float32)
    if model.linear:  # the score is the sum of the scores of histories of one item
        rows = np.arange(len(items))[:, None]
        return items, _scores(model, items, values, rows, training_row, columns)
    places = np.array(places_to_leave_out(len(items), model.ordered))
    everything = np.arange(len(items))
    rows = np.full((1 + len(places), len(items)), -1)
    rows[0] = everything
    for number, place in enumerate(places.tolist(), 1):
        rows[number, : len(items) - 1] = np.delete(everything, place)
    scores = _scores(model, items, values, rows, training_row, columns)
    return items[places], scores[0] - scores[1:]


def _scores(
    model: RecommenderLike, items: IntArray, values: FloatArray, rows: IntArray, training_row: int, columns: IntArray
) -> FloatArray:
    """The scores of `columns` for histories that are given as places `(n, length)` in `items`, padded with -1."""
    length = padded_length(rows.shape[1])
    rows = np.pad(rows, [(0, 0), (0, length - rows.shape[1])], constant_values=-1)
    batch: dict[str, Array] = {"ids": np.where(rows < 0, -1, items[rows]).astype(np.int32)}
    if model.feedback == "ratings":
        batch["values"] = np.where(rows < 0, 0.0, values[rows]).astype(np.float32)
    batch["row"] = np.full(len(rows), training_row, np.int32)
    scores: FloatArray = _ScoresOf.cached(model).predict_any_shape({"x": batch, "columns": columns})["scores"]
    return scores
