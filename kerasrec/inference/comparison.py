"""Paired comparison of models."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kerasrec.inference.evaluation import Evaluation, clustered_mean, format_error
from kerasrec.metrics import lower_is_better


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


@dataclass(frozen=True)
class PairedTest(Comparison):
    """One row of a `ComparisonTable`: the difference between two of its models on one metric.

    Attributes:
        metric: name of the metric.
        first: name of a model.
        second: name of another model.
        holm_p_value: `p_value`, corrected for the number of tests on this metric.
    """

    metric: str
    first: str
    second: str
    holm_p_value: float


@dataclass(frozen=True)
class ComparisonTable:
    """The result of `compare_all`. A notebook shows it as a table, `print` as Markdown.

    Attributes:
        results: name → evaluation, the best model first.
        tests: the paired tests, grouped by metric.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, Popularity, compare_all, evaluate, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> models = {"EASE": EASE(60, reg=20.0), "popularity": Popularity(60)}
        >>> histories = [model.fit(split.train, verbose=0) for model in models.values()]
        >>> table = compare_all({name: evaluate(model, split.test, ["ndcg_10"]) for name, model in models.items()})
        >>> list(table.results), table.metrics
        (['EASE', 'popularity'], ['ndcg_10'])
    """

    results: dict[str, Evaluation]
    tests: list[PairedTest]

    @property
    def metrics(self) -> list[str]:
        """Names of the compared metrics."""
        return list(dict.fromkeys(test.metric for test in self.tests))

    def to_markdown(self) -> str:
        """A table of means and standard errors, and one table of differences for each metric."""
        first = next(iter(self.results.values()))
        n, unit = (first.n_users, "users") if first.n_users else (first.n_ratings, "ratings")
        means = [
            [name, *(f"{result.means[m]:.4f}{format_error(result.standard_errors[m])}" for m in self.metrics)]
            for name, result in self.results.items()
        ]
        parts = [markdown_table([f"{n:,} {unit}", *self.metrics], means)]
        for metric in self.metrics:
            rows = [
                [
                    f"{test.first} - {test.second}",
                    f"{test.difference:+.4f}{format_error(test.standard_error)}",
                    f"{test.p_value:.2g}",
                    f"{test.holm_p_value:.2g}",
                ]
                for test in self.tests
                if test.metric == metric
            ]
            parts.append(markdown_table([metric, "difference", "p", "p (Holm)"], rows))
        return "\n".join(parts)

    def to_csv(self) -> str:
        """One row for each paired test, with the means of both models."""
        names = ("metric", "first", "second", "difference", "standard_error", "p_value", "holm_p_value")
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, "first_mean", "second_mean"])
        for test in self.tests:
            means = [self.results[name].means[test.metric] for name in (test.first, test.second)]
            writer.writerow([*(getattr(test, name) for name in names), *means])
        return file.getvalue()

    def __repr__(self) -> str:
        return self.to_markdown()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def compare_all(results: Mapping[str, Evaluation], baseline: str | None = None) -> ComparisonTable:
    """Compares any number of models user by user, with p-values that are corrected for the number of tests.

    Each pair of models is compared as by `compare`. The best of many equal models differs from the worst by chance, so
    the p-values of each metric are also given with Holm's correction: if no two models differ, the probability that
    any `holm_p_value` of the metric is below .05 is at most .05.

    Args:
        results: name → result of `evaluate`, all on the same part of the same split.
        baseline: name of the only model that the others are compared with, which leaves fewer tests to correct for.
            Default: every pair is compared.

    Returns:
        The models, sorted by the first metric, and the tests. The model that precedes in this order comes first in a
        pair; the baseline comes last.

    Raises:
        TypeError: `results` is not a dictionary, or a result is not an `Evaluation`.
        ValueError: `results` has fewer than two entries, the users, items or ratings of two results differ, no metric
            is in all results, or `baseline` is unknown.

    Example:
        >>> from kerasrec import EASE, HeldOutUsers, Popularity, compare_all, evaluate, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> models = {"EASE": EASE(60, reg=20.0), "EASE, reg=9": EASE(60, reg=9.0), "popularity": Popularity(60)}
        >>> histories = [model.fit(split.train, verbose=0) for model in models.values()]
        >>> table = compare_all({name: evaluate(model, split.test, ["ndcg_10"]) for name, model in models.items()})
        >>> len(table.tests), table.tests[-1].second
        (3, 'popularity')
        >>> print(table.to_csv().splitlines()[0])
        metric,first,second,difference,standard_error,p_value,holm_p_value,first_mean,second_mean
    """
    if not isinstance(results, Mapping):
        raise TypeError(
            f"`results`: expected names and results, got {type(results).__name__}. Fix: `{{'ease': result, …}}`"
        )
    if len(results) < 2:
        raise ValueError(f"`results`: expected at least two results, got {len(results)}")
    if baseline is not None and baseline not in results:
        raise ValueError(f"`baseline`: expected one of {', '.join(results)}, got {baseline!r}")
    first, *others = results.values()
    for other in others:
        compare(first, other)  # raises if the two cannot be compared
    metrics = [name for name in first.standard_errors if all(name in other.standard_errors for other in others)]
    if not metrics:
        raise ValueError("the results have no metric in common. Fix: evaluate all models with the same metrics")
    direction = 1 if lower_is_better(metrics[0]) else -1
    names = sorted(results, key=lambda name: direction * results[name].means[metrics[0]])
    if baseline is None:
        pairs = list(combinations(names, 2))
    else:
        pairs = [(name, baseline) for name in names if name != baseline]
    comparisons = {pair: compare(results[pair[0]], results[pair[1]]) for pair in pairs}
    tests = []
    for metric in metrics:
        tested = [comparisons[pair][metric] for pair in pairs]
        corrected = holm([comparison.p_value for comparison in tested])
        for pair, comparison, p_value in zip(pairs, tested, corrected, strict=True):
            tests.append(
                PairedTest(**vars(comparison), metric=metric, first=pair[0], second=pair[1], holm_p_value=p_value)
            )
    return ComparisonTable({name: results[name] for name in names}, tests)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the i-th smallest of m p-values times m - i + 1, at least the one before it.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors))
    return [float(value) for value in corrected]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """A Markdown table whose columns are aligned, so that it is also readable as text.

    Args:
        header: names of the columns.
        rows: the cells.
        left: numbers of the columns that are aligned to the left; the others contain numbers.
    """
    widths = [max(2, *map(len, column)) for column in zip(header, *rows, strict=True)]  # "-:" is the shortest rule
    rule = ["-" * width if n in left else "-" * (width - 1) + ":" for n, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if n in left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(aligned)} |\n"

    return line(header) + line(rule) + "".join(map(line, rows))
