"""Plot of a leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasrec.plots.style import COLOURS, GREY, NotApplicableError, metric_label, panels
from kerasrec.runs.leaderboard import Leaderboard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = "#dddddd"


def leaderboard(board: Leaderboard) -> Figure:
    """Validation results with standard errors, and the time of each model.

    Args:
        board: the result of `kerasrec.runs.try_models`.

    Raises:
        NotApplicableError: no model is finished.
    """
    entries = board.ranking()
    if not entries:
        raise NotApplicableError("no model is finished")
    figure, (results, times) = panels(9, 1.6 + 0.38 * len(entries), 2, sharey=True, width_ratios=[2, 1])
    places = range(len(entries) - 1, -1, -1)
    for place, entry in zip(places, entries, strict=True):
        colour = COLOURS[1] if entry is board.winner else COLOURS[0]
        marker = "D" if entry is board.winner else "o"
        results.errorbar(entry.value, place, xerr=entry.standard_error, fmt=marker, color=colour, capsize=3)
        times.barh(place, entry.seconds, height=0.5, color=GREY)
        times.annotate(f" {entry.seconds:.0f} s", (entry.seconds, place), va="center", fontsize=9)
    results.set_yticks(list(places), [entry.model for entry in entries])
    results.set_xlabel(f"validation {metric_label(board.metric)}, bars: one standard error to each side")
    results.grid(axis="x", color=GRID, lw=0.8)
    times.set_xlabel("time (s)")
    times.margins(x=0.25)
    skipped = ", ".join(entry.model for entry in board.others())
    title = f"Best of {len(entries)} models: {entries[0].model}" + (f" (skipped: {skipped})" if skipped else "")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
