"""`export/beam_score.py`: the lists of an export, in a process without kerasrec, against those of the model."""

import pyarrow as pa
import pytest
from kerasrec_testing.exports import exported
from kerasrec_testing.scored_lists import EVENT_COLUMNS, assert_same_lists, python_with, run_script, write_events

from kerasrec.data import pack
from kerasrec.inference import recommend_batches
from kerasrec.inference.recommendations import decoded

PYTHON = python_with("apache_beam", "KERASREC_BEAM_PYTHON")

pytestmark = pytest.mark.skipif(PYTHON is None, reason="needs Apache Beam: pip install '.[beam]'")


def test_lists_equal_those_of_the_model(tmp_path):
    commands, expected = [], {}
    for case in ("ease", "svae", "cdae", "auto_rec users"):
        model, table, version = exported(case)
        expected[case] = pa.concat_tables(map(decoded, recommend_batches(model, table, 8, train=table)))
        pack(table, tmp_path / case)
        write_events(table, tmp_path / f"{case}.events")
        options = ["--model", version.parent, "--k", 8, "--batch-size", 64]
        commands.append([*options, "--packed", tmp_path / case, "--out", tmp_path / f"{case}.packed" / "part"])
        events = [*EVENT_COLUMNS, "--shards", 3, "--events", tmp_path / f"{case}.events" / "*.parquet"]
        commands.append([*options, *events, "--out", tmp_path / f"{case}.scored" / "part"])
    # Other processes do not have the module of the script.
    workers = ["--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    commands[:2] = [[*command, *workers] for command in commands[:2]]
    run_script(PYTHON, "beam_score.py", *commands)
    for case, lists in expected.items():
        assert_same_lists(tmp_path / f"{case}.packed", lists)
        assert_same_lists(tmp_path / f"{case}.scored", lists)
