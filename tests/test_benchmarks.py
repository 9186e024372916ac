"""The benchmarks run on small data. Their results are measured elsewhere, on machines without other load."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kerasrec_testing.scored_lists import python_with

pytestmark = [pytest.mark.slow, pytest.mark.long]
ROOT = Path(__file__).parents[1]


def rows(script, *options):
    """The rows of the table that a benchmark prints, without the header."""
    command = [sys.executable, ROOT / "benchmarks" / f"{script}.py", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr[-3000:]
    lines = [line for line in process.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines][1:]


@pytest.mark.parametrize(
    ("job", "contestants"), [("train", ["bare", "kerasrec"]), ("solve", ["kerasrec"]), ("rank", ["bare", "kerasrec"])]
)
def test_compare(job, contestants):
    table = rows("compare", job, "--data", "generated", "--rounds", "1", "--epochs", "2")
    assert [row[0] for row in table] == contestants
    assert all(float(row[1]) >= 0 and float(row[3].replace(",", "")) > 100 for row in table)


def test_reading():
    table = rows("reading", "--rows", "20000", "--repetitions", "1")
    libraries = ["kerasrec", "kerasrec, split", "polars", "pandas"]
    assert [row[:3] for row in table] == [[name, "0.02", lib] for name in ("Parquet", "CSV") for lib in libraries]
    assert all(float(row[4]) > 0 for row in table)


def test_catalogue():
    table = rows("catalogue", "--items", "300", "--n-sampled", "20", "--steps", "5")
    assert [row[:3] for row in table] == [["mult_dae", "300", "full"], ["mult_dae", "300", "20 sampled"]]
    assert all(float(row[4]) >= 0 and float(row[5]) > 0.1 for row in table)


def test_large_catalogues(tmp_path):
    options = ("--folder", tmp_path, "--items", "4000", "--users", "4000", "--length", "20", "--epochs", "2")
    models = ("popularity", "compressed_elsa_32_of_256", "mult-dae_2000_sampled")
    first = rows("large_catalogues", *options, "--models", *models[:2], "--backends", "tensorflow")
    assert [row[1] for row in first] == ["Popularity", "compressed ELSA, 32 of 256"]
    table = rows("large_catalogues", *options, "--models", *models)
    assert [row[2] for row in table] == ["tensorflow", "jax"] * 3
    assert table[0] == first[0] and table[2] == first[1]  # they were not measured again
    assert all(0 < float(row[6]) < 16 and 0 < float(row[7]) < 1 for row in table)


def test_processes(tmp_path):
    options = ("--users", "320", "--items", "400", "--length", "20", "--batch-size", "100", "--latent-dim", "8")
    table = rows("processes", *options, "--folder", tmp_path / "packed")
    assert [row[1:3] for row in table] == [[d, n] for d in ("rows", "catalogue") for n in ("1", "2", "4", "4, then 2")]
    losses = np.array([[float(loss) for loss in row[3:5]] for row in table])
    np.testing.assert_allclose(losses, losses[:1].repeat(len(losses), axis=0), rtol=1e-5)


def test_first_layer():
    pytest.importorskip("keras_rs", reason="keras-rs is not installed")
    table = rows("first_layer", "--items", "2000")
    assert [row[2] for row in table] == ["kerasrec", "keras-rs"] * 2
    assert all(float(row[3]) > 0 and float(row[4]) > 0.1 for row in table)


def test_sparse_matmul():
    table = rows("sparse_matmul", "--rows", "20", "--columns", "500", "--units", "8", "--rounds", "1")
    constants = ["EQUAL_ENTRY_COST_FLOAT32", "EQUAL_ENTRY_COST_BFLOAT16", "ENTRY_COST", "ENTRY_COST", "MIN_DENSE_ROWS"]
    assert [row[0] for row in table] == constants
    assert [row[2] for row in table] == ["40", "110", "150", "150", "8"]


def test_serving():
    options = ("--items", "50", "--length", "5", "--k", "5", "--seconds", "0.3", "--clients", "1", "4", "--rates", "20")
    table = rows("serving", *options)
    batching, no_batching = (
        [f"{protocol}, {mode}" for protocol in ("gRPC", "REST") for _ in range(2)]
        for mode in ("batching", "no batching")
    )
    assert [row[0] for row in table] == ["in process", *batching, *no_batching, "gRPC, batching"]
    assert all(float(row[3]) > 0 and float(row[4]) > 0 for row in table)


def test_gpu():
    table = rows("gpu", "--any-device", "--users", "300", "--batch", "100", "--epochs", "3")
    assert [row[0] for row in table] == ["100"]
    assert float(table[0][1].replace(",", "")) > 0


def test_scale(tmp_path):
    options = ("--users", "2500", "--items", "400", "--length", "20", "--score", "300")
    table = rows("scale", *options, "--folder", tmp_path / "packed", "--plot", tmp_path / "memory.png")
    assert [row[0] for row in table] == ["popularity", "elsa", "mult_vae"]
    assert all(0.05 < float(row[6]) < 6 for row in table)
    assert (tmp_path / "memory.png").exists()
    equal = rows("scale", "--folder", tmp_path / "packed", "--compare", "2400")
    assert [row[3] for row in equal] == ["yes"] * 3


def test_batch_scoring():
    options = ("--users", "1200", "--items", "300", "--length", "5", "--dim", "8", "--k", "10", "--seconds", "1")
    table = rows("batch_scoring", *options)
    assert [row[0] for row in table] == ["bare", "lists in a file"]
    assert all(float(row[1].replace(",", "")) > 0 for row in table)


BEAM_PYTHON = python_with("apache_beam", "KERASREC_BEAM_PYTHON")


@pytest.mark.skipif(BEAM_PYTHON is None, reason="needs Apache Beam: pip install '.[beam]'")
def test_engines(tmp_path):
    sizes = ("--users", "2000", "--items", "80", "--dim", "4", "--k", "5", "--folder", tmp_path)
    engines = ["recommend --all", "Beam, packed", "Beam, events"]
    table = rows("engines", *sizes, "--beam-python", BEAM_PYTHON, "--engines", *engines)
    assert [row[0] for row in table] == engines
    assert [row[7] for row in table] == ["all"] * 3
