"""Every recipe runs, and the table says what the results say."""

import importlib
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import kerasrec
from kerasrec.runs import Run

ZOO = Path(__file__).parents[1] / "zoo"
RECIPES = sorted(path.stem for path in ZOO.glob("*.py") if "RECIPE = " in path.read_text())


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_smokes(recipe, tmp_path, monkeypatch, capsys):
    """In this process, which has imported TensorFlow already."""
    command = [str(ZOO / f"{recipe}.py"), "--smoke", "--seeds", "1,2", "--out", str(tmp_path / "result.json")]
    monkeypatch.setattr(sys, "argv", [*command, "--export", str(tmp_path / "served"), "--runs", str(tmp_path / "runs")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(command[0], run_name="__main__")
    assert not ended.value.code
    result = json.loads((tmp_path / "result.json").read_text())
    for metric, figure in result["test"].items():
        values = [run["test"][metric] for run in result["runs"]]
        assert len(values) == 2
        assert figure["mean"] == pytest.approx(sum(values) / 2)
        assert figure["mean"] > 0
    assert (tmp_path / "served" / "1" / "saved_model.pb").exists()
    kept = Run(tmp_path / "runs" / "seed-2")
    again = kept.evaluate(list(result["test"]))["test"]
    assert again.means == pytest.approx({m: result["runs"][1]["test"][m] for m in again.means}, abs=1e-6)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(command[0], run_name="__main__")
    assert ended.value.code == 2
    assert "seed-1 is there already: choose another folder for --runs" in capsys.readouterr().err


@pytest.mark.parametrize("page", ["article", "refeeding"])
def test_page_smokes(page, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(ZOO / f"{page}.py"), "--smoke"])
    runpy.run_path(str(ZOO / f"{page}.py"), run_name="__main__")
    told = capsys.readouterr().out
    written = (ZOO / f"{page}.md").read_text()
    rows = {line.split(" | ")[0] for line in written.splitlines() if line.startswith("| ")}
    assert rows <= {line.split(" | ")[0] for line in told.splitlines()} and len(rows) > 3
    assert "nan" not in told


def test_a_recipe_runs_by_its_path(tmp_path):
    command = [
        sys.executable,
        ZOO / "popularity_ml_1m.py",
        "--smoke",
        "--seeds",
        "1",
        "--out",
        tmp_path / "result.json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ZOO.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ndcg_100" in done.stdout


def test_every_recipe_is_short():
    for recipe in RECIPES:
        assert len((ZOO / f"{recipe}.py").read_text().splitlines()) <= 90, recipe


def test_the_table_says_what_the_recipes_measured():
    assert {path.stem for path in (ZOO / "results").glob("*.json")} <= set(RECIPES)
    table = importlib.import_module("table")
    assert (ZOO / "README.md").read_text() == table.table(), "run: python zoo/table.py"


def test_a_given_split_holds_out_what_its_files_hold(tmp_path):
    given = importlib.import_module("given").Given
    parts = {"train": "0 10 11\n1 11 12\n", "valid": "0 12\n1 13\n", "test": "0 13\n1 10 14\n"}
    for name, lists in parts.items():
        (tmp_path / f"{name}.txt").write_text(lists)

    def pairs(table):
        return {(table.user_ids[u], table.item_ids[i]) for u, i in zip(table.users, table.items, strict=True)}

    held = {name: pairs(kerasrec.read(tmp_path / f"{name}.txt", layout="user-items")) for name in parts}
    test, valid = (str(tmp_path / f"{name}.txt") for name in ("test", "valid"))
    table = kerasrec.read(tmp_path)
    split = given(test, "own", validation=valid).split(table)
    assert pairs(split.train) == pairs(split.validation.inputs) == held["train"]
    assert pairs(split.validation.targets) == held["valid"]
    assert pairs(split.test.inputs) == held["train"] | held["valid"]
    assert pairs(split.test.targets) == held["test"]
    split = given(test, "own", validation=0.5).split(table)
    assert pairs(split.train) | pairs(split.validation.targets) == held["train"] | held["valid"]
    assert pairs(split.test.targets) == held["test"]


@pytest.fixture
def search(tmp_path):
    command = importlib.import_module("search").main
    journal = str(tmp_path / "journal")
    return lambda *told: CliRunner().invoke(command, [*told, "--smoke", "--journal", journal])


def test_a_search_tries_every_setting_once_and_finds_the_best(search):
    told = "edlae_ml_1m", "REG=1,1000000", "DROPOUT=0.2"
    done = search(*told).stdout.splitlines()
    rows = [line.split(" | ") for line in done if line.startswith("| 1")]
    assert sorted(row[0] for row in rows) == ["| 1", "| 1000000"]
    best = max(rows, key=lambda row: float(row[2]))[0].removeprefix("| ")
    assert done[-1] == f"best: REG={best}, DROPOUT=0.2"
    again = search(*told).stdout.splitlines()
    assert sorted(again) == sorted(done)  # seconds too: nothing was run again


def test_a_search_that_goes_on_draws_anew(search):
    told = "ease_ml_1m", "REG=1..1000", "--trials"
    drawn = [line.split(" | ")[0] for line in search(*told, "4").stdout.splitlines()[2:6]]
    goes_on = [line.split(" | ")[0] for line in search(*told, "8").stdout.splitlines()[2:10]]
    assert goes_on[:4] == drawn and len(set(goes_on)) == 8


def test_a_search_refuses_what_it_cannot_try(search):
    for told, complaint in (
        (("no_such_recipe", "REG=1"), "no_such_recipe is no recipe"),
        (("edlae_ml_1m", "REGG=1"), "edlae_ml_1m has no setting REGG"),
        (("edlae_ml_1m", "REG=1..10"), "say how many `--trials`"),
        (("edlae_ml_1m", "REG=10..1"), "REG=10..1: the ends of a range"),
        (("edlae_ml_1m", "REG.decay=1"), "edlae_ml_1m has no setting REG.decay"),
        (("edlae_ml_1m", "REG=1", "--validation", "0.1"), "has no share to hold out"),
        (("cfn_items_ml_1m", "EPOCHS=1", "--validation", "valid.txt"), "random-ratings cannot hold out 'valid.txt'"),
        (("edlae_ml_1m", "REG=1", "--seeds", "one"), "'one' is no list of whole numbers"),
    ):
        refused = search(*told)
        assert refused.exit_code == 2
        assert complaint in refused.stderr
