"""Curves show the values of the history, and mark the best epoch."""

import pytest

from kerasrec import plots
from kerasrec.plots.style import NOT_FROM_ZERO


def test_curves_mark_the_best_epoch(lines):
    history = {"loss": [3.0, 2.0, 1.5], "val_ndcg_100": [0.1, 0.3, 0.2], "beta": [0.0, 0.1, 0.2]}
    loss, beta, metric = plots.curves(history).axes
    assert lines(loss)[0].tolist() == history["loss"]
    assert lines(beta)[0].tolist() == history["beta"]
    assert metric.get_title(loc="left") == "Validation: best 0.3000 at epoch 2"


def test_the_best_epoch_of_an_error_is_the_lowest():
    axes = plots.curves({"loss": [1.0, 0.5], "val_rmse": [0.9, 0.95]}).axes[1]
    assert axes.get_title(loc="left") == "Validation: best 0.9000 at epoch 1"


def test_epochs_without_a_value_are_left_out(lines):
    axes = plots.curves({"loss": [3.0, 2.0, 1.0], "val_ndcg_100": [float("nan"), 0.3, 0.2]}).axes[1]
    assert axes.lines[0].get_xdata().tolist() == [2, 3]
    assert lines(axes)[0].tolist() == [0.3, 0.2]


def test_a_history_without_a_loss_has_no_curves():
    with pytest.raises(plots.NotApplicableError, match="no loss"):
        plots.curves({"val_loss": [1.0]})


@pytest.mark.parametrize(
    ("metric", "training", "title"),
    [
        ("ndcg_100", [0.2, 0.5], "After the last epoch training is 0.200 above validation"),
        ("rmse", [0.2, 0.1], "After the last epoch training is 0.200 below validation"),
    ],
)
def test_training_and_validation_are_drawn_together(lines, metric, training, title):
    history = {f"train_{metric}": training, f"val_{metric}": [0.2, 0.3]}
    axes = plots.train_validation(history).axes[0]
    assert [line.tolist() for line in lines(axes)] == [training, [0.2, 0.3]]
    assert axes.get_title(loc="left") == title


def test_a_history_without_training_metrics_is_refused():
    with pytest.raises(plots.NotApplicableError, match="TrainingMetrics"):
        plots.train_validation({"val_ndcg_100": [0.1, 0.2]})
    with pytest.raises(plots.NotApplicableError, match="two or more epochs, got one"):
        plots.train_validation({"train_ndcg_100": [0.2], "val_ndcg_100": [0.1]})


def test_an_axis_starts_at_zero_or_states_that_it_does_not():
    loss, metric = plots.curves({"loss": [3.0, 1.0], "val_ndcg_100": [0.30, 0.31]}, title="ease on ml-1m").axes
    assert loss.get_ylim()[0] == 0 and NOT_FROM_ZERO not in loss.get_ylabel()
    assert NOT_FROM_ZERO in metric.get_ylabel()
    assert loss.figure.get_suptitle() == "ease on ml-1m"
