"""The scripts of zoo/: recipes, pages, the table of results, the provided split and the search.

The setting `pythonpath` of pytest contains zoo/, because the scripts import each other by name.
"""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import table
from click.testing import CliRunner
from provided_split import ProvidedSplit
from search import main as search_command

import kerasrec
from kerasrec.runs import Run

ZOO = Path(__file__).parents[1] / "zoo"
RECIPES = sorted(path.stem for path in ZOO.glob("*.py") if "RECIPE = " in path.read_text())
OF_A_MODEL_ON_OTHER_DATA = re.compile(
    r"(auto_rec|dan|ease|item_knn|kernel_net|feature_\w+|mult_vae|svae)_(\w*ml_100k\w*|beauty|gowalla|temporal_\w+)"
)
"""Recipes whose model has another recipe, for MovieLens 1M: they are smoke-tested only on request."""


def run_script(monkeypatch, name, *arguments):
    """Runs a script of the zoo in this process, which has already imported TensorFlow; returns its exit code."""
    path = str(ZOO / f"{name}.py")
    monkeypatch.setattr(sys, "argv", [path, "--smoke", *map(str, arguments)])
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as stop:
        return stop.code or 0
    return 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [pytest.param(name, marks=[pytest.mark.long] * bool(OF_A_MODEL_ON_OTHER_DATA.fullmatch(name))) for name in RECIPES],
)
def test_recipe_trains_and_stores_its_run(recipe, tmp_path, monkeypatch):
    result_file, runs = tmp_path / "result.json", tmp_path / "runs"
    options = ("--seeds", "1", "--out", result_file, "--runs", runs)
    assert run_script(monkeypatch, recipe, *options) == 0
    result = json.loads(result_file.read_text())
    assert all(summary["mean"] > 0 for summary in result["test"].values())
    test = Run(runs / "seed-1").evaluate(list(result["test"]))["test"]
    assert test.means == pytest.approx({metric: result["runs"][0]["test"][metric] for metric in test.means}, abs=1e-6)


def test_recipe_exports_its_model(tmp_path, monkeypatch):
    options = ("--seeds", "1", "--out", tmp_path / "result.json", "--export", tmp_path / "served")
    assert run_script(monkeypatch, "cdae_own_items_ml_1m", *options) == 0
    assert (tmp_path / "served" / "1" / "saved_model.pb").exists()


@pytest.mark.parametrize("recipe", ["cfn_items_ml_1m", "edlae_ml_1m"])
def test_recipe_reports_the_mean_over_its_seeds(recipe, tmp_path, monkeypatch):
    assert run_script(monkeypatch, recipe, "--seeds", "1,2", "--out", tmp_path / "result.json") == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert [run["seed"] for run in result["runs"]] == [1, 2]
    for metric, summary in result["test"].items():
        values = [run["test"][metric] for run in result["runs"]]
        assert summary["mean"] == pytest.approx(sum(values) / 2)
        assert summary["se_over_runs"] == pytest.approx(abs(values[0] - values[1]) / 2)


def test_recipe_does_not_overwrite_stored_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "seed-1").mkdir()
    assert run_script(monkeypatch, "popularity_ml_1m", "--runs", tmp_path) == 2
    assert "seed-1 already exists. Fix: choose another folder for --runs" in capsys.readouterr().err


def test_recipe_rejects_seeds_that_are_not_numbers(monkeypatch, capsys):
    assert run_script(monkeypatch, "popularity_ml_1m", "--seeds", "one") == 2
    assert "expected whole numbers separated by commas (1,2,3), got 'one'" in capsys.readouterr().err


def test_recipe_runs_by_its_path(tmp_path):
    script, result_file = ZOO / "popularity_ml_1m.py", tmp_path / "result.json"
    command = [sys.executable, script, "--smoke", "--seeds", "1", "--out", result_file]
    environment = {**os.environ, "PYTHONPATH": str(ZOO.parent)}
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr[-3000:]
    assert "ndcg_100" in process.stdout


