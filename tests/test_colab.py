"""The notebooks match their scripts, run from top to bottom, and are stored with their outputs.

`KERASREC_WRITE_NOTEBOOKS=1 python -m pytest tests/test_colab.py -k runs` stores the outputs again. With `KERASREC_DATA`
it also runs the cells that need the network, on MovieLens from that folder.
"""

import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from kerasrec_testing.notebooks import COLAB, SCRIPTS, executed, noise, outline, store, tags_of

from kerasrec.data.distributed import KERAS_NEEDED, keras_version

WRITES = bool(os.environ.get("KERASREC_WRITE_NOTEBOOKS"))
INSTALL = re.compile(
    r'KERASREC = "git\+https://github\.com/[\w.-]+/[\w.-]+"  # .*\n%pip install -q "\{KERASREC\}"( [a-z ]+)?'
)

every_notebook = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def stored(script):
    return nbformat.read(script.with_suffix(".ipynb"), as_version=4)


@every_notebook
def test_notebook_matches_its_script(script):
    notebook = stored(script)
    expected = jupytext.read(script)
    found, wanted = (
        [(cell.cell_type, cell.source, tags_of(cell)) for cell in cells] for cells in (notebook.cells, expected.cells)
    )
    assert found == wanted, "run: KERASREC_WRITE_NOTEBOOKS=1 python -m pytest tests/test_colab.py -k runs"


@every_notebook
def test_notebook_starts_with_a_colab_badge_and_the_installation(script):
    title, install, imports = jupytext.read(script).cells[:3]
    assert f"/blob/main/colab/{script.stem}.ipynb)" in title.source
    assert "install" in install.metadata["tags"]
    assert INSTALL.fullmatch(install.source), "all notebooks install kerasrec in the same way"
    assert "Fix: run the cell above" in imports.source


@every_notebook
def test_script_compiles(script):
    compile(script.read_text(encoding="utf-8"), script, "exec")


WITH_NETWORK = WRITES and "KERASREC_DATA" in os.environ
SKIPPED = ("install",) if WITH_NETWORK else ("install", "network")


@pytest.fixture(scope="module")
def executed_notebooks(request, tmp_path_factory):
    """Script → executed notebook, for the scripts of the selected tests."""
    tests = [item for item in request.session.items if item.nodeid.partition("[")[0].endswith("::test_notebook_runs")]
    selected = [script for script in SCRIPTS if script in {item.callspec.params["script"] for item in tests}]
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")  # Jupyter would not show what C++ code prints
        patch.setenv("PYTHONPATH", str(COLAB.parent))
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        patch.setenv("TFDS_DATA_DIR", str(folder / "tfds"))
        chooses_backend = [script for script in selected if "KERAS_BACKEND" in script.read_text(encoding="utf-8")]
        results = executed([script for script in selected if script not in chooses_backend], folder, SKIPPED)
        for script in chooses_backend:
            results |= executed([script], folder, SKIPPED)
    return results


@pytest.mark.slow
@every_notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # from Jupyter
def test_notebook_runs(script, executed_notebooks):
    if "keras.distribution" in script.read_text(encoding="utf-8") and keras_version() < KERAS_NEEDED:
        pytest.skip("this version of Keras is refused")
    notebook = executed_notebooks[script]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert "\n".join(noise(notebook)) == ""
    if WRITES:
        store(notebook, script, keep_tags=() if WITH_NETWORK else ("network",))
    for cell, stored_cell in zip(notebook.cells, stored(script).cells, strict=True):
        if not set(tags_of(cell)) & set(SKIPPED):
            assert outline(cell) == outline(stored_cell), cell.source
    if "plots." in script.read_text(encoding="utf-8"):
        assert "image/png" in {kind for output in outputs for kind in output.get("data", {})}


@every_notebook
def test_stored_outputs_contain_no_rows_of_movielens(script):
    for cell in stored(script).cells:
        if "network" in tags_of(cell):
            kinds = {kind for output in cell.outputs for kind in output.get("data", {"stream": ""})}
            assert "image/png" in kinds or "ndcg" in str(cell.outputs).lower()
            assert "text/html" not in kinds  # a frame
            assert "user_ids" not in str(cell.outputs)
