"""Metrics by name."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec.metrics.ranking import MAP, MRR, NDCG, HitRate, PlainRecall, Precision, RankingMetric, Recall
from kerasrec.metrics.ratings import MAE, RMSE

RANKING: dict[str, type[RankingMetric]] = {
    metric.prefix: metric for metric in (Recall, PlainRecall, Precision, HitRate, NDCG, MAP, MRR)
}
RATINGS = {"rmse": RMSE, "mae": MAE}


def lower_is_better(name: str) -> bool:
    """Whether lower values of a metric of this name are better: a loss, RMSE or MAE.

    Example:
        >>> from kerasrec.metrics import lower_is_better
        >>> lower_is_better("val_rmse"), lower_is_better("val_ndcg_100")
        (True, False)
    """
    return name.removeprefix("val_") in ("loss", *RATINGS)


def get(metric: Any) -> Any:
    """A metric from its name, for example `"ndcg_100"`, `"plain_recall_20"` or `"rmse"`.

    A metric is returned as is. A function `(y_true, y_pred)` becomes the mean of its values, as in Keras.

    Raises:
        ValueError: no metric has this name, or `metric` is neither a name, a metric nor a function.
    """
    if isinstance(metric, keras.metrics.Metric):
        return metric
    if callable(metric) and not isinstance(metric, type):
        return keras.metrics.MeanMetricWrapper(metric, name=getattr(metric, "__name__", None))
    if not isinstance(metric, str):
        raise ValueError(f"`metrics`: expected names, metrics or functions, got {metric!r}. Fix: pass 'ndcg_100'")
    if metric in RATINGS:
        return RATINGS[metric]()
    prefix, _, k = metric.rpartition("_")
    if prefix in RANKING and k.isdecimal() and int(k) > 0:
        return RANKING[prefix](int(k))
    names = ", ".join(RANKING)
    raise ValueError(
        f"`metrics`: expected rmse, mae, or one of {names} with a cut-off, for example ndcg_100, got {metric!r}"
    )
