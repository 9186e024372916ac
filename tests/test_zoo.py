"""Every recipe runs, and the table says what the results say."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ZOO = Path(__file__).parents[1] / "zoo"
RECIPES = sorted(path.stem for path in ZOO.glob("*.py") if "RECIPE = " in path.read_text())


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_smokes(recipe, tmp_path, monkeypatch):
    """In this process, which has TensorFlow already; `python zoo/RECIPE.py` puts its own folder first on the path."""
    command = [str(ZOO / f"{recipe}.py"), "--smoke", "--seeds", "1,2", "--out", str(tmp_path / "result.json")]
    monkeypatch.setattr(sys, "argv", [*command, "--export", str(tmp_path / "served")])
    monkeypatch.syspath_prepend(str(ZOO))
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
    sys.path.insert(0, str(ZOO))
    try:
        import table
    finally:
        sys.path.remove(str(ZOO))
    assert (ZOO / "README.md").read_text() == table.table(), "run: python zoo/table.py"
