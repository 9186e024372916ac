"""Scripts that score all users without kerasrec: their processes, their inputs and their results."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

EXPORT = Path(__file__).parents[2] / "export"

# `None` in sys.modules makes each import of the package an error.
RUN_ALL = """
import json, runpy, sys
sys.modules["kerasrec"] = None
for arguments in json.load(sys.stdin):
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")
"""

EVENT_COLUMNS = ("--user", "who", "--item", "what", "--time", "at", "--value", "stars")
"""Options that name the columns of `write_events`."""


def python_with(module, variable):
    """The interpreter that an environment variable names, or this one if it has the module; otherwise `None`."""
    return os.environ.get(variable) or (sys.executable if importlib.util.find_spec(module) else None)


def run_script(python, script, *commands):
    """Runs a script of `export/` with the options of each command, in one process without kerasrec."""
    arguments = [[str(EXPORT / script), *map(str, command)] for command in commands]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    process = subprocess.run(
        [python, "-c", RUN_ALL],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr[-4000:]


def write_events(table, folder):
    """Writes the interactions as events in random order, with an older event of another value for each."""
    columns = {"who": table.user_ids[table.users], "what": table.item_ids[table.items]}
    newer = pa.table({**columns, "stars": table.values, "at": np.arange(len(table)) + 10_000})
    older = pa.table({**columns, "stars": 6 - table.values, "at": np.arange(len(table))})
    both = pa.concat_tables([newer, older])
    folder.mkdir()
    order = np.random.default_rng(0).permutation(len(both))
    for n, rows in enumerate(np.array_split(order, 3)):
        pyarrow.parquet.write_table(both.take(pa.array(rows)), folder / f"{n}.parquet")


def assert_same_lists(folder, expected):
    """Compares the lists in the files of a folder with a table of lists, row by row."""
    order = [("user_id", "ascending"), ("rank", "ascending")]
    lists, expected = pyarrow.parquet.read_table(folder).sort_by(order), expected.sort_by(order)
    assert lists.schema.equals(expected.schema)
    for name in ("user_id", "rank", "item_id"):
        assert lists[name].to_pylist() == expected[name].to_pylist(), name
    np.testing.assert_allclose(lists["score"], expected["score"], rtol=1e-5, atol=1e-6)
