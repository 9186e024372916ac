"""Figures with their standard errors, for any model and any held-out part of a split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kerasrec import metrics as kerasrec_metrics
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.models.base import Recommender
from kerasrec.ops.ranking import Ranking, rank
from kerasrec.ops.sparse_rows import observed_rows
from kerasrec.types import Array, BoolArray, FloatArray, Tensor


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured.

    Attributes:
        means: metric → mean over users, or over all ratings together for RMSE and MAE.
        standard_errors: metric → standard error of that mean (by the delta method for RMSE).
            Absent for metrics that are no mean, such as coverage.
        n_users: how many users the means of ranking metrics are over; 0 where there are none.
        n_ratings: how many ratings RMSE and MAE are over, likewise.
        left_out: how many users had nothing held out and stand in no mean.
        per_user: metric → `(n_users,)` float32, the users' own figures, of ranking metrics.
        per_rating: metric → `(n_ratings,)` float32, squared or absolute errors, of RMSE and MAE, by user and then item.
        user_ids: `(n_users,)` the users with something held out.
        held_out: a digest of who was held out what, by which two figures are known to be comparable.
        roots: the metrics that are the root of their values' mean, as RMSE is, whatever its name.
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

    def as_dict(self) -> dict[str, float | int | None]:
        """`{"ndcg_100": …, "ndcg_100_se": …, …, "n": …, "left_out": …}`; a standard error of one row is `None`.

        `n` counts users, or ratings where there are no ranking metrics; where there are both, `n_ratings` is there too.
        """
        figures: dict[str, float | int | None] = {}
        for name, mean in self.means.items():
            figures[name] = mean
            if name in self.standard_errors:
                error = self.standard_errors[name]
                figures[f"{name}_se"] = None if np.isnan(error) else error
        both = {"n_ratings": self.n_ratings} if self.n_users and self.n_ratings else {}
        return {**figures, "n": self.n_users or self.n_ratings, **both, "left_out": self.left_out}

    def __str__(self) -> str:
        lines = [
            f"{name:<16} {mean:.4f}{spelled_error(self.standard_errors.get(name))}" for name, mean in self.means.items()
        ]
        left_out = f"; users with nothing held out, left aside: {self.left_out:,}" if self.left_out else ""
        counts = {"users": self.n_users, "ratings": self.n_ratings}
        over = " and ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        return "\n".join([*lines, f"over {over}{left_out}"])


def spelled_error(error: float | None) -> str:
    """A standard error as it stands behind its mean; nothing where there is none."""
    return "" if error is None or np.isnan(error) else f" ± {error:.4f}"


def evaluate(
    model: Recommender,
    held_out: HeldOut,
    metrics: Sequence[Any] | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> Evaluation:
    """Measures a model on a held-out part of a split.

    Ranking metrics: the items of `held_out.inputs` are masked to -inf, all others are ranked, and
    users with nothing held out are left aside. RMSE and MAE: predictions are clipped to the metric's
    `value_range`, or else the model's, or else the range of `held_out.inputs`, and a user or item without a rating is
    predicted the middle of it (3 of 1 to 5), as in Sedhain et al. 2015. Which items have one is told by
    `held_out.inputs`, if these are the training table: not where `held_out.rows` are given.

    Args:
        model: a trained model.
        held_out: `split.validation` or `split.test`.
        metrics: names or metrics (see `kerasrec.metrics.get`); the model's defaults where absent.
        batch_size: rows a batch, the model's default where absent; scores of all users never exist at once.
        verbose: 1 for a progress bar where it takes longer than two seconds.

    Raises:
        ValueError: nothing is held out, or a metric fits neither ranking nor ratings.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, evaluate, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> model = EASE(split.train.n_items, reg=20.0)
        >>> _ = model.fit(split.train, verbose=0)
        >>> sorted(evaluate(model, split.test).means)
        ['ndcg_100', 'recall_20', 'recall_50']
    """
    if not isinstance(held_out, HeldOut):
        raise TypeError(f"`held_out` must be a HeldOut, as `split.test` is, not {type(held_out).__name__}")
    if held_out.targets is None or len(held_out.targets) == 0:
        raise ValueError("nothing is held out: `held_out.targets` is empty")
    chosen = model.chosen_metrics(metrics)
    ranked = [m for m in chosen if hasattr(m, "update_ranking")]
    rated = [m for m in chosen if isinstance(m, (kerasrec_metrics.RMSE, kerasrec_metrics.MAE))]
    for metric in chosen:
        if metric not in ranked and metric not in rated:
            raise ValueError(
                f"{metric.name!r} is neither a ranking metric nor RMSE or MAE: give it to `compile` instead"
            )

    if rated and model.feedback != "ratings":
        raise ValueError(f"{rated[0].name} measures predicted ratings, which {type(model).__name__} does not make")

    means: dict[str, float] = {}
    errors: dict[str, float] = {}
    per_user: dict[str, FloatArray] = {}
    per_rating: dict[str, FloatArray] = {}
    counted = held_out.targets.counts > 0
    user_ids = held_out.targets.user_ids[counted]
    if ranked:
        if model.rows == "items":
            raise ValueError("a model of item rows predicts ratings; it is not ranked by user here")
        ranking = _rankings(model, held_out, max(m.k for m in ranked), batch_size, verbose)
        asked = Ranking(*(part[counted] for part in ranking))
        for metric in ranked:
            if isinstance(metric, kerasrec_metrics.RankingMetric):
                values = ops.convert_to_numpy(metric.values(asked))
                per_user[metric.name] = values
                means[metric.name], errors[metric.name] = _mean(values)
            else:
                metric.reset_state()
                metric.update_ranking(ranking)
                means[metric.name] = float(metric.result())
    roots = tuple(metric.name for metric in rated if isinstance(metric, kerasrec_metrics.RMSE))
    if rated:
        truth, predicted, cold = _ratings(model, held_out, batch_size, verbose)
        for metric in rated:
            low, high = metric.value_range or getattr(model, "value_range", None) or _range(held_out.inputs)
            answer = np.where(cold, (low + high) / 2, np.clip(predicted, low, high)).astype(np.float32)
            values = ops.convert_to_numpy(metric.error(truth - answer))
            per_rating[metric.name] = values
            means[metric.name], errors[metric.name] = _mean(values)
            if metric.name in roots:
                root = means[metric.name] ** 0.5
                means[metric.name] = root
                errors[metric.name] = errors[metric.name] / (2 * root) if root else 0.0  # d√x = dx / 2√x
    left_out = int((~counted).sum())
    n_users, n_ratings = len(user_ids) if ranked else 0, len(truth) if rated else 0
    return Evaluation(
        means, errors, n_users, n_ratings, left_out, per_user, per_rating, user_ids, _digest(held_out.targets), roots
    )


@dataclass(frozen=True)
class Comparison:
    """How far two models are apart on one metric.

    Attributes:
        difference: mean of the first minus mean of the second, over the same users (or ratings).
        standard_error: of that difference, from the paired values.
        p_value: of a two-sided paired t-test: how often chance alone would put equal models so far apart; `nan` for
            a single user or rating.
    """

    difference: float
    standard_error: float
    p_value: float


def compare(first: Evaluation, second: Evaluation) -> dict[str, Comparison]:
    """Compares two models user by user, which sees far smaller differences than two standard errors do.

    For RMSE and MAE what is paired are the errors of each rating.

    Args:
        first: of one model.
        second: of another model on the same part of the same split.

    Returns:
        Metric → comparison, for the metrics that both have.

    Raises:
        ValueError: they are not about the same users or ratings, or have no metric in common.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, Popularity, compare, evaluate, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> models = EASE(split.train.n_items, reg=20.0), Popularity(split.train.n_items)
        >>> histories = [model.fit(split.train, verbose=0) for model in models]
        >>> compare(*(evaluate(model, split.test) for model in models))["ndcg_100"].difference > 0
        True
    """
    for given in (first, second):
        if not isinstance(given, Evaluation):
            raise TypeError(f"`compare` takes what `evaluate` returns, not {type(given).__name__}")
    if not np.array_equal(first.user_ids, second.user_ids):
        raise ValueError("these are figures of other users: compare on the same split (same data, protocol and seed)")
    if first.held_out != second.held_out:
        raise ValueError(
            "these are figures of the same users, but other items or ratings were held out: compare on the same split "
            "(same data, protocol and seed)"
        )
    from scipy.stats import ttest_1samp  # four times as long to import as all of kerasrec

    ours, theirs = ({**e.per_user, **e.per_rating} for e in (first, second))
    if not ours.keys() & theirs.keys():
        raise ValueError(f"no metric is in both: {', '.join(ours)} in one, {', '.join(theirs)} in the other")
    found = {}
    for name in ours.keys() & theirs.keys():
        one, two = ours[name].astype(np.float64), theirs[name].astype(np.float64)
        if name in first.roots:  # of squared errors, to first order: d√x = dx / 2√x around each model's own mean
            means = first.means[name], second.means[name]
            one, two = ((e - m**2) / (2 * m) + m if m else e for e, m in zip((one, two), means, strict=True))
        apart = one - two
        difference, error = _mean(apart)
        if error == 0:  # the same difference for all, of which a t-test makes 0 / 0
            p_value = 0.0 if difference else 1.0
        else:
            p_value = float(ttest_1samp(apart, 0.0).pvalue) if len(apart) > 1 else float("nan")
        found[name] = Comparison(difference, error, p_value)
    return dict(sorted(found.items()))


class _Ranks(BatchPredictor):
    """A recommender's rankings `(batch, k)`."""

    def __init__(self, model: Recommender, k: int) -> None:
        super().__init__(model)
        self.k = k

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        x, y = inputs["x"], inputs["y"]
        scores = self.model.mask_seen(self.model(x, training=False), x)
        return rank(scores, observed_rows(y), self.k)._asdict()


