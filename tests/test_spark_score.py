"""`export/spark_score.py`: the lists of an export, by local Spark without kerasrec, against those of the model."""

import pyarrow as pa
import pytest
from kerasrec_testing.exports import exported
from kerasrec_testing.scored_lists import EVENT_COLUMNS, assert_same_lists, python_with, run_script, write_events

from kerasrec.inference import recommend_batches
from kerasrec.inference.recommendations import decoded

PYTHON = python_with("pyspark", "KERASREC_SPARK_PYTHON")

pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="needs Spark and a Java runtime: pip install pyspark"),
    pytest.mark.slow,
]


def test_lists_equal_those_of_the_model(tmp_path):
    commands, expected = [], {}
    for case in ("cdae", "auto_rec users"):
        model, table, version = exported(case)
        expected[case] = pa.concat_tables(map(decoded, recommend_batches(model, table, 8, train=table)))
        write_events(table, tmp_path / f"{case}.events")
        events = [*EVENT_COLUMNS, "--events", tmp_path / f"{case}.events", "--partitions", 2]
        commands.append(["--model", version.parent, "--k", 8, *events, "--out", tmp_path / case])
    run_script(PYTHON, "spark_score.py", *commands)
    for case, lists in expected.items():
        assert_same_lists(tmp_path / case, lists)
