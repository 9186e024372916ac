"""Results are drawn with their errors, and costs with their exponents."""

import pytest

from kerasrec import evaluate, plots


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
