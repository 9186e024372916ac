"""Ranking and rating metrics as Keras metrics.

A ranking metric takes what was held out as `y_true` `(batch, n)` (above 0 where relevant) and
scores as `y_pred` `(batch, n)`, -inf for what must not be recommended (the items already seen).
Rows with nothing held out say nothing about a ranking and are left out of the mean.

Notation: `hit_j` is 1 if the item at rank j was held out, H the number of items held out.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.losses import observed_mask
from kerasrec.ops.ranking import Ranking, rank
from kerasrec.types import Tensor
from kerasrec.validation import as_int_at_least, check_columns


class RankingMetric(keras.metrics.Mean):
    """Base of the metrics of a top-K list: the mean over rows of one number a row.

    A subclass gives `per_row`. `update_ranking` lets several metrics share one sort of the scores.

    Args:
        k: length of the list.
        name: defaults to the class's `prefix` and k, as in `ndcg_100`.
    """

    prefix = ""

    def __init__(self, k: int, name: str | None = None, dtype: Any = None) -> None:
        self.k = as_int_at_least(1, k=k)
        super().__init__(name=name or f"{self.prefix}_{k}", dtype=dtype)

    def per_row(self, ranking: Ranking) -> Tensor:
        """The metric of each row, `(batch,)`, from a ranking of exactly `k` items."""
        raise NotImplementedError

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Ranks `y_pred` and adds its rows."""
        check_columns(y_true, y_pred)
        self.update_ranking(rank(y_pred, y_true, self.k), sample_weight)

    def update_ranking(self, ranking: Ranking, sample_weight: Tensor = None) -> None:
        """Adds the rows of a ranking of `k` items or more."""
        counted = ops.cast(ranking.relevant > 0, "float32")
        if sample_weight is not None:
            counted = counted * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        super().update_state(self.values(ranking), sample_weight=counted)

    def values(self, ranking: Ranking) -> Tensor:
        """The metric of each row, `(batch,)`, from a ranking of `k` items or more."""
        return self.per_row(Ranking(ranking.items[:, : self.k], ranking.hits[:, : self.k], ranking.relevant))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


@public
class Recall(RankingMetric):
    """Capped recall: Σ_j hit_j / min(k, H). A perfect list scores 1 whatever H is.

    The definition of Liang et al. 2018 and of most work since. Not to be confused with
    `PlainRecall`, which divides by H and is lower, by about a tenth on MovieLens.
    """

    prefix = "recall"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.divide_no_nan(ops.sum(ranking.hits, axis=-1), ops.minimum(ranking.relevant, float(self.k)))


@public
class PlainRecall(RankingMetric):
    """Plain recall: Σ_j hit_j / H, the textbook's."""

    prefix = "plain_recall"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.divide_no_nan(ops.sum(ranking.hits, axis=-1), ranking.relevant)


@public
class Precision(RankingMetric):
    """Precision: Σ_j hit_j / k, also where fewer than k items could be filled in."""

    prefix = "precision"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.sum(ranking.hits, axis=-1) / float(self.k)


@public
class HitRate(RankingMetric):
    """Share of rows with at least one hit (HR@k)."""

    prefix = "hit_rate"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.max(ranking.hits, axis=-1)


@public
class NDCG(RankingMetric):
    """Normalised discounted cumulative gain of binary relevance.

    DCG = Σ_{j ≤ k} hit_j / log2(j + 1), divided by that of an ideal list of min(k, H) hits.

    Example:
        >>> import numpy as np
        >>> from kerasrec.metrics import NDCG
        >>> metric = NDCG(2)
        >>> metric.update_state(np.array([[0.0, 1.0, 1.0]]), np.array([[3.0, 2.0, 1.0]]))
        >>> round(float(metric.result()), 4)  # (1 / log2(3)) / (1 + 1 / log2(3))
        0.3869

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, section 4.2.
    """

    prefix = "ndcg"

    def per_row(self, ranking: Ranking) -> Tensor:
        discount = 1.0 / np.log2(np.arange(2, self.k + 2))
        ideal = np.concatenate([[0.0], np.cumsum(discount)]).astype("float32")  # by the number of hits
        possible = ops.cast(ops.minimum(ranking.relevant, float(self.k)), "int32")
        gain = ops.sum(ranking.hits * discount.astype("float32"), axis=-1)
        return ops.divide_no_nan(gain, ops.take(ideal, possible))


@public
class MAP(RankingMetric):
    """Mean average precision: AP@k = Σ_{j ≤ k} precision@j · hit_j / min(k, H).

    Source: Wu et al., Collaborative Denoising Auto-Encoders, 2016, section 5.
    """

    prefix = "map"

    def per_row(self, ranking: Ranking) -> Tensor:
        precision = ops.cumsum(ranking.hits, axis=-1) / np.arange(1, self.k + 1, dtype="float32")
        total = ops.sum(precision * ranking.hits, axis=-1)
        return ops.divide_no_nan(total, ops.minimum(ranking.relevant, float(self.k)))


