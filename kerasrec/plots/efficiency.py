"""Plot of a metric against the costs of the models: seconds of training and megabytes that are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.metrics import lower_is_better
from kerasrec.plots.style import (
    GREY,
    GRID,
    NotApplicableError,
    add_note,
    label_log_ticks,
    label_points,
    look,
    metric_label,
    panels,
    start_at_zero,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def efficiency(
    results: Mapping[str, Mapping[str, Any]],
    seconds: Mapping[str, float],
    megabytes: Mapping[str, float],
    metric: str = "ndcg_100",
    title: str = "",
) -> Figure:
    """A metric against seconds of training and against megabytes of served weights, both on logarithmic axes.

    The stepped line connects the models that no other model beats at the same cost or less.

    Args:
        results: name → metrics, such as `Run.metrics["test"]` or `Evaluation.as_dict()`.
        seconds: name → seconds of training. Models without an entry are missing from this panel.
        megabytes: name → megabytes of the weights that an export contains.
        metric: name of the metric.
        title: heading, such as the data and the protocol.

    Raises:
        NotApplicableError: no model has a cost.
        ValueError: a result lacks the metric.
    """
    lacking = [name for name, result in results.items() if metric not in result]
    if lacking:
        raise ValueError(f"`metric`: expected a metric of all results, got {metric!r}, which {lacking[0]} lacks")
    costs = {"seconds of training": seconds, "megabytes of served weights": megabytes}
    costs = {label: {n: c for n, c in by_name.items() if n in results and c > 0} for label, by_name in costs.items()}
    costs = {label: by_name for label, by_name in costs.items() if by_name}
    if not costs:
        raise NotApplicableError("no model has a cost")
    height = max(4.2, 2.5 + 0.2 * len(results))
    figure, all_axes = panels(4.6 * len(costs) + 0.6, height, len(costs), title, sharey=True)
    names = list(results)
    for axes, (label, by_name) in zip(all_axes, costs.items(), strict=True):
        axes.set(xscale="log", xlabel=f"{label} (log scale)")
        x, y = zip(*_front([(by_name[n], results[n][metric]) for n in by_name], lower_is_better(metric)), strict=True)
        axes.step(x, y, where="post", color=GREY, lw=1, zorder=0)
        for name, cost in by_name.items():
            colour, marker, _ = look(names.index(name))
            error, value = results[name].get(f"{metric}_se"), results[name][metric]
            axes.errorbar(cost, value, yerr=error, fmt=marker, color=colour, capsize=3, ms=6)
        axes.margins(x=0.25)
        label_log_ticks(axes)
        axes.grid(color=GRID, lw=0.8)
    better = " (lower is better)" if lower_is_better(metric) else ""
    all_axes[0].set_ylabel(metric_label(metric) + better)
    start_at_zero(all_axes[0])
    missing = [name for name in results if name not in seconds]
    note = "Bars: one standard error to each side. Line: the best result at this cost or less."
    add_note(figure, note + (f" Training time unknown: {', '.join(missing)}." if missing else ""))
    for axes, by_name in zip(all_axes, costs.values(), strict=True):
        label_points(figure, axes, np.array([(cost, results[n][metric]) for n, cost in by_name.items()]), list(by_name))
    return figure


def _front(points: Sequence[tuple[float, float]], lower: bool) -> list[tuple[float, float]]:
    """The points, in the order of their costs, whose value is better than that of all cheaper points."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], point[1] if lower else -point[1])):
        if not front or (value < front[-1][1] if lower else value > front[-1][1]):
            front.append((cost, value))
    return front
