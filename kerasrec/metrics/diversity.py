"""Metrics of lists that do not measure accuracy: coverage of the catalogue, novelty and diversity."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.item_profiles import item_profiles
from kerasrec.metrics.ranking import RankingMetric, TopKMetric
from kerasrec.ops.ranking import Ranking
from kerasrec.types import Tensor
from kerasrec.validation import as_int_at_least


@public
class CatalogueCoverage(TopKMetric):
    """Share of the catalogue that is in the top-K list of at least one row.

    Like all metrics, it is over the rows with held-out items. Rows with `sample_weight` 0 do not count either.

    Args:
        k: length of the lists.
        n_items: size of the catalogue.
        name: default: `coverage_` and k.
        dtype: as in `keras.metrics.Metric`.
    """

    def __init__(self, k: int, n_items: int, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(k, name or f"coverage_{k}", dtype)
        self.n_items = as_int_at_least(1, n_items=n_items)
        self.recommended = self.add_variable((n_items,), initializer="zeros", aggregation="sum", name="recommended")

    @property
    def catalogue_size(self) -> int:
        """`n_items`."""
        return self.n_items

    def update_ranking(self, ranking: Ranking, sample_weight: Tensor = None) -> None:
        """Marks the items of a ranking of `k` items or more."""
        counts = ops.expand_dims(self.row_weights(ranking, sample_weight), 1) > 0
        items = ops.reshape(ops.where(counts, ranking.items[:, : self.k], -1), (-1,))
        marks = ops.zeros((self.n_items + 1,), self.recommended.dtype)
        index = ops.expand_dims(ops.where(items < 0, self.n_items, items), 1)
        marks = ops.scatter_update(marks, index, ops.ones_like(items, dtype=marks.dtype))
        self.recommended.assign(ops.maximum(self.recommended, marks[: self.n_items]))

    def result(self) -> Tensor:
        return ops.mean(ops.cast(self.recommended > 0, self.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_items": self.n_items}


@public
class Novelty(RankingMetric):
    """Mean self-information of the items of a list: Σ_j -log2(popularity of the item at rank j) / (items in the list).

    The popularity of an item is the share of the training users who liked it. An item that no training user liked is
    treated as if one user liked it. An item that one of 1,000 users likes has a novelty of 10 bits.

    Args:
        k: length of the list.
        popularity: `(n_items,)`, for each item the share of the training users who liked it, above 0.
        name: default: `novelty_` and k.
        dtype: as in `keras.metrics.Metric`.

    Source: Zhou et al., Solving the Apparent Diversity-Accuracy Dilemma of Recommender Systems, PNAS 2010.
    """

    prefix = "novelty"

    def __init__(self, k: int, popularity: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(k, name, dtype)
        self.popularity = np.asarray(popularity, np.float32)
        if self.popularity.ndim != 1 or not ((self.popularity > 0) & (self.popularity <= 1)).all():
            raise ValueError(
                "`popularity`: expected one share per item, above 0 and at most 1. "
                "Fix: `max(n_users_of_item, 1) / n_users`"
            )

    @property
    def catalogue_size(self) -> int:
        """The number of items in `popularity`."""
        return len(self.popularity)

    def per_row(self, ranking: Ranking) -> Tensor:
        information = ops.take(-np.log2(self.popularity), ops.maximum(ranking.items, 0))
        is_item = ops.cast(ops.convert_to_tensor(ranking.items) >= 0, "float32")
        return ops.divide_no_nan(ops.sum(information * is_item, axis=-1), ops.sum(is_item, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "popularity": self.popularity.tolist()}


@public
class IntraListDiversity(RankingMetric):
    """Mean dissimilarity of the pairs of items in a list: 1 - Σ_{i ≠ j} cos(v_i, v_j) / (n (n - 1)).

    A list of one item has diversity 1.

    Args:
        k: length of the list.
        vectors: `(n_items, dim)` a vector per item, for example `kerasrec.data.item_profiles(train)`.
        name: default: `diversity_` and k.
        dtype: as in `keras.metrics.Metric`.

    Source: Ziegler et al., Improving Recommendation Lists Through Topic Diversification, WWW 2005.
    """

    prefix = "diversity"

    def __init__(self, k: int, vectors: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(k, name, dtype)
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ValueError(f"`vectors`: expected finite numbers of shape (n_items, dim), got shape {vectors.shape}")
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.vectors = vectors
        self.directions = vectors / np.where(norms > 0, norms, 1.0)

    @property
    def catalogue_size(self) -> int:
        """The number of vectors."""
        return len(self.vectors)

    def per_row(self, ranking: Ranking) -> Tensor:
        is_item = ops.cast(ops.convert_to_tensor(ranking.items) >= 0, "float32")
        rows = ops.take(self.directions, ops.maximum(ranking.items, 0), axis=0) * ops.expand_dims(is_item, -1)
        # Σ_{i, j} v_i · v_j = ‖Σ_i v_i‖²; without the pairs of an item with itself.
        total = ops.sum(ops.square(ops.sum(rows, axis=1)), axis=-1) - ops.sum(ops.square(rows), axis=(1, 2))
        n = ops.sum(is_item, axis=-1)
        return 1.0 - ops.divide_no_nan(total, n * (n - 1.0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vectors": self.vectors.tolist()}


def beyond_accuracy(train: Interactions, k: int = 20) -> list[TopKMetric]:
    """Coverage, novelty and diversity of top-K lists, relative to a training table.

    Args:
        train: the training table: the catalogue, the popularity of the items, and the users by which items are similar.
        k: length of the lists.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, evaluate, generate
        >>> from kerasrec.metrics import beyond_accuracy
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> model = EASE.for_interactions(split.train)
        >>> _ = model.fit(split.train, verbose=0)
        >>> list(evaluate(model, split.test, ["ndcg_10", *beyond_accuracy(split.train, k=10)]).means)
        ['ndcg_10', 'coverage_10', 'novelty_10', 'diversity_10']
    """
    popularity = np.maximum(train.item_counts, 1) / max(train.n_users, 1)
    return [
        CatalogueCoverage(k, train.n_items),
        Novelty(k, popularity),
        IntraListDiversity(k, item_profiles(train)),
    ]
