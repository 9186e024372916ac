"""Plot of the paired differences between models, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.inference.comparison import ComparisonTable
from kerasrec.metrics import lower_is_better
from kerasrec.plots.style import COLOURS, GRID, add_note, metric_label, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.95
"""Coverage of the intervals."""

SIGNIFICANT = 0.05
"""Below this corrected p-value a difference is drawn as a filled point."""

INTERVALS = (
    "Bars: 95 % intervals of the mean difference by user, from the paired values. Filled points: p < .05 after Holm's "
    "correction for the number of tests."
)


def differences(table: ComparisonTable, title: str = "") -> Figure:
    """How much each model differs from a reference, with 95 % intervals of the paired differences.

    Two models differ less from each other on the same user than users differ among themselves. So these intervals are
    shorter than those of the means, and may exclude 0 where the standard errors of two means overlap.

    Args:
        table: the result of `compare_all` or `kerasrec.runs.compare_runs`. The reference is its baseline, or else the
            model that is best by the first metric. Of two models, it is the worse one.
        title: heading, such as the data and the protocol.
    """
    reference, names = reference_of(table), list(table.results)
    width, height = 3.4 * len(table.metrics) + 1.4, 2.1 + 0.38 * len(names)
    figure, all_axes = panels(width, height, len(table.metrics), title, sharey=True)
    places = range(len(names) - 1, -1, -1)
    for axes, metric in zip(all_axes, table.metrics, strict=True):
        draw_differences(axes, places, names, table, metric)
    all_axes[0].set_yticks(list(places), names)
    all_axes[0].set_title(f"Differences from {reference}", loc="left")
    add_note(figure, INTERVALS)
    return figure


def reference_of(table: ComparisonTable) -> str:
    """The model that the others are compared with: the baseline of the table, or its first model."""
    seconds = {test.second for test in table.tests}
    return seconds.pop() if len(seconds) == 1 else next(iter(table.results))


def draw_differences(
    axes: Any, places: Sequence[int], names: Sequence[str], table: ComparisonTable, metric: str
) -> None:
    """Draws the difference of each model from the reference on one metric, and the reference as a line at 0.

    Args:
        axes: where to draw.
        places: of the models on the vertical axis.
        names: of the models.
        table: the comparison.
        metric: name of a metric of the table.
    """
    from scipy.stats import t  # takes four times as long to import as all of kerasrec

    reference = reference_of(table)
    axes.axvline(0, color=COLOURS[6], lw=1)
    for place, name in zip(places, names, strict=True):
        if name == reference:
            axes.plot(0, place, "D", color=COLOURS[1], ms=7)
            continue
        test = next(
            test for test in table.tests if test.metric == metric and {test.first, test.second} == {name, reference}
        )
        sign = 1 if test.first == name else -1
        result = table.results[name]
        n_clusters = result.n_users or len(np.unique(result.rating_users))
        half = t.ppf((1 + LEVEL) / 2, n_clusters - 1) * test.standard_error if n_clusters > 1 else np.nan
        fill = COLOURS[0] if test.holm_p_value < SIGNIFICANT else "white"
        centre = sign * test.difference
        axes.errorbar(centre, place, xerr=half, fmt="o", color=COLOURS[0], mfc=fill, capsize=3)
    better = "lower is better" if lower_is_better(metric) else "higher is better"
    axes.set_xlabel(f"difference in {metric_label(metric)}\n({better})")
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.locator_params(axis="x", nbins=5)
