"""The notebooks are what their scripts say, and run from top to bottom."""

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
def test_a_notebook_is_its_script(script):
    written = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    meant = jupytext.read(script)
    for cells in (written.cells, meant.cells):
        for cell in cells:
            cell.pop("id", None)
    assert written.cells == meant.cells, "run: jupytext --to ipynb colab/*.py"
    compile(script.read_text(), script, "exec")  # as a script, too
    assert "install" in meant.cells[1].metadata["tags"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # Jupyter's own
def test_a_notebook_runs(script, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(COLAB.parent))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", [])]
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    asyncio.run(client.async_execute())
    shown = [kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})]
    if "plots." in script.read_text():
        assert "image/png" in shown
    errors = [out for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "error"]
    assert errors == []
