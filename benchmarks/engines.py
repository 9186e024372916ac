"""Lists for the same users by `recommend --all`, Beam and Spark: users per second and peak memory of all processes.

    python benchmarks/engines.py --folder /tmp/engines
    python benchmarks/engines.py --folder /tmp/engines --users 200000 --beam-python beam/bin/python
        --spark-python spark/bin/python

The model is ELSA after one epoch, because accuracy does not matter here. `--beam-python` and `--spark-python` are the
interpreters of environments without kerasrec. The seconds are those of the whole command, with the start of its
processes and the loading of the model; on a machine with other load, compare the CPU seconds. The memory is the highest
sum of the proportional set sizes (PSS) of the command and all its descendants, read twice a second; the pages that
processes share count once. The lists are compared with those of `recommend --all`, which is measured first if they do
not exist.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
WORKERS = 4


def main() -> None:
    """Reads the command line, creates the data and the model, and measures each engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--length", type=int, default=30, help="mean number of draws of a user, before repetitions")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--folder", type=Path, required=True, help="for data, runs and lists; existing ones are used")
    parser.add_argument("--beam-python", default=sys.executable)
    parser.add_argument("--spark-python", default=sys.executable)
    parser.add_argument("--engines", nargs="+", help="names of the lines to measure; all if omitted")
    options = parser.parse_args()
    folder: Path = options.folder
    create_inputs(folder, options)
    lists = folder / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "kerasrec_cli", "recommend", folder / "run", "--all", "-k", options.k]
    model = ["--model", folder / "served", "--k", options.k]
    beam = [options.beam_python, ROOT / "export" / "beam_score.py", *model]
    beam += ["--runner=DirectRunner", "--direct_running_mode=multi_processing", f"--direct_num_workers={WORKERS}"]
    columns = ["--user", "user", "--item", "item", "--time", "time"]
    spark = [options.spark_python, ROOT / "export" / "spark_score.py", *model]
    events = folder / "events"
    commands = {
        "recommend --all": [*command, "--to", lists / "command"],
        "Beam, packed": [*beam, "--packed", folder / "packed", "--out", lists / "beam" / "part"],
        "Beam, events": [*beam, "--events", events / "*.parquet", *columns, "--out", lists / "beam_events" / "part"],
        "Spark, events": [*spark, "--events", events, *columns, "--out", lists / "spark"],
    }
    print(f"{options.users:,} users, {options.items:,} items, k={options.k}, ELSA with {options.dim} dimensions\n")
    titles = ["engine", "processes", "seconds", "CPU s", "users per s", "users per CPU s", "peak memory, GB"]
    print(f"| {' | '.join([*titles, 'equal rows', 'largest difference of a score'])} |")
    print("|---|---|---|---|---|---|---|---|---|")
    engines = options.engines or list(commands)
    if "recommend --all" not in engines and not (lists / "command").exists():
        engines = ["recommend --all", *engines]
    for name in engines:
        target = Path(commands[name][-1])
        target = target.parent if target.name == "part" else target
        shutil.rmtree(target, ignore_errors=True)
        usage = measured(commands[name], options.spark_python)
        equal, difference = compared(sorted_lists(target), sorted_lists(lists / "command"))
        cells = [usage.n_processes, f"{usage.seconds:.0f}", f"{usage.cpu_seconds:.0f}"]
        cells += [f"{options.users / seconds:,.0f}" for seconds in (usage.seconds, usage.cpu_seconds)]
        cells += [f"{usage.gigabytes:.2f}", equal, difference]
        print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)


def create_inputs(folder: Path, options: argparse.Namespace) -> None:
    """Writes events, the same data as a packed folder, a run and its export, if they do not exist."""
    if (folder / "served").exists():
        return
    from kerasrec import read
    from kerasrec.data import pack

    rng = np.random.default_rng(0)
    n = options.users * options.length
    users = rng.integers(0, options.users, n)
    users[: options.users] = np.arange(options.users)
    items = (options.items * rng.random(n) ** 3).astype(np.int64)
    times = 1_600_000_000 + rng.permutation(n)  # distinct, so that all engines have the same order
    (folder / "events").mkdir(parents=True)
    for part, rows in enumerate(np.array_split(np.arange(n), 8)):
        table = pa.table({"user": users[rows], "item": items[rows], "time": times[rows]})
        pq.write_table(table, folder / "events" / f"part-{part}.parquet")
    pack(read(folder / "events").in_time_order(), folder / "packed")
    train = ["train", "elsa", "--data", folder / "packed", "--held-out", 500, "--epochs", 1, "--out", folder / "run"]
    for command in (
        [*train, "--set", f"latent_dim={options.dim}"],
        ["export", folder / "run", "--to", folder / "served"],
    ):
        subprocess.run([sys.executable, "-m", "kerasrec_cli", *map(str, command)], check=True, stdout=sys.stderr)


class Usage(NamedTuple):
    """What a command and its descendants used.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: time on all cores.
        gigabytes: the highest sum of the proportional set sizes.
        n_processes: the largest number of processes.
    """

    seconds: float
    cpu_seconds: float
    gigabytes: float
    n_processes: int


def measured(command: list, spark_python: str) -> Usage:
    """Runs a command to its end."""
    environment = {**os.environ, "PYSPARK_PYTHON": spark_python, "PYSPARK_DRIVER_PYTHON": spark_python}
    environment["PYSPARK_SUBMIT_ARGS"] = f"--master local[{WORKERS}] --driver-memory 4g pyspark-shell"
    start, gigabytes, n_processes, cpu = time.perf_counter(), 0.0, 0, {}
    process = subprocess.Popen(list(map(str, command)), env=environment, stdout=sys.stderr)
    root = psutil.Process(process.pid)
    while process.poll() is None:
        total, count = 0, 0
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        for member in family:
            try:
                total += member.memory_full_info().pss
                cpu[member.pid] = sum(member.cpu_times()[:2])
                count += 1
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        gigabytes, n_processes = max(gigabytes, total / 1e9), max(n_processes, count)
        time.sleep(0.5)
    if process.wait():
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return Usage(time.perf_counter() - start, sum(cpu.values()), gigabytes, n_processes)


def sorted_lists(folder: Path) -> pa.Table:
    """The lists in the files of a folder, by user and rank."""
    table = pq.read_table(folder)
    return table.sort_by([("user_id", "ascending"), ("rank", "ascending")])


def compared(lists: pa.Table, expected: pa.Table) -> tuple[str, str]:
    """The share of the rows with the same user, rank and item, and the largest difference of a score."""
    if len(lists) != len(expected):
        return f"{len(lists):,} rows, expected {len(expected):,}", ""
    is_equal = np.ones(len(lists), bool)
    for name in ("user_id", "rank", "item_id"):
        is_equal &= lists[name].to_numpy() == expected[name].to_numpy()
    difference = pc.max(pc.abs(pc.subtract(lists["score"], expected["score"]))).as_py()
    return "all" if is_equal.all() else f"{100 * is_equal.mean():.4f} %", f"{difference:.1e}"


if __name__ == "__main__":
    main()
