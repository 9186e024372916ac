"""Plot of a leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasrec.inference.comparison import ComparisonTable
from kerasrec.plots.differences import INTERVALS, draw_differences
from kerasrec.plots.style import (
    COLOURS,
    GREY,
    GRID,
    NotApplicableError,
    add_note,
    headline,
    metric_label,
    panels,
    start_at_zero,
)
from kerasrec.runs.leaderboard import Leaderboard

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def leaderboard(board: Leaderboard, table: ComparisonTable | None = None, title: str = "") -> Figure:
    """Validation results with standard errors, the paired differences from the best model, and the time of each model.

    Args:
        board: the result of `kerasrec.runs.try_models`.
        table: the models of the board compared with the winner on its metric:
            `compare_runs(runs, [board.metric], winner, part="validation")`. Without it, no differences are shown.
        title: heading, such as the data and the protocol.

    Raises:
        NotApplicableError: no model is finished.
    """
    entries = board.ranking()
    if not entries:
        raise NotApplicableError("no model is finished")
    skipped = ", ".join(entry.model for entry in board.others())
    result = f"Best of {len(entries)} models: {entries[0].model}" + (f" (skipped: {skipped})" if skipped else "")
    widths = [2, 2, 1] if table else [2, 1]
    size = 4 * len(widths) + 1, 2 + 0.38 * len(entries)
    figure, all_axes = panels(*size, len(widths), headline(title, result), sharey=True, width_ratios=widths)
    means, times = all_axes[0], all_axes[-1]
    places = range(len(entries) - 1, -1, -1)
    for place, entry in zip(places, entries, strict=True):
        is_winner = entry is board.winner
        colour, marker = (COLOURS[1], "D") if is_winner else (COLOURS[0], "o")
        means.errorbar(entry.value, place, xerr=entry.standard_error, fmt=marker, color=colour, capsize=3)
        times.barh(place, entry.seconds, height=0.5, color=GREY)
        times.annotate(f" {entry.seconds:.0f} s", (entry.seconds, place), va="center", fontsize=9)
    means.set_yticks(list(places), [entry.model for entry in entries])
    means.set_xlabel(f"validation {metric_label(board.metric)} ± one standard error")
    means.grid(axis="x", color=GRID, lw=0.8)
    start_at_zero(means, "x")
    if table is not None:
        draw_differences(all_axes[1], places, [entry.model for entry in entries], table, board.metric)
        all_axes[1].set_title(f"Differences from {entries[0].model}", loc="left", fontsize=10)
        add_note(figure, INTERVALS)
    times.set_xlabel("time (s)")
    times.margins(x=0.3)
    return figure
