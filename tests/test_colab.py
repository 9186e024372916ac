"""The notebooks match their scripts and run from top to bottom."""

import asyncio
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

COLAB = Path(__file__).parents[1] / "colab"
SCRIPTS = sorted(COLAB.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebook_matches_its_script(script):
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    expected = jupytext.read(script)
    for cells in (notebook.cells, expected.cells):
        for cell in cells:
            cell.pop("id", None)
    assert notebook.cells == expected.cells, "run: jupytext --to ipynb colab/*.py"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebook_starts_with_a_colab_badge_and_the_installation(script):
    title, install = jupytext.read(script).cells[:2]
    assert f"/blob/main/colab/{script.stem}.ipynb)" in title.source
    assert "install" in install.metadata["tags"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_compiles(script):
    compile(script.read_text(), script, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # from Jupyter
def test_notebook_runs(script, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(COLAB.parent))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", [])]
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    asyncio.run(client.async_execute())
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    if "plots." in script.read_text():
        assert "image/png" in {kind for output in outputs for kind in output.get("data", {})}