def test_recipes_are_short():
    for recipe in RECIPES:
        assert len((ZOO / f"{recipe}.py").read_text().splitlines()) <= 90, recipe


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("page", ["article", "blend", "diversity", "refeeding"])
def test_script_prints_the_text_and_the_rows_of_its_page(page, monkeypatch, capsys):
    assert run_script(monkeypatch, page) == 0
    printed = capsys.readouterr().out
    assert "nan" not in printed
    stored = (ZOO / f"{page}.md").read_text()

    def row_names(text):
        return {line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")}

    def prose(text):
        text = re.sub(r"\d+ epochs", "N epochs", text[text.index("# ") :])
        return [line for line in text.splitlines() if line and not line.startswith("| ")]

    assert row_names(stored) <= row_names(printed) and len(row_names(stored)) > 3
    assert prose(stored) == prose(printed)


def test_baselines_have_the_best_settings_on_validation_data(tmp_path, monkeypatch, capsys):
    assert run_script(monkeypatch, "baselines", "temporal_ml_1m", "--baseline", "item_knn", "--out", tmp_path) == 0
    result = json.loads((tmp_path / "item_knn_temporal_ml_1m.json").read_text())
    assert (result["model"], result["recipe"]) == ("ItemKNN", "baselines")
    tried = re.findall(r"({'n_neighbours.*}): ndcg_100 ([.\d]+)", capsys.readouterr().out)
    assert len(tried) == 2
    best = max(tried, key=lambda setting: float(setting[1]))
    assert (str(result["settings"]), f"{result['runs'][0]['validation']['ndcg_100']:.4f}") == best


def test_table_matches_the_result_files():
    for path in (ZOO / "results").glob("*.json"):
        assert path.stem in RECIPES or json.loads(path.read_text())["recipe"] == "baselines", path
    assert (ZOO / "README.md").read_text() == table.table(), "run: python zoo/table.py"


def test_provided_split_holds_out_the_interactions_of_its_files(tmp_path):
    files = {"train": "0 10 11\n1 11 12\n", "valid": "0 12\n1 13\n", "test": "0 13\n1 10 14\n"}
    for name, lists in files.items():
        (tmp_path / f"{name}.txt").write_text(lists)

    def pairs(interactions):
        users, items = interactions.user_ids[interactions.users], interactions.item_ids[interactions.items]
        return set(zip(users, items, strict=True))

    expected = {name: pairs(kerasrec.read(tmp_path / f"{name}.txt", layout="user-items")) for name in files}
    test, valid = (str(tmp_path / f"{name}.txt") for name in ("test", "valid"))
    interactions = kerasrec.read(tmp_path)
    split = ProvidedSplit(test, "own", validation=valid).split(interactions)
    assert pairs(split.train) == pairs(split.validation.inputs) == expected["train"]
    assert pairs(split.validation.targets) == expected["valid"]
    assert pairs(split.test.inputs) == expected["train"] | expected["valid"]
    assert pairs(split.test.targets) == expected["test"]
    split = ProvidedSplit(test, "own", validation=0.5).split(interactions)
    assert pairs(split.train) | pairs(split.validation.targets) == expected["train"] | expected["valid"]
    assert pairs(split.test.targets) == expected["test"]


@pytest.fixture
def search(tmp_path):
    """Calls `python zoo/search.py` with a journal of its own."""
    journal = str(tmp_path / "journal")
    return lambda *arguments: CliRunner().invoke(search_command, [*arguments, "--smoke", "--journal", journal])


def test_search_tries_each_combination_once_and_prints_the_best(search):
    arguments = "edlae_ml_1m", "REG=1,1000000", "DROPOUT=0.2"
    lines = search(*arguments).stdout.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| 1")]
    assert sorted(row[0] for row in rows) == ["| 1", "| 1000000"]
    best = max(rows, key=lambda row: float(row[2]))[0].removeprefix("| ")
    assert lines[-1] == f"best: REG={best}, DROPOUT=0.2"
    # The second call prints the same seconds, so it has run no trial again.
    assert sorted(search(*arguments).stdout.splitlines()) == sorted(lines)


def test_resumed_search_draws_new_settings(search):
    arguments = "ease_ml_1m", "REG=1..1000", "--trials"
    first = [line.split(" | ")[0] for line in search(*arguments, "2").stdout.splitlines()[2:4]]
    resumed = [line.split(" | ")[0] for line in search(*arguments, "4").stdout.splitlines()[2:6]]
    assert resumed[:2] == first and len(set(resumed)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no_such_recipe", "REG=1"), "got no_such_recipe"),
        (("edlae_ml_1m", "REGG=1"), "edlae_ml_1m has no setting REGG"),
        (("edlae_ml_1m", "REG=1..10"), "a setting is a range. Fix: add --trials"),
        (("edlae_ml_1m", "REG=10..1"), "REG=10..1: expected a range"),
        (("edlae_ml_1m", "REG.decay=1"), "edlae_ml_1m has no setting REG.decay"),
        (("edlae_ml_1m", "REG=1", "--validation", "0.1"), "--validation does not apply to held-out-users"),
        (("cfn_items_ml_1m", "EPOCHS=1", "--validation", "valid.txt"), "expects a share (0.1), got 'valid.txt'"),
        (("edlae_ml_1m", "REG=1", "--seeds", "one"), "got 'one'"),
    ],
)
def test_search_rejects_invalid_arguments(search, arguments, message):
    result = search(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
