"""Metrics of top-K lists."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.ops.ranking import Ranking, rank
from kerasrec.types import Tensor
from kerasrec.validation import as_int_at_least, check_columns


class TopKMetric(keras.metrics.Metric):
    """Base of the metrics of a top-K list.

    `update_ranking` lets several metrics share one sort of the scores.

    Args:
        k: length of the list.
        name: name of the metric.
        dtype: as in `keras.metrics.Metric`.
    """

    _direction = "up"  # Keras' callbacks read it: `EarlyStopping("val_ndcg_100")` needs no `mode`

    def __init__(self, k: int, name: str, dtype: Any = None) -> None:
        self.k = as_int_at_least(1, k=k)
        super().__init__(name=name, dtype=dtype)

    @property
    def catalogue_size(self) -> int | None:
        """The number of items that the metric knows something about; None if it suits any catalogue."""
        return None

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Ranks `y_pred` and adds its rows."""
        check_columns(y_true, y_pred)
        if len(ops.shape(y_pred)) != 2:
            raise ValueError(
                f"{self.name}: expected scores of shape (batch, n_items), got a tensor of rank {len(ops.shape(y_pred))}"
            )
        self.check_catalogue(ops.shape(y_pred)[-1])
        self.update_ranking(rank(y_pred, y_true, self.k), sample_weight)

    def check_catalogue(self, n_items: Any) -> None:
        """Refuses another number of items than the metric was created for.

        Args:
            n_items: the number; a tensor if only a run of the graph knows it, which is not checked.

        Raises:
            ValueError: `n_items` is another number than `catalogue_size`.
        """
        if isinstance(n_items, int) and self.catalogue_size not in (None, n_items):
            raise ValueError(f"{self.name}: expected {self.catalogue_size:,} items, got {n_items:,}")

    def update_ranking(self, ranking: Ranking, sample_weight: Tensor = None) -> None:
        """Adds the rows of a ranking of `k` items or more, weighted by `sample_weight` `(batch,)`."""
        raise NotImplementedError

    def row_weights(self, ranking: Ranking, sample_weight: Tensor) -> Tensor:
        """`(batch,)`: the weight of each row, 0 for rows without held-out items."""
        weights = ops.cast(ranking.relevant > 0, "float32")
        if sample_weight is None:
            return weights
        sample_weight = ops.convert_to_tensor(sample_weight, "float32")
        shape = sample_weight.shape
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise ValueError(f"{self.name}: expected one weight per row, (batch,), got shape {tuple(shape)}")
        return weights * (ops.reshape(sample_weight, (-1,)) if len(shape) else sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class RankingMetric(TopKMetric, keras.metrics.Mean):
    """Base of the metrics that are a mean over rows of one value per row. A subclass implements `per_row`.

    Args:
        k: length of the list.
        name: default: the class's `prefix` and k, for example `ndcg_100`.
        dtype: as in `keras.metrics.Metric`.
    """

    prefix = ""

    def __init__(self, k: int, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(k, name or f"{self.prefix}_{k}", dtype)

    def per_row(self, ranking: Ranking) -> Tensor:
        """The metric of each row, `(batch,)`, from a ranking of exactly `k` items."""
        raise NotImplementedError

    def update_ranking(self, ranking: Ranking, sample_weight: Tensor = None) -> None:
        keras.metrics.Mean.update_state(self, self.values(ranking), self.row_weights(ranking, sample_weight))

    def values(self, ranking: Ranking) -> Tensor:
        """The metric of each row, `(batch,)`, from a ranking of `k` items or more."""
        return self.per_row(Ranking(ranking.items[:, : self.k], ranking.hits[:, : self.k], ranking.relevant))


@public
class Recall(RankingMetric):
    """Capped recall: Σ_j hit_j / min(k, H). A perfect list scores 1 for any H.

    The definition of Liang et al. 2018 and of most later work. Not to be confused with `PlainRecall`, which divides
    by H and is about a tenth lower on MovieLens.
    """

    prefix = "recall"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.divide_no_nan(ops.sum(ranking.hits, axis=-1), ops.minimum(ranking.relevant, float(self.k)))


@public
class PlainRecall(RankingMetric):
    """Plain recall, the textbook definition: Σ_j hit_j / H."""

    prefix = "plain_recall"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.divide_no_nan(ops.sum(ranking.hits, axis=-1), ranking.relevant)


@public
class Precision(RankingMetric):
    """Precision: Σ_j hit_j / k, also for lists with fewer than k items."""

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

    DCG = Σ_{j ≤ k} hit_j / log2(j + 1), divided by the DCG of an ideal list of min(k, H) hits.

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
        ideal = np.concatenate([[0.0], np.cumsum(discount)]).astype("float32")  # indexed by the number of hits
        most_hits = ops.cast(ops.minimum(ranking.relevant, float(self.k)), "int32")
        gain = ops.sum(ranking.hits * discount.astype("float32"), axis=-1)
        return ops.divide_no_nan(gain, ops.take(ideal, most_hits))


@public
class MAP(RankingMetric):
    """Mean average precision: AP@k = Σ_{j ≤ k} precision@j · hit_j / min(k, H).

    trec_eval and ranx divide by H instead.

    Source: Wu et al., Collaborative Denoising Auto-Encoders, 2016, section 5.
    """

    prefix = "map"

    def per_row(self, ranking: Ranking) -> Tensor:
        precision = ops.cumsum(ranking.hits, axis=-1) / np.arange(1, self.k + 1, dtype="float32")
        total = ops.sum(precision * ranking.hits, axis=-1)
        return ops.divide_no_nan(total, ops.minimum(ranking.relevant, float(self.k)))


@public
class MRR(RankingMetric):
    """Mean reciprocal rank: 1 / rank of the first hit, 0 without a hit."""

    prefix = "mrr"

    def per_row(self, ranking: Ranking) -> Tensor:
        return ops.max(ranking.hits / np.arange(1, self.k + 1, dtype="float32"), axis=-1)
