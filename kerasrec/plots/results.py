"""Plots of results: metrics of several models, and costs by size."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasrec.inference.evaluation import Evaluation
from kerasrec.metrics import lower_is_better
from kerasrec.plots.style import (
    COLOURS,
    GRID,
    MARKERS,
    headline,
    label_log_ticks,
    line,
    metric_label,
    panels,
    start_at_zero,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison(
    results: Mapping[str, Evaluation | Mapping[str, float]], metrics: Sequence[str] = (), title: str = ""
) -> Figure:
    """Metrics of several models side by side, with bars of one standard error to each side.

    Args:
        results: name → `Evaluation`, or a dictionary such as `Run.metrics["test"]`.
        metrics: names of metrics. Default: all that every result has.
        title: heading, such as the data and the protocol.

    Raises:
        ValueError: `results` is empty, or a metric is missing from one of them.
    """
    by_name = {name: r.as_dict() if isinstance(r, Evaluation) else r for name, r in results.items()}
    if not by_name:
        raise ValueError("`results`: expected at least one model, got none")
    shared = [m for m in next(iter(by_name.values())) if all(f"{m}_se" in result for result in by_name.values())]
    metrics = list(metrics) or shared
    if not metrics or not set(metrics) <= set(shared):
        raise ValueError(
            f"`metrics`: expected some of {', '.join(shared) or 'no metric'}, which all results have, "
            f"got {', '.join(metrics) or 'none'}"
        )
    size = (3.2 * len(metrics) + 1.2, 1.6 + 0.38 * len(by_name))
    heading = headline(title, "Bars: one standard error to each side")
    figure, all_axes = panels(*size, len(metrics), heading, sharey=True)
    for axes, metric in zip(all_axes, metrics, strict=True):
        for place, result in enumerate(reversed(by_name.values())):
            n = (len(by_name) - 1 - place) % len(COLOURS)
            error = result[f"{metric}_se"]
            axes.errorbar(result[metric], place, xerr=error, fmt=MARKERS[n], color=COLOURS[n], capsize=3)
        axes.set_xlabel(metric_label(metric) + ("\n(lower is better)" if lower_is_better(metric) else ""))
        axes.grid(axis="x", color=GRID, lw=0.8)
        axes.set_ylim(-0.7, len(by_name) - 0.3)
        axes.locator_params(axis="x", nbins=6)
        start_at_zero(axes, "x")
    all_axes[0].set_yticks(range(len(by_name)), list(reversed(by_name)))
    return figure


def costs(
    points: Mapping[str, Sequence[tuple[float, float]]], size: str = "interactions", unit: str = "s", title: str = ""
) -> Figure:
    """Cost by size on logarithmic axes, one line per candidate. The slope of a straight line is its exponent.

    Args:
        points: name → (size, cost) pairs.
        size: label of the sizes.
        unit: of the costs, for example `"s"`, `"MB"`, `"ms per request"`.
        title: heading, such as the models and the machine.
    """
    figure, (axes,) = panels(6, 4, title=title)
    for n, (name, pairs) in enumerate(points.items()):
        sizes, cost = np.array(sorted(pairs), np.float64).T
        slope = f", grows as n^{np.polyfit(np.log(sizes), np.log(cost), 1)[0]:.1f}" if len(set(sizes)) > 1 else ""
        line(axes, sizes, cost, n, name + slope, markers=True)
    axes.set(xscale="log", yscale="log", xlabel=f"{size} (log scale)", ylabel=f"cost ({unit}, log scale)")
    axes.set_title("Cost by size", loc="left")
    for dimension in ("x", "y"):
        label_log_ticks(axes, dimension)
    axes.grid(color=GRID, lw=0.8)
    axes.legend(frameon=False)
    return figure


def read_costs(path: str | os.PathLike[str]) -> dict[str, list[tuple[float, float]]]:
    """The points for `costs`, from a CSV file with the columns `name`, `size` and `cost`.

    Raises:
        ValueError: the file is not text or has no rows, a column is missing, or a size or cost is not a positive
            number.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8").split("\n")))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected a CSV file with the columns name, size and cost, got no text") from None
    for n, row in enumerate(rows, 2):
        try:
            name, size, cost = row["name"], float(row["size"]), float(row["cost"])
        except (KeyError, TypeError, ValueError):
            message = f"{path}, line {n}: expected the columns name, size and cost, the last two with numbers"
            raise ValueError(message) from None
        if not (0 < size < np.inf and 0 < cost < np.inf):
            raise ValueError(f"{path}, line {n}: expected size and cost above 0, got {size:g} and {cost:g}")
        points.setdefault(name, []).append((size, cost))
    if not points:
        raise ValueError(f"{path}: expected rows with name, size and cost, got none")
    return points
