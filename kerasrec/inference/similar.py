"""Items that a model considers similar to a given item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from kerasrec.data.interactions import Interactions
from kerasrec.data.popularity import ItemPopularity
from kerasrec.data.table_argument import check_table
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.inference.recommend import item_columns
from kerasrec.inference.recommendations import Recommendations
from kerasrec.ops.ranking import EXCLUDED_SCORE, top_k
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import as_int_at_least

ITEMS_AT_ONCE = 500
"""Items per batch, so that the similarities of all pairs never exist at once."""


def similar(model: Any, train: Interactions, items: Sequence[Any], k: int = 10) -> Recommendations:
    """The `k` items that are most similar to each of some items; see `kerasrec.Recommender.similar`."""
    check_table(train=train)
    k = as_int_at_least(1, k=k)
    if train.n_items < 2:
        raise ValueError(f"`train`: expected a catalogue of at least two items, got {train.n_items}")
    if k >= train.n_items:
        raise ValueError(f"`k`: expected 1 to {train.n_items - 1:,} (the number of other items), got {k}")
    model.check_fitted()
    model.check_columns(train.T if model.rows == "items" else train)
    columns = item_columns(train, items, "items")
    popularity = model.item_popularity or ItemPopularity(train.item_counts)
    vectors = None if model.linear else unit_vectors(model.item_vectors(train))
    listed, scores = [np.zeros((0, k), np.int32)], [np.zeros((0, k), np.float32)]
    for start in range(0, len(columns), ITEMS_AT_ONCE):
        part = columns[start : start + ITEMS_AT_ONCE]
        similarities = item_weights(model, part) if vectors is None else vectors[part] @ vectors.T
        similarities[np.arange(len(part)), part] = EXCLUDED_SCORE
        best_columns, best = top_k(similarities, k, popularity.places)
        listed.append(ops.convert_to_numpy(best_columns))
        scores.append(ops.convert_to_numpy(best))
    asked = np.asarray(items) if len(items) else train.item_ids[:0]
    item_ids = train.item_ids[np.concatenate(listed)]
    return Recommendations(item_ids, np.concatenate(scores), asked, np.ones(len(asked), np.int64))


def unit_vectors(vectors: FloatArray) -> FloatArray:
    """Vectors of length 1, so that their products are cosines; a zero vector stays 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: FloatArray = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return units


class _Scores(BatchPredictor):
    """The scores `(batch, n_items)`."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        return {"scores": self.model(self.model.with_sparse_rows(inputs["x"]), training=False)}


def item_weights(model: Any, columns: IntArray) -> FloatArray:
    """Rows of the item-to-item weights B of a linear model, `(len(columns), n_items)`.

    They are the scores for histories of one item.
    """
    ids = columns.astype(np.int32).reshape(-1, 1)
    scores = _Scores.cached(model).predict_any_shape({"x": {"ids": ids, "row": np.full(len(ids), -1, np.int32)}})
    return np.array(scores["scores"])
