"""`kerasrec compare`."""

import csv
import shutil

import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec.runs import RunConfig, train


@pytest.fixture(scope="module")
def others(tmp_path_factory, table):
    """Two more runs on the split of `runs / "ease"`."""
    folder = tmp_path_factory.mktemp("others")
    for name, model, options in (("popularity", "popularity", {}), ("weak", "ease", {"reg": 5000.0})):
        config = RunConfig(model, "generated", "held-out-users", 1, 2, 50, {"held_out": 30}, options)
        train(config, lambda: table, folder / name)
    return folder


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_any_number_of_runs_are_compared_in_pairs(runs, others):
    result = invoke("compare", others / "popularity", runs / "ease", others / "weak", "--metric", "ndcg_10")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert cells(lines[0]) == ["30 users", "ndcg_10"]
    means = {name: float(mean.split()[0]) for name, mean in map(cells, lines[2:5])}
    assert list(means) == sorted(means, key=means.get, reverse=True)
    assert set(means) == {"ease", "popularity", "weak"}
    pairs = [cells(line) for line in lines[8:]]
    assert len(pairs) == 3
    for pair, difference, p, holm in pairs:
        first, second = pair.split(" - ")
        assert float(difference.split()[0]) == pytest.approx(means[first] - means[second], abs=2e-4)
        assert float(holm) >= float(p)


def test_the_result_is_written_as_markdown_and_csv(runs, others, tmp_path):
    folders = [runs / "ease", others / "popularity", others / "weak"]
    options = ["--baseline", others / "popularity", "--metric", "ndcg_10", "--metric", "recall_5"]
    result = invoke("compare", *folders, *options, "--to", tmp_path / "table.md")
    assert result.stdout.startswith((tmp_path / "table.md").read_text())
    invoke("compare", *folders, *options, "--to", tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["metric"] for row in rows] == ["ndcg_10"] * 2 + ["recall_5"] * 2
    assert {row["second"] for row in rows} == {"popularity"}
    invoke("compare", *folders[:2], *options[:2], "--metric", "ndcg_10", "--to", tmp_path / "differences.svg")
    assert "Differences from popularity" in (tmp_path / "differences.svg").read_text()
    difference = float(rows[0]["first_mean"]) - float(rows[0]["second_mean"])
    assert float(rows[0]["difference"]) == pytest.approx(difference)


def test_runs_of_the_same_name_are_named_by_path(runs, tmp_path):
    shutil.copytree(runs / "ease", tmp_path / "other" / "ease")
    output = invoke("compare", runs / "ease", tmp_path / "other" / "ease").output
    assert f"{runs / 'ease'} - {tmp_path / 'other' / 'ease'}" in output


def test_errors_of_compare(runs, others, tmp_path):
    ease, popularity = runs / "ease", others / "popularity"
    error = error_of("compare", ease, runs / "users")
    assert f"expected runs with the same protocol, got held-out-users in {ease} and random-ratings in" in error
    assert "RUN: expected at least two folders" in error_of("compare", ease)
    assert "expected different runs" in error_of("compare", ease, ease)
    assert "is not a run" in error_of("compare", ease, tmp_path)
    assert "--baseline: expected one of the RUN folders" in error_of("compare", ease, popularity, "--baseline", "x")
    assert "--to: expected a file that ends in .md, .csv, .png, .svg or .pdf" in error_of(
        "compare", ease, popularity, "--to", "x.bmp"
    )
