"""Results are drawn with their errors, and costs with their exponents."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from kerasrec import compare_all, evaluate, plots
from kerasrec.plots.style import NOT_FROM_ZERO, look


def test_a_comparison_shows_means_and_standard_errors(models, split):
    results = {name: evaluate(model, split.test, ["ndcg_10"]) for name, model in models.items()}
    axes = plots.comparison(results).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["popularity", "EASE"]
    centre, _, (bar,) = axes.containers[1]
    assert centre.get_xdata()[0] == pytest.approx(results["EASE"].means["ndcg_10"])
    (low, _), (high, _) = bar.get_segments()[0]
    assert high - low == pytest.approx(2 * results["EASE"].standard_errors["ndcg_10"])


def test_a_comparison_needs_metrics_that_all_results_have():
    results = {"a": {"ndcg_10": 0.3, "ndcg_10_se": 0.1}, "b": {"ndcg_10": 0.2, "ndcg_10_se": 0.1, "rmse": 1.0}}
    with pytest.raises(ValueError, match="some of ndcg_10, which all results have, got recall_3"):
        plots.comparison(results, ["recall_3"])
    with pytest.raises(ValueError, match="at least one model"):
        plots.comparison({})


def test_differences_are_those_of_the_paired_tests(models, split):
    results = {name: evaluate(model, split.test, ["ndcg_10", "recall_5"]) for name, model in models.items()}
    results["again"] = results["EASE"]
    table = compare_all(results)
    figure = plots.differences(table)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["EASE", "again", "popularity"]
    for axes, metric in zip(figure.axes, ("ndcg_10", "recall_5"), strict=True):
        equal, worse = (container[0].get_xdata()[0] for container in axes.containers)
        assert equal == 0
        assert worse == pytest.approx(results["popularity"].means[metric] - results["EASE"].means[metric])
    last = figure.axes[0].containers[-1][0]
    significant = table.tests[1].holm_p_value < 0.05
    assert (last.get_markerfacecolor() == "white") == (not significant)


def test_efficiency_marks_what_no_cheaper_model_beats():
    results = {"a": {"rmse": 0.9, "rmse_se": 0.01}, "b": {"rmse": 1.0}, "c": {"rmse": 0.8}}
    figure = plots.efficiency(results, {"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 2.0, "c": 10.0}, "rmse")
    by_seconds, by_megabytes = figure.axes
    steps = [axes.lines[0].get_xydata().tolist() for axes in (by_seconds, by_megabytes)]
    assert steps == [[[1.0, 0.9]], [[2.0, 1.0], [3.0, 0.9], [10.0, 0.8]]]
    assert "lower is better" in by_seconds.get_ylabel() and NOT_FROM_ZERO in by_seconds.get_ylabel()
    assert "Training time unknown: c" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="expected a metric of all results, got 'mae', which a lacks"):
        plots.efficiency(results, {}, {}, "mae")
    with pytest.raises(plots.NotApplicableError, match="no model has a cost"):
        plots.efficiency(results, {}, {}, "rmse")


def test_names_of_many_models_do_not_overlap():
    names = [f"a_long_name_{n}" for n in range(26)]
    rng = np.random.default_rng(0)
    results = {name: {"ndcg_10": rng.normal(0.3, 0.01), "ndcg_10_se": 0.01} for name in names}
    seconds = dict(zip(names, rng.lognormal(0, 1, len(names)), strict=True))
    figure = plots.efficiency(results, seconds, dict.fromkeys(names, 2.0), "ndcg_10")
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(text) for text in axes.texts]  # without the line to the point
        overlaps = sum(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        assert (len(boxes), overlaps) == (26, 0)


def test_lines_of_many_models_differ():
    assert len({look(n) for n in range(49)}) == 49


def test_coverage_and_popularity_bias_are_those_of_the_lists(models, split, lines):
    covered, concentration = plots.coverage(models, split, k=10).axes
    is_measured = split.test.targets.counts > 0
    lists = models["EASE"].recommend(split.test.inputs, k=10).item_ids[is_measured]
    width = {bar.get_y() + bar.get_height() / 2: bar.get_width() for bar in covered.patches}[1]
    assert width == pytest.approx(100 * len(np.unique(lists)) / split.train.n_items)
    ease, popularity, training = lines(concentration)
    assert (popularity >= training - 1e-9).all()  # the most popular items that are new to each user
    assert popularity[len(popularity) // 2] > ease[len(ease) // 2]
    assert ease[-1] == popularity[-1] == training[-1] == pytest.approx(100)


def test_costs_show_how_they_grow(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("name,size,cost\na,10,1\na,1000,100\nb,10,3\n")
    axes = plots.costs(plots.read_costs(path)).axes[0]
    assert axes.get_legend_handles_labels()[1] == ["a, grows as n^1.0", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,size,cost\na,10,free\n", "line 2: expected the columns name, size and cost"),
        ("name,size\na,10\n", "line 2: expected the columns"),
        ("name,size,cost\na,10,0\n", "line 2: expected size and cost above 0, got 10 and 0"),
        ("name,size,cost\na,10,nan\n", "line 2: expected size and cost above 0"),
        ("name,size,cost\n", "expected rows with name, size and cost, got none"),
    ],
)
def test_bad_files_of_costs_are_refused(tmp_path, content, message):
    path = tmp_path / "costs.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        plots.read_costs(path)


def test_binary_files_of_costs_are_refused(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="got no text"):
        plots.read_costs(path)
