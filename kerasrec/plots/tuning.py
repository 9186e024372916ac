"""Plot of the trials of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.metrics import lower_is_better
from kerasrec.plots.style import (
    COLOURS,
    GREY,
    NotApplicableError,
    headline,
    label_log_ticks,
    metric_label,
    panels,
    start_at_zero,
)
from kerasrec.runs.trial_table import TrialRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SETTINGS = 4


def trials(rows: Sequence[TrialRow], metric: str = "ndcg_100", title: str = "") -> Figure:
    """Validation results of the trials of `kerasrec tune`, in order and by the value of each setting.

    Args:
        rows: the trials, from `kerasrec.runs.trial_table.read_trials`.
        metric: name of the metric.
        title: heading, such as the model, the data and the protocol.

    Raises:
        NotApplicableError: no trial has a result.
    """
    complete = [row for row in rows if row.value is not None]
    if not complete:
        raise NotApplicableError("no trial has a result")
    values = np.array([row.value for row in complete], np.float64)
    numbers = np.array([row.number for row in complete])
    best_so_far = (np.minimum if lower_is_better(metric) else np.maximum).accumulate(values)
    best = int(values.argmin() if lower_is_better(metric) else values.argmax())
    settings = [name for name in complete[0].settings if len({row.settings[name] for row in complete}) > 1]
    settings = settings[:MAX_SETTINGS]
    heading = headline(title, f"{len(rows)} trials: validation {metric_label(metric)} by setting")
    width, n = 3.4 * (1 + len(settings)) + 0.6, 1 + len(settings)
    figure, (first, *others) = panels(width, 3.6, n, heading, sharey=True)
    first.step(numbers, best_so_far, where="post", color=GREY, label="best so far")
    for axes, x in [
        (first, numbers),
        *((a, _positions(a, complete, n)) for a, n in zip(others, settings, strict=True)),
    ]:
        axes.plot(x, values, "o", color=COLOURS[0], ms=5, alpha=0.7)
        axes.plot(x[best], values[best], "D", color=COLOURS[1], ms=8, label=f"best: {values[best]:.4f}")
    for axes, name in zip(others, settings, strict=True):
        is_log = axes.get_xscale() == "log"
        axes.set_xlabel(f"{name} (log scale)" if is_log else name)
        if is_log:
            label_log_ticks(axes)
    stopped = len(rows) - len(complete)
    first.set(xlabel="trial" + (f" ({stopped} stopped early or failed)" if stopped else ""))
    first.set_ylabel(f"validation {metric_label(metric)}")
    first.legend(frameon=False, fontsize=8)
    start_at_zero(first)
    return figure


def _positions(axes: Any, rows: Sequence[TrialRow], name: str) -> Any:
    """Places of the values of a setting on the x axis, which is logarithmic if they span more than a factor of 20."""
    texts = [row.settings[name] for row in rows]
    try:
        numbers = np.array(texts, np.float64)
    except ValueError:  # widths such as 600,200
        labels = sorted(set(texts))
        axes.set_xticks(range(len(labels)), labels)
        axes.margins(x=0.2)
        return np.array([labels.index(text) for text in texts])
    if numbers.min() > 0 and numbers.max() > 20 * numbers.min():
        axes.set_xscale("log")
    return numbers
