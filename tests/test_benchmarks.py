"""The benchmarks run; what they say is measured elsewhere, on machines that do nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def rows(script, *options):
    command = [sys.executable, ROOT / "benchmarks" / f"{script}.py", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:2] == "| "]


@pytest.mark.parametrize(
    ("job", "contestants"), [("train", ["bare", "kerasrec"]), ("solve", ["kerasrec"]), ("rank", ["bare", "kerasrec"])]
)
def test_compare(job, contestants):
    found = rows("compare", job, "--data", "generated", "--rounds", "1", "--epochs", "2")[1:]
    assert [row[0] for row in found] == contestants
    assert all(float(row[1]) >= 0 and float(row[3].replace(",", "")) > 100 for row in found)


def test_serving():
    options = ("--items", "50", "--length", "5", "--k", "5", "--seconds", "0.3", "--clients", "1", "4", "--rates", "20")
    found = rows("serving", *options)[1:]
    asked = [row[0] for row in found]
    assert asked == ["in process"] + ["gRPC, batching"] * 2 + ["REST, batching"] * 2 + ["gRPC, no batching"] * 2 + [
        "REST, no batching"
    ] * 2 + ["gRPC, batching"]
    assert all(float(row[3]) > 0 and float(row[4]) > 0 for row in found)


def test_gpu():
    found = rows("gpu", "--any-device", "--users", "300", "--batch", "100", "--epochs", "3")[1:]
    assert [row[0] for row in found] == ["100"]
    assert float(found[0][1].replace(",", "")) > 0
