"""Metrics with standard errors, for any model and any held-out part of a split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.metrics import RMSE, RankingMetric, RatingMetric, TopKMetric
from kerasrec.ops.ranking import EXCLUDED_SCORE, Ranking, rank
from kerasrec.ops.sparse_rows import observed_rows
from kerasrec.types import Array, FloatArray, IntArray, RecommenderLike, Tensor
from kerasrec.validation import check_recommender


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`. A notebook shows its means and standard errors.

    Attributes:
        means: metric → mean over users, or over all ratings for RMSE and MAE.
        standard_errors: metric → standard error of that mean, clustered by user (by the delta method for RMSE).
            Metrics that are not a mean, such as coverage, have none.
        n_users: number of users in the means of the ranking metrics; 0 without ranking metrics.
        n_ratings: number of ratings in RMSE and MAE; 0 without these.
        left_out: number of users without held-out items, who are in no mean.
        per_user: metric → `(n_users,)` float32, each user's value of a ranking metric.
        per_rating: metric → `(n_ratings,)` float32, squared errors (RMSE) or absolute errors (MAE), by user, then item.
        user_ids: `(n_users,)` the users with held-out items.
        held_out: a digest of the held-out items. Two results with equal digests can be compared.
        roots: names of the metrics that are the root of their values' mean (RMSE).
        rating_users: `(n_ratings,)` the row of each rating's user.
    """

    means: dict[str, float]
    standard_errors: dict[str, float]
    n_users: int
    n_ratings: int
    left_out: int
    per_user: dict[str, FloatArray]
    per_rating: dict[str, FloatArray]
    user_ids: Array
    held_out: str
    roots: tuple[str, ...] = ()
    rating_users: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def as_dict(self) -> dict[str, float | int | None]:
        """`{"ndcg_100": …, "ndcg_100_se": …, …, "n": …, "left_out": …}`.

        `n` counts users, or ratings if there are only rating metrics. If there are both, `n_ratings` counts the
        ratings. The standard error of a single row is `None`.
        """
        results: dict[str, float | int | None] = {}
        for name, mean in self.means.items():
            results[name] = mean
            if name in self.standard_errors:
                error = self.standard_errors[name]
                results[f"{name}_se"] = None if np.isnan(error) else error
        n_ratings = {"n_ratings": self.n_ratings} if self.n_users and self.n_ratings else {}
        return {**results, "n": self.n_users or self.n_ratings, **n_ratings, "left_out": self.left_out}

    def __repr__(self) -> str:
        lines = [
            f"{name:<16} {mean:.4f}{format_error(self.standard_errors.get(name))}" for name, mean in self.means.items()
        ]
        left_out = f"; {self.left_out:,} users without held-out items left out" if self.left_out else ""
        counts = {"users": self.n_users, "ratings": self.n_ratings}
        total = " and ".join(f"{count:,} {unit}" for unit, count in counts.items() if count)
        return "\n".join([*lines, f"over {total}{left_out}"])


def format_error(error: float | None) -> str:
    """A standard error as printed after its mean; empty if there is none."""
    return "" if error is None or np.isnan(error) else f" ± {error:.4f}"


