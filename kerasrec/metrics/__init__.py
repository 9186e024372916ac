"""Ranking and rating metrics as Keras metrics.

A ranking metric compares held-out items `y_true` `(batch, n)` (above 0 where relevant) with scores `y_pred`
`(batch, n)`, -inf for items that must not be recommended (the items of the history). Rows without held-out items are
not in the mean.

Notation: `hit_j` is 1 if the item at rank j was held out, H is the number of held-out items.
"""

from kerasrec.metrics.diversity import CatalogueCoverage, IntraListDiversity, Novelty, beyond_accuracy
from kerasrec.metrics.names import get, lower_is_better
from kerasrec.metrics.ranking import (
    MAP,
    MRR,
    NDCG,
    HitRate,
    PlainRecall,
    Precision,
    RankingMetric,
    Recall,
    TopKMetric,
)
from kerasrec.metrics.ratings import MAE, RMSE, RatingMetric

__all__ = [
    "MAE",
    "MAP",
    "MRR",
    "NDCG",
    "RMSE",
    "CatalogueCoverage",
    "HitRate",
    "IntraListDiversity",
    "Novelty",
    "PlainRecall",
    "Precision",
    "RankingMetric",
    "RatingMetric",
    "Recall",
    "TopKMetric",
    "beyond_accuracy",
    "get",
    "lower_is_better",
]
