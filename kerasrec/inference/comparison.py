"""Paired comparison of two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasrec.inference.evaluation import Evaluation, clustered_mean


@dataclass(frozen=True)
class Comparison:
    """The difference between two models on one metric.

    Attributes:
        difference: mean of the first minus mean of the second, over the same users (or ratings).
        standard_error: of that difference, from the paired values, clustered by user.
        p_value: of a two-sided paired t-test: the probability of at least this difference between equal models;
            `nan` for a single user.
    """

    difference: float
    standard_error: float
    p_value: float


def compare(first: Evaluation, second: Evaluation) -> dict[str, Comparison]:
    """Compares two models user by user, which detects far smaller differences than two standard errors do.

    RMSE and MAE are compared by the errors of each rating. The ratings of one user are not independent, so the test
    clusters them by user.

    Args:
        first: the result of `evaluate` for one model.
        second: the result for another model on the same part of the same split.

    Returns:
        Metric → comparison, for the metrics that both have.

    Raises:
        TypeError: an argument is not an `Evaluation`.
        ValueError: the two were measured on different users, items or ratings, or have no metric in common.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, Popularity, compare, evaluate, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> models = EASE(split.train.n_items, reg=20.0), Popularity(split.train.n_items)
        >>> histories = [model.fit(split.train, verbose=0) for model in models]
        >>> compare(*(evaluate(model, split.test) for model in models))["ndcg_100"].difference > 0
        True
    """
    for argument in (first, second):
        if not isinstance(argument, Evaluation):
            raise TypeError(f"`compare`: expected two results of `evaluate`, got {type(argument).__name__}")
    if not np.array_equal(first.user_ids, second.user_ids):
        raise ValueError(
            "the two results have different users. Fix: evaluate both on the same split (data, protocol, seed)"
        )
    if first.held_out != second.held_out:
        raise ValueError(
            "the two results have the same users, but different held-out items or ratings. Fix: evaluate both on the "
            "same split (data, protocol, seed)"
        )
    first_values, second_values = ({**e.per_user, **e.per_rating} for e in (first, second))
    if not first_values.keys() & second_values.keys():
        raise ValueError(
            f"no common metric: the first has {', '.join(first_values)}, the second {', '.join(second_values)}"
        )
    comparisons = {}
    for name in sorted(first_values.keys() & second_values.keys()):
        one, two = first_values[name].astype(np.float64), second_values[name].astype(np.float64)
        if name in first.roots:  # of squared errors, to first order: d√x = dx / 2√x around each model's own mean
            means = first.means[name], second.means[name]
            one, two = (
                (values - mean**2) / (2 * mean) + mean if mean else values
                for values, mean in zip((one, two), means, strict=True)
            )
        clusters = first.rating_users if name in first.per_rating else np.arange(len(one))
        comparisons[name] = _paired_t_test(*clustered_mean(one - two, clusters))
    return comparisons


def _paired_t_test(difference: float, standard_error: float, n_clusters: int) -> Comparison:
    from scipy.stats import t  # takes four times as long to import as all of kerasrec

    if n_clusters < 2:
        p_value = float("nan")
    elif standard_error == 0:  # the same difference for all users: the t statistic would be 0 / 0
        p_value = 0.0 if difference else 1.0
    else:
        p_value = float(2 * t.sf(abs(difference) / standard_error, n_clusters - 1))
    return Comparison(difference, standard_error, p_value)