@public
class MRR(RankingMetric):
    """Mean reciprocal rank: 1 / rank of the first hit, 0 without one."""

    prefix = "mrr"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.max(ranking.hits / np.arange(1, self.k + 1, dtype="float32"), axis=-1)


@public
class CatalogueCoverage(keras.metrics.Metric):
    """Share of the catalogue that stands in at least one row's top-K list.

    Args:
        k: length of the lists.
        n_items: size of the catalogue.
    """

    def __init__(self, k: int, n_items: int, name: str | None = None, dtype: Any = None) -> None:
        self.k = as_int_at_least(1, k=k)
        self.n_items = as_int_at_least(1, n_items=n_items)
        super().__init__(name=name or f"coverage_{k}", dtype=dtype)
        self.seen = self.add_variable((n_items,), initializer="zeros", aggregation="sum", name="seen")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Ranks `y_pred` and marks the items recommended."""
        check_columns(y_true, y_pred)
        self.update_ranking(rank(y_pred, y_true, self.k), sample_weight)

    def update_ranking(self, ranking: Ranking, sample_weight: Tensor = None) -> None:
        """Marks the items of a ranking of `k` items or more."""
        items = ops.reshape(ranking.items[:, : self.k], (-1,))
        counts = ops.zeros((self.n_items + 1,), "float32")
        index = ops.expand_dims(ops.where(items < 0, self.n_items, items), 1)
        counts = ops.scatter_update(counts, index, ops.ones_like(items, dtype="float32"))
        self.seen.assign(ops.maximum(self.seen, counts[: self.n_items]))

    def result(self) -> Tensor:
        return ops.mean(ops.cast(self.seen > 0, "float32"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k, "n_items": self.n_items}


class _RatingMetric(keras.metrics.Mean):
    """Base of the metrics of predicted ratings: a mean over the observed entries."""

    def __init__(
        self,
        name: str,
        value_range: tuple[float, float] | None = None,
        missing: float = float("nan"),
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.value_range = None if value_range is None else tuple(value_range)
        self.missing = missing

    def error(self, difference: Tensor) -> Tensor:
        raise NotImplementedError

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Adds the observed entries of `y_true` `(batch, n)`."""
        check_columns(y_true, y_pred)
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        if self.value_range is not None:
            y_pred = ops.clip(y_pred, *self.value_range)
        observed = observed_mask(y_true, self.missing)
        weight = ops.cast(observed, "float32")
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, "float32")  # of rows, or of entries
            weight = weight * (sample_weight if len(sample_weight.shape) > 1 else ops.expand_dims(sample_weight, 1))
        difference = ops.where(observed, y_true, y_pred) - y_pred
        super().update_state(self.error(difference), sample_weight=weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value_range": self.value_range, "missing": self.missing}


@public
class RMSE(_RatingMetric):
    """Root mean squared error over all observed entries together: √(Σ (r - r̂)² / |O|).

    Not the mean of each user's own RMSE, which is another and smaller number.

    Args:
        name: of the metric.
        **kwargs: `value_range`, the (lowest, highest) rating, to which predictions are clipped first; `missing`, the
            value of `y_true` that marks an entry as not observed, `nan` by default.
    """

    def __init__(self, name: str = "rmse", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def error(self, difference: Tensor) -> Tensor:
        return ops.square(difference)

    def result(self) -> Tensor:
        return ops.sqrt(super().result())


@public
class MAE(_RatingMetric):
    """Mean absolute error over all observed entries together: Σ |r - r̂| / |O|. See `RMSE`."""

    def __init__(self, name: str = "mae", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def error(self, difference: Tensor) -> Tensor:
        return ops.abs(difference)


BY_NAME = {m.prefix: m for m in (Recall, PlainRecall, Precision, HitRate, NDCG, MAP, MRR)}


def lower_is_better(name: str) -> bool:
    """Whether a figure of that name is the better the lower it is: a loss, a RMSE or a MAE.

    Example:
        >>> from kerasrec.metrics import lower_is_better
        >>> lower_is_better("val_rmse"), lower_is_better("val_ndcg_100")
        (True, False)
    """
    return name.removeprefix("val_") in ("loss", "rmse", "mae")


def get(metric: Any) -> Any:
    """A metric from its name, as in `"ndcg_100"`, `"plain_recall_20"` or `"rmse"`; a metric is returned as it is.

    Raises:
        ValueError: no metric has that name.
    """
    if not isinstance(metric, str):
        return metric
    if metric in ("rmse", "mae"):
        return RMSE() if metric == "rmse" else MAE()
    prefix, _, k = metric.rpartition("_")
    if prefix in BY_NAME and k.isdigit():
        return BY_NAME[prefix](int(k))
    names = ", ".join(BY_NAME)
    raise ValueError(f"no metric {metric!r}: use rmse, mae, or one of {names} with a cut-off, as in ndcg_100")