class _Observed(BatchPredictor):
    """A rating model's predictions of what was held out, `(batch, length)`, padded as y is."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        ids = ops.maximum(ops.cast(inputs["y"]["ids"], "int32"), 0)
        return {"ratings": ops.take_along_axis(self.model(inputs["x"], training=False), ids, axis=-1)}


def _rankings(model: Recommender, held_out: HeldOut, k: int, batch_size: int | None, verbose: int) -> Ranking:
    answers = list(_Ranks.cached(model, k).predictions(model.batches(held_out, batch_size), verbose))
    return Ranking(*(np.concatenate([a[name] for a in answers]) for name in Ranking._fields))


def _ratings(
    model: Recommender, held_out: HeldOut, batch_size: int | None, verbose: int
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Held-out ratings, their predictions and whether there was nothing to tell them from, `(n,)` each."""
    made = model.batches(held_out, batch_size)
    answers = [answer["ratings"] for answer in _Observed.cached(model).predictions(made, verbose)]
    inputs, targets = made.inputs, made.targets or made.inputs
    counts = targets.counts
    predicted = np.empty(len(targets), np.float32)
    for batch in range(len(answers)):
        first = batch * made.batch_size
        for_batch = counts[first : first + made.batch_size]
        inside = np.arange(answers[batch].shape[1]) < for_batch[:, None]
        start = targets.indptr[first]
        predicted[start : start + for_batch.sum()] = answers[batch][inside]
    cold = (inputs.counts == 0)[targets.users]
    if held_out.rows is None:
        cold |= (inputs.item_counts == 0)[targets.items]
    # A model of item rows has met them by item: in one order, two models' errors can be compared pair by pair.
    as_user_model = (targets.items, targets.users) if model.rows == "users" else (targets.users, targets.items)
    order = np.lexsort(as_user_model)
    return targets.values[order], predicted[order], cold[order]


def _range(table: Interactions) -> tuple[float, float]:
    """The lowest and the highest rating."""
    return float(table.values.min()), float(table.values.max())


def _digest(targets: Interactions) -> str:
    """Tells apart what was held out, whatever the order in which a table lists it."""
    order = np.lexsort((targets.items, targets.users))
    digest = hashlib.sha256()
    for ids in (targets.user_ids[targets.users[order]], targets.item_ids[targets.items[order]], targets.values[order]):
        digest.update(np.ascontiguousarray(ids).tobytes())
    return digest.hexdigest()


def _mean(values: FloatArray) -> tuple[float, float]:
    """Mean and standard error."""
    values = values.astype(np.float64)
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return float(values.mean()), error
