"""Running the notebooks, and the outputs that they are stored with."""

import asyncio
import concurrent.futures
import re
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

COLAB = Path(__file__).parents[2] / "colab"
SCRIPTS = sorted(COLAB.glob("*.py"))
PROGRESS = re.compile(r"%\||\d(?:it|s|model|epoch)/|\?(?:it|model|epoch)/")
LOGGED = re.compile(r"interactions are likes")  # by kerasrec, for its users
WITHOUT_WIDGETS = re.compile(r"TqdmWarning: IProgress not found|as notebook_tqdm$")  # Colab has ipywidgets
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?")


def tags_of(cell):
    return cell.metadata.get("tags", [])


START = """%reset -f
import os, sys
os.makedirs({folder!r})
os.chdir({folder!r})
if "keras" in sys.modules:
    sys.modules["keras"].utils.clear_session()
%reset -f"""
"""The cell before each notebook: it gets an empty namespace, an empty folder and the first names of layers."""


def executed(scripts, folder, tags_to_skip=("install",)):
    """Executes the notebooks of scripts in one process, because each process imports TensorFlow for seconds.

    Args:
        scripts: paths of the scripts.
        folder: where the notebooks write their files, each in a folder of its own.
        tags_to_skip: cells with one of these tags are not run.

    Returns:
        Script → notebook, with the outputs of its cells. An exception is an output, and the next cells run.
    """
    notebooks = {script: jupytext.read(script) for script in scripts}
    together = nbformat.v4.new_notebook()
    for script, notebook in notebooks.items():
        together.cells += [nbformat.v4.new_code_cell(START.format(folder=str(folder / script.stem))), *notebook.cells]
        for cell in notebook.cells:
            if set(tags_of(cell)) & set(tags_to_skip):
                cell.metadata["tags"] = [*tags_of(cell), "skipped"]
    options = {"kernel_name": "python3", "timeout": 600, "skip_cells_with_tag": "skipped", "allow_errors": True}
    # A thread of its own, because Playwright may run an event loop in this one.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, NotebookClient(together, **options).async_execute()).result()
    for cell in together.cells:
        if "skipped" in tags_of(cell):
            cell.metadata["tags"] = tags_of(cell)[:-1]
    return notebooks


def noise(notebook):
    """Messages of TensorFlow, and lines on standard error without progress bars, logs of kerasrec and widget advice."""
    cells = [cell for cell in notebook.cells if "network" not in tags_of(cell)]  # downloads have bars of other forms
    outputs = [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]
    streams = {name: "".join(output.text for output in outputs if output.name == name) for name in ("stdout", "stderr")}
    messages = re.findall(r"^(?:WARNING|INFO|ERROR):.*", streams["stdout"], re.MULTILINE)
    lines = [line for line in re.split(r"[\r\n]+", streams["stderr"]) if line.strip()]
    known = (PROGRESS, LOGGED, WITHOUT_WIDGETS)
    return messages + [line for line in lines if not any(pattern.search(line) for pattern in known)]


def lasting_outputs(cell):
    """The outputs of a cell without progress bars, one for each stream; of a download, the results only."""
    outputs = []
    for output in cell.get("outputs", []):
        is_widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
        is_download = "network" in tags_of(cell) and output.output_type == "stream"
        if output.get("name") == "stderr" or is_widget or is_download:
            continue
        if outputs and output.output_type == outputs[-1].output_type == "stream":
            outputs[-1].text += output.text
        else:
            outputs.append(output)
    return outputs


def outline(cell):
    """What the outputs of a cell have in common on all machines: their kinds, and their texts without the numbers."""
    parts = []
    for output in lasting_outputs(cell):
        data = output.get("data", {"text/plain": output.get("text", "")})
        text = "" if "image/png" in data else NUMBER.sub("#", data["text/plain"])
        lines = [" ".join(line.split()).replace(" ,", ",") for line in text.splitlines()]  # numpy aligns numbers
        parts.append((output.output_type, sorted(data), len(lines) if "varies" in tags_of(cell) else lines))
    return parts


def store(notebook, script, keep_tags=()):
    """Writes a notebook with its outputs beside its script. Cells with one of `keep_tags` keep their stored outputs."""
    path = script.with_suffix(".ipynb")
    stored = nbformat.read(path, as_version=4).cells if path.exists() else []
    kept = {cell.source: cell.outputs for cell in stored if cell.cell_type == "code"}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            cell.metadata = {name: value for name, value in cell.metadata.items() if name != "execution"}
            cell.execution_count = None
            cell.outputs = kept.get(cell.source, []) if set(tags_of(cell)) & set(keep_tags) else lasting_outputs(cell)
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)
