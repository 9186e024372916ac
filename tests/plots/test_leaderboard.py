"""The plot of a leaderboard shows the finished models, the best on top, and names the others."""

import pytest

from kerasrec import compare_all, evaluate, plots
from kerasrec.runs.leaderboard import Leaderboard, Status


@pytest.fixture
def board(tmp_path):
    board = Leaderboard(tmp_path, ["popularity", "ease", "elsa"])
    for entry, value, seconds in zip(board.entries[:2], (0.2, 0.4), (1.0, 12.0), strict=True):
        entry.status, entry.value, entry.standard_error, entry.seconds = Status.FINISHED, value, 0.01, seconds
    board.entries[2].status, board.entries[2].note = Status.SKIPPED, "for lack of time"
    return board


def test_the_best_model_is_on_top_and_skipped_models_are_named(board):
    figure = plots.leaderboard(board)
    results, times = figure.axes
    places = {
        label.get_text(): place for label, place in zip(results.get_yticklabels(), results.get_yticks(), strict=True)
    }
    assert places == {"ease": 1, "popularity": 0}
    values = [container[0].get_xdata()[0] for container in results.containers]
    assert values == [0.4, 0.2]
    assert [bar.get_width() for bar in times.patches] == [12.0, 1.0]
    assert figure.get_suptitle() == "Best of 2 models: ease (skipped: elsa)"


def test_paired_differences_are_drawn_beside_the_means(board, models, split):
    results = {name.lower(): evaluate(model, split.validation, ["ndcg_100"]) for name, model in models.items()}
    table = compare_all(results, baseline="ease")
    means, differences, _ = plots.leaderboard(board, table, "generated, held-out-users").axes
    (test,) = table.tests
    centre, _, (bar,) = differences.containers[0]
    assert (centre.get_xdata()[0], centre.get_ydata()[0]) == (pytest.approx(test.difference), 0)
    (low, _), (high, _) = bar.get_segments()[0]
    assert 1.96 < (high - low) / (2 * test.standard_error) < 2.1  # a t-distribution of 39 degrees of freedom
    assert [label.get_text() for label in means.get_yticklabels()] == ["ease", "popularity"]
    assert means.figure.get_suptitle() == "generated, held-out-users\nBest of 2 models: ease (skipped: elsa)"


def test_a_leaderboard_without_a_finished_model_is_refused(tmp_path):
    with pytest.raises(plots.NotApplicableError, match="no model is finished"):
        plots.leaderboard(Leaderboard(tmp_path, ["ease"]))