def evaluate(
    model: RecommenderLike,
    held_out: HeldOut,
    metrics: Sequence[Any] | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> Evaluation:
    """Measures a model on a held-out part of a split.

    Ranking metrics: the items of `held_out.inputs` are masked to -inf and all other items are ranked, or those of
    `held_out.candidates`. Users without held-out items are left out and counted.

    RMSE and MAE: predictions are clipped to the metric's `value_range`, else the model's, else the range of
    `held_out.inputs`. The prediction for a user or item without a training rating is the middle of that range (3 for
    1 to 5), as in Sedhain et al. 2015. An item has no training rating if it has none in `held_out.inputs`; with
    `held_out.rows`, `held_out.inputs` is not the training table and only users are checked.

    Args:
        model: a trained model.
        held_out: `split.validation` or `split.test`.
        metrics: names or metrics (see `kerasrec.metrics.get`). Default: the model's.
        batch_size: rows per batch. Default: the model's. The scores of all users never exist at once.
        verbose: 1 shows a progress bar if evaluation takes longer than two seconds.

    Raises:
        TypeError: `held_out` is not a `HeldOut`, or `model` is not a model of kerasrec.
        ValueError: nothing is held out, a metric is neither a top-K metric nor RMSE or MAE, or the model does not
            support it.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, evaluate, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> model = EASE(split.train.n_items, reg=20.0)
        >>> _ = model.fit(split.train, verbose=0)
        >>> sorted(evaluate(model, split.test).means)
        ['ndcg_100', 'recall_20', 'recall_50']
    """
    if not isinstance(held_out, HeldOut):
        raise TypeError(f"`held_out`: expected HeldOut, for example `split.test`, got {type(held_out).__name__}")
    check_recommender(model)
    model.warn_if_trained_on(held_out)
    if held_out.targets is None or len(held_out.targets) == 0:
        raise ValueError("`held_out.targets` is empty: expected at least one held-out interaction")
    requested = model.metrics_for(metrics)
    top_k = [metric for metric in requested if isinstance(metric, TopKMetric)]
    rating = [metric for metric in requested if isinstance(metric, RatingMetric)]
    for metric in requested:
        if metric not in top_k and metric not in rating:
            raise ValueError(
                f"`metrics`: expected top-K metrics, RMSE or MAE, got {metric.name!r}. Fix: pass it to `compile`"
            )
    if rating and model.feedback != "ratings":
        raise ValueError(f"{rating[0].name} needs predicted ratings, and {type(model).__name__} predicts none")
    if top_k and model.rows == "items":
        raise ValueError(
            f"{top_k[0].name} ranks the items of a user, and the rows of this {type(model).__name__} are items. "
            "Fix: use RMSE or MAE"
        )

    means: dict[str, float] = {}
    errors: dict[str, float] = {}
    per_user: dict[str, FloatArray] = {}
    per_rating: dict[str, FloatArray] = {}
    has_targets = held_out.targets.counts > 0
    if top_k:
        ranking = _rankings(model, held_out, max(metric.k for metric in top_k), batch_size, verbose)
        counted = Ranking(*(part[has_targets] for part in ranking))
        for metric in top_k:
            if isinstance(metric, RankingMetric):
                per_user[metric.name] = values = ops.convert_to_numpy(metric.values(counted))
                means[metric.name], errors[metric.name], _ = clustered_mean(values, np.arange(len(values)))
            else:
                metric.reset_state()
                metric.update_ranking(counted)
                means[metric.name] = float(metric.result())
    roots = tuple(metric.name for metric in rating if isinstance(metric, RMSE))
    rating_users: IntArray = np.zeros(0, np.int64)
    if rating:
        targets = _held_out_ratings(model, held_out, batch_size, verbose)
        rating_users = targets.users
        for metric in rating:
            low, high = metric.value_range or model.value_range or _value_range(held_out.inputs)
            clipped = np.clip(targets.predicted, low, high)
            predicted = np.where(targets.cold, (low + high) / 2, clipped).astype(np.float32)
            per_rating[metric.name] = values = ops.convert_to_numpy(metric.error(targets.values - predicted))
            means[metric.name], errors[metric.name], _ = clustered_mean(values, rating_users)
            if metric.name in roots:
                root = means[metric.name] ** 0.5
                means[metric.name] = root
                errors[metric.name] = errors[metric.name] / (2 * root) if root else 0.0  # d√x = dx / 2√x
    return Evaluation(
        means=means,
        standard_errors=errors,
        n_users=int(has_targets.sum()) if top_k else 0,
        n_ratings=len(rating_users),
        left_out=int((~has_targets).sum()),
        per_user=per_user,
        per_rating=per_rating,
        user_ids=held_out.targets.user_ids[has_targets],
        held_out=_digest(held_out),
        roots=roots,
        rating_users=rating_users,
    )


def clustered_mean(values: FloatArray, clusters: IntArray) -> tuple[float, float, int]:
    """Mean, its standard error with values of one cluster not assumed independent, and the number of clusters.

        SE² = G / (G - 1) · Σ_g (Σ_{i ∈ g} (v_i - mean))² / n²

    With one value per cluster this is the usual standard error. A single cluster has the standard error `nan`.

    Args:
        values: v, `(n,)`.
        clusters: `(n,)` the cluster of each value, a non-negative integer.
    """
    values = values.astype(np.float64)
    mean = float(values.mean())
    sums = np.bincount(clusters, values - mean)[np.bincount(clusters) > 0]
    n_clusters = len(sums)
    if n_clusters < 2:
        return mean, float("nan"), n_clusters
    return mean, float(np.sqrt(n_clusters / (n_clusters - 1) * np.square(sums).sum()) / len(values)), n_clusters


class _Rankings(BatchPredictor):
    """The rankings `(batch, k)` of a recommender, compared with the held-out items.

    `"mask"` of the inputs is an additive mask, `(n_items,)`: 0, or -inf for items that are not ranked.
    """

    def __init__(self, model: RecommenderLike, k: int) -> None:
        super().__init__(model)
        self.k = k

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        x, y = self.model.with_sparse_rows(inputs["x"]), inputs["y"]
        scores = self.model.mask_seen(self.model(x, training=False), x)
        if "mask" in inputs:
            scores = scores + inputs["mask"]
        return rank(scores, observed_rows(y), self.k)._asdict()


class _HeldOutPredictions(BatchPredictor):
    """The predictions of a rating model for the held-out ratings, `(batch, length)`, padded as y is."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        ids = ops.maximum(ops.cast(inputs["y"]["ids"], "int32"), 0)
        return {"ratings": ops.take_along_axis(self.model(inputs["x"], training=False), ids, axis=-1)}


@dataclass(frozen=True)
class _HeldOutRatings:
    """Held-out ratings, `(n,)` each: their values, predictions, users, and whether user or item is unknown."""

    values: FloatArray
    predicted: FloatArray
    users: IntArray
    cold: Array


def _rankings(model: RecommenderLike, held_out: HeldOut, k: int, batch_size: int | None, verbose: int) -> Ranking:
    arrays = {} if held_out.candidates is None else {"mask": candidate_mask(held_out)}
    results = list(_Rankings.cached(model, k).predictions(model.batches(held_out, batch_size), verbose, **arrays))
    return Ranking(*(np.concatenate([result[name] for result in results]) for name in Ranking._fields))


def candidate_mask(held_out: HeldOut) -> FloatArray:
    """Additive mask of the items, `(n_items,)`: 0, or -inf for items that are not ranked."""
    mask = np.zeros(held_out.inputs.n_items, np.float32)
    if held_out.candidates is not None:
        mask[:] = EXCLUDED_SCORE
        mask[held_out.candidates] = 0.0
    return mask


def _held_out_ratings(
    model: RecommenderLike, held_out: HeldOut, batch_size: int | None, verbose: int
) -> _HeldOutRatings:
    batches = model.batches(held_out, batch_size)
    results = [result["ratings"] for result in _HeldOutPredictions.cached(model).predictions(batches, verbose)]
    inputs, targets = batches.inputs, batches.targets or batches.inputs
    predicted = np.empty(len(targets), np.float32)
    for number, result in enumerate(results):
        first = number * batches.batch_size
        counts = targets.counts[first : first + batches.batch_size]
        is_rating = np.arange(result.shape[1]) < counts[:, None]
        start = targets.indptr[first]
        predicted[start : start + counts.sum()] = result[is_rating]
    cold = (inputs.counts == 0)[targets.users]
    if held_out.rows is None:
        cold |= (inputs.item_counts == 0)[targets.items]
    # The batches of a model of item rows are ordered by item. The order by user, then item makes models comparable.
    users, items = (targets.users, targets.items) if model.rows == "users" else (targets.items, targets.users)
    order = np.lexsort((items, users))
    return _HeldOutRatings(targets.values[order], predicted[order], users[order].astype(np.int64), cold[order])


def _value_range(table: Interactions) -> tuple[float, float]:
    return float(table.values.min()), float(table.values.max())


def _digest(held_out: HeldOut) -> str:
    """A digest of the held-out interactions that does not depend on their order in the table."""
    targets = held_out.inputs if held_out.targets is None else held_out.targets
    order = np.lexsort((targets.items, targets.users))
    digest = hashlib.sha256()
    for array in (
        targets.user_ids[targets.users[order]],
        targets.item_ids[targets.items[order]],
        targets.values[order],
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    if held_out.candidates is not None:
        digest.update(held_out.candidates.tobytes())
    return digest.hexdigest()
