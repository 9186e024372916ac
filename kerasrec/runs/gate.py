"""The deployment gate: whether a candidate is at least as good as the deployed model, on data that neither has seen."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasrec.data import HeldOut, Interactions
from kerasrec.data.ids import lookup
from kerasrec.inference.comparison import Comparison, compare
from kerasrec.inference.evaluation import Evaluation, clustered_mean, evaluate
from kerasrec.inference.recommend import user_rows
from kerasrec.metrics import RMSE, RankingMetric, get, lower_is_better
from kerasrec.ops.ranking import Ranking
from kerasrec.runs.newer_data import read_newer
from kerasrec.runs.run import Run
from kerasrec.types import BoolArray, IntArray
from kerasrec.validation import check_at_least

CONFIDENCE = 0.95


@dataclass(frozen=True)
class GateResult:
    """The result of `compare_on_newest`.

    Attributes:
        accepted: whether `lower_end` is above `-tolerance`.
        metric: name of the metric.
        candidate: the candidate's mean.
        deployed: the deployed model's mean.
        comparison: candidate minus deployed, over the same users (or ratings).
        lower_end: lower end of the 95 % interval of the improvement: of that difference, or of its negative if a lower
            metric is better.
        tolerance: the difference that is accepted as not worse, in the unit of the metric.
        n_users: number of users with newer interactions.
        newer_than: seconds since 1970 of the latest interaction that one of the runs contains; `None` without times.
    """

    accepted: bool
    metric: str
    candidate: float
    deployed: float
    comparison: Comparison
    lower_end: float
    tolerance: float
    n_users: int
    newer_than: int | None

    def __str__(self) -> str:
        difference = f"{self.comparison.difference:+.4f} ± {self.comparison.standard_error:.4f}"
        period = ""
        if self.newer_than is not None:
            period = f" after {datetime.datetime.fromtimestamp(self.newer_than, datetime.UTC):%Y-%m-%d %H:%M} UTC"
        return "\n".join(
            [
                f"{self.metric}: candidate {self.candidate:.4f}, deployed {self.deployed:.4f}, difference {difference}",
                f"over {self.n_users:,} users with interactions{period} that neither model has seen",
                f"{'accepted' if self.accepted else 'rejected'}: the lower end of the 95 % interval of the improvement "
                f"is {self.lower_end:+.4f}; expected above {-self.tolerance:+.4f}",
            ]
        )


def compare_on_newest(
    candidate: Run, deployed: Run, data: str | Interactions, metric: str | None = None, margin: float = 0.01
) -> GateResult:
    """Compares two runs on the interactions that are newer than both.

    A user's history is all that is not newer. The lists are those that the models would return to these users: unknown
    users get popular items, and an item that is in only one catalogue counts for both. RMSE is computed over the
    ratings of items in both catalogues.

    Args:
        candidate: the run that may be deployed.
        deployed: the run that is deployed now.
        data: file, folder or name of data that contain the histories and the newest period; or a table.
        metric: name of a ranking metric, or `"rmse"`. Default: `"ndcg_100"`, or `"rmse"` for rating models.
        margin: how much worse the candidate may be, as a share of the deployed model's metric.

    Returns:
        The comparison. The candidate is accepted if the lower end of the 95 % interval of the improvement is above
        `-margin` times the metric of the deployed model.

    Raises:
        ValueError: `data` contain nothing that is newer than both runs, or fewer than two users with newer
            interactions; one model predicts ratings and the other likes; or `margin` is negative.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, compare_on_newest, train
        >>> table = generate(n_users=200, n_items=60, seed=1)
        >>> older = table.select(table.times < sorted(table.times)[len(table) * 9 // 10])
        >>> options = {"split_options": {"held_out": 20}, "model_options": {"reg": 20.0}}
        >>> config = RunConfig("ease", "generated", "held-out-users", seed=1, epochs=1, batch_size=50, **options)
        >>> run = train(config, lambda: older, tempfile.mkdtemp())
        >>> compare_on_newest(run, run, table.likes()).accepted
        True
    """
    check_at_least(0, margin=margin)
    models = [run.model() for run in (candidate, deployed)]
    if models[0].feedback != models[1].feedback:
        raise ValueError(
            f"expected two models of {models[1].feedback}, got a candidate that predicts {models[0].feedback}"
        )
    name = metric or ("rmse" if models[1].feedback == "ratings" else "ndcg_100")
    table = read_newer(deployed, data) if isinstance(data, str) else data
    known = [run.histories() for run in (candidate, deployed)]
    trains = [run.split().train for run in (candidate, deployed)]
    is_newer, newer_than = _newer(table, known)
    if not is_newer.any():
        limit = "that are not in one of the runs" if newer_than is None else "after the latest of both runs"
        raise ValueError(f"expected interactions {limit}, got none in the data. Fix: give data with a newer period")
    # Items in neither catalogue would lower both metrics equally.
    is_newer &= np.isin(table.item_ids, np.concatenate([train.item_ids for train in trains]))[table.items]
    if not is_newer.any():
        raise ValueError(
            "expected newer interactions with items that one of the runs contains, got new items only. "
            "Fix: check whether the type or the spelling of the ids has changed, or wait for more data"
        )
    inputs, targets = (table.select(mask, compact=False) for mask in (~is_newer, is_newer))
    users = np.flatnonzero(targets.counts)
    if len(users) < 2:
        raise ValueError(f"expected 2 or more users with newer interactions, got {len(users)}. Fix: wait for more data")
    inputs, targets = inputs.take_users(users), targets.take_users(users)
    measure = _rating_errors if name == "rmse" else _list_metric
    evaluations = [
        measure(model, train, trains, inputs, targets, name) for model, train in zip(models, trains, strict=True)
    ]
    comparison = compare(*evaluations)[name]
    sign = -1.0 if lower_is_better(name) else 1.0
    from scipy.stats import t  # takes four times as long to import as all of kerasrec

    width = float(t.ppf((1 + CONFIDENCE) / 2, len(users) - 1)) * comparison.standard_error
    lower_end = sign * comparison.difference - width
    mean, deployed_mean = (evaluation.means[name] for evaluation in evaluations)
    tolerance = margin * deployed_mean
    accepted = lower_end > -tolerance or (lower_end == 0.0 == tolerance)
    return GateResult(accepted, name, mean, deployed_mean, comparison, lower_end, tolerance, len(users), newer_than)


def _newer(table: Interactions, known: list[Interactions]) -> tuple[BoolArray, int | None]:
    """Which interactions of a table are newer than all interactions of other tables, and new to them.

    Without times, those that are in none of the other tables.
    """
    is_newer = np.ones(len(table), bool)
    newer_than = None
    times = [part.times for part in known if part.times is not None]
    if table.times is not None and len(times) == len(known):
        newer_than = int(max(part.max() for part in times))
        is_newer = table.times > newer_than
    for part in known:
        rows, columns = user_rows(part, table.user_ids)[table.users], lookup(part.item_ids, table.item_ids)[table.items]
        pairs = np.where((rows < 0) | (columns < 0), -1, rows * np.int64(part.n_items) + columns)
        is_newer &= ~np.isin(pairs, part.users * np.int64(part.n_items) + part.items)
    return is_newer, newer_than


def _list_metric(
    model: Any, train: Interactions, trains: list[Interactions], inputs: Interactions, targets: Interactions, name: str
) -> Evaluation:
    """A ranking metric of the lists of a model over its own catalogue, with the items of both as targets."""
    metric = get(name)
    if not isinstance(metric, RankingMetric):
        raise ValueError(f"`metric`: expected a ranking metric, or rmse for rating models, got {name!r}")
    lists = model.recommend(inputs.with_catalogue(train.item_ids), min(metric.k, train.n_items), train=train)
    columns = lookup(targets.item_ids, lists.item_ids.ravel()).reshape(lists.item_ids.shape)
    pairs = np.arange(len(columns))[:, None] * np.int64(targets.n_items) + columns
    hits = np.isin(pairs, targets.users * np.int64(targets.n_items) + targets.items) & (columns >= 0)
    missing = [(0, 0), (0, metric.k - columns.shape[1])]
    ranking = Ranking(
        np.pad(columns, missing, constant_values=-1).astype(np.int32),
        np.pad(hits, missing).astype(np.float32),
        targets.counts.astype(np.float32),
    )
    values = np.asarray(metric.values(ranking))
    users: IntArray = np.arange(len(values))
    mean, error, _ = clustered_mean(values, users)
    return Evaluation({name: mean}, {name: error}, len(values), 0, 0, {name: values}, {}, targets.user_ids, "newest")


def _rating_errors(
    model: Any, train: Interactions, trains: list[Interactions], inputs: Interactions, targets: Interactions, name: str
) -> Evaluation:
    """The RMSE of a model over the ratings of items in both catalogues."""
    is_common = np.logical_and.reduce([np.isin(targets.item_ids, part.item_ids) for part in trains])
    targets = targets.select(is_common[targets.items], compact=False)
    rows = user_rows(train, inputs.user_ids)
    inputs, targets = inputs.with_catalogue(train.item_ids), targets.with_catalogue(train.item_ids)
    ranges = [train.values.min(), train.values.max()]
    metric = RMSE(value_range=model.value_range or (float(ranges[0]), float(ranges[1])))
    return evaluate(model.as_user_model(train), HeldOut(inputs, targets, rows), [metric])
