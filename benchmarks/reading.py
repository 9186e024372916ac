"""Seconds and memory of reading interactions, next to Polars and pandas, which read and factorise the same columns.

    python benchmarks/reading.py                              # the table in docs/howto/data.md, in about 20 minutes
    python benchmarks/reading.py --formats CSV --rows 20000000 --libraries kerasrec polars

Each measurement runs in its own process, which has read a small file before. The smallest of the repetitions is
printed. "peak" is the highest resident memory above that before reading, "resident" the memory above it afterwards. The
columns are 64-bit user and item ids, ratings and Unix times of random users. A measurement that needs more memory than
is free is not run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

LIBRARIES = ("kerasrec", "kerasrec, split", "polars", "pandas")
"""What is measured. "kerasrec, split" also splits the table by users and frees it, as before a training."""

BYTES_PER_ROW = {"Parquet": 120, "CSV": 150}
"""Format → memory per row that the most demanding library needs at its peak."""

MEASURE = """
import gc, json, resource, sys, time
import pyarrow, pyarrow.compute, pyarrow.csv, pyarrow.parquet, psutil
{imports}
process = psutil.Process()
path, _, small_path = sys.argv[1:]
read(small_path)  # loads modules
gc.collect()
before = process.memory_info().rss
start, cpu = time.perf_counter(), time.process_time()
result = read(path)
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
gc.collect()
pyarrow.default_memory_pool().release_unused()
resident = process.memory_info().rss - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
print(json.dumps(dict(seconds=seconds, cpu_seconds=cpu, peak=peak, resident=resident)))
"""

KERASREC = """
import types
# The package itself would import Keras and TensorFlow, which readers do not use.
sys.modules["kerasrec"] = types.ModuleType("kerasrec")
sys.modules["kerasrec"].__path__ = [sys.argv[2]]
from kerasrec.data import HeldOutUsers, read
"""

IMPORTS = {
    "kerasrec": KERASREC,
    "kerasrec, split": KERASREC
    + """
read_table = read
def read(path):
    return HeldOutUsers(min_value=0.5).split(read_table(path))
""",
    "polars": """
import polars as pl
def read(path):
    frame = pl.read_parquet(path) if path.endswith("parquet") else pl.read_csv(path)
    users, items = frame["userId"].unique().sort(), frame["movieId"].unique().sort()
    return users, items, frame.select(
        pl.col("userId").rank("dense").cast(pl.Int32), pl.col("movieId").rank("dense").cast(pl.Int32),
        pl.col("rating").cast(pl.Float32), pl.col("timestamp"),
    )
""",
    "pandas": """
import pandas as pd
def read(path):
    frame = pd.read_parquet(path) if path.endswith("parquet") else pd.read_csv(path)
    return frame, pd.factorize(frame.pop("userId"), sort=True), pd.factorize(frame.pop("movieId"), sort=True)
""",
}


def write_file(path: Path, n: int) -> None:
    """Writes n random interactions, in blocks."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng = np.random.default_rng(0)
    schema = pa.schema(
        [("userId", pa.int64()), ("movieId", pa.int64()), ("rating", pa.float64()), ("timestamp", pa.int64())]
    )
    writer = parquet.ParquetWriter(path, schema) if path.suffix == ".parquet" else csv.CSVWriter(path, schema)
    with writer:
        for start in range(0, n, 1 << 20):
            size = min(1 << 20, n - start)
            users = rng.integers(1, max(2, n // 144), size)
            items = (27_000 * rng.random(size) ** 2).astype(np.int64) + 1
            stars = rng.integers(1, 11, size) / 2
            times = rng.integers(800_000_000, 1_600_000_000, size)
            writer.write_table(pa.table([users, items, stars, times], schema=schema))


def measure(library: str, path: Path, small_path: Path) -> dict[str, float]:
    """Returns seconds, CPU seconds, and bytes at the peak and afterwards.

    Args:
        library: one of `LIBRARIES`.
        path: the file.
        small_path: a file in the same format.
    """
    package = Path(__file__).parents[1] / "kerasrec"
    code = MEASURE.format(imports=IMPORTS[library])
    command = [sys.executable, "-c", code, str(path), str(package), str(small_path)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(process.stdout.splitlines()[-1])


def is_measurable(format_name: str, n: int) -> bool:
    """Whether the memory that every library needs at its peak is free."""
    return psutil.virtual_memory().available > BYTES_PER_ROW[format_name] * n


def main() -> None:
    """Prints a Markdown table with a row for each format, size and library."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", nargs="+", choices=BYTES_PER_ROW, default=tuple(BYTES_PER_ROW))
    parser.add_argument("--rows", type=int, nargs="+", default=(10_000_000, 30_000_000, 100_000_000))
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--repetitions", type=int, default=2)
    options = parser.parse_args()
    print("| file | million rows | library | CPU s | peak, bytes per row | resident, bytes per row |")
    print("|---|---:|---|---:|---:|---:|", flush=True)
    for format_name in options.formats:
        for n in options.rows:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"ratings.{format_name.lower()}"
                write_file(path, n)
                small_path = path.with_stem("small")
                write_file(small_path, 1000)
                for library in options.libraries:
                    row = f"| {format_name} | {n / 1e6:g} | {library} |"
                    if not is_measurable(format_name, n):
                        print(f"{row} not run: too little memory | | |", flush=True)
                        continue
                    results = [measure(library, path, small_path) for _ in range(options.repetitions)]
                    best = {name: min(result[name] for result in results) for name in results[0]}
                    print(
                        f"{row} {best['cpu_seconds']:.1f} | {best['peak'] / n:.0f} | {best['resident'] / n:.0f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
