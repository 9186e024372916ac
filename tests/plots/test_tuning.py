"""The plot of trials shows each result once per setting, and marks the best."""

import pytest

from kerasrec import plots
from kerasrec.runs.trial_table import TrialRow

ROWS = [
    TrialRow(1, 0.30, {"reg": "5", "hidden_dims": "600"}),
    TrialRow(2, None, {"reg": "50", "hidden_dims": "200"}),
    TrialRow(3, 0.40, {"reg": "500", "hidden_dims": "600,200"}),
    TrialRow(4, 0.35, {"reg": "900", "hidden_dims": "600"}),
]


def test_trials_are_drawn_by_number_and_by_setting(lines):
    by_number, by_reg, by_width = plots.trials(ROWS).axes
    assert lines(by_number)[0].tolist() == [0.30, 0.40, 0.40]  # the best so far
    assert by_number.lines[1].get_xdata().tolist() == [1, 3, 4]
    assert by_reg.lines[0].get_xdata().tolist() == [5, 500, 900]
    assert by_reg.get_xscale() == "log"
    assert [label.get_text() for label in by_width.get_xticklabels()] == ["600", "600,200"]
    for axes in (by_number, by_reg, by_width):
        assert axes.lines[-1].get_ydata().tolist() == [0.40]
    assert by_number.get_xlabel() == "trial (1 stopped early or failed)"


def test_of_errors_the_lowest_is_the_best(lines):
    axes = plots.trials(ROWS, "rmse").axes[0]
    assert lines(axes)[0].tolist() == [0.30, 0.30, 0.30]
    assert axes.lines[-1].get_xdata().tolist() == [1]


def test_trials_without_a_result_are_refused():
    with pytest.raises(plots.NotApplicableError, match="no trial has a result"):
        plots.trials(ROWS[1:2])
