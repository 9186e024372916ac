"""kerasrec, PyTorch and RecBole on the same data in one run: medians of alternating runs, and peak memory.

    benchmarks/peers.sh /tmp/peers                                  # once
    python benchmarks/compare.py train --peers /tmp/peers           # data of ML-20M's shape
    python benchmarks/compare.py train --data ml-1m --peers /tmp/peers
    python benchmarks/compare.py train --data gowalla --users 6000 --peers /tmp/peers
    python benchmarks/compare.py solve --peers /tmp/peers
    python benchmarks/compare.py rank --data ml-1m --peers /tmp/peers

Prints a Markdown table. `bare` is a lower bound: TensorFlow code for this one task.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

JOBS = {
    "train": ("bare", "kerasrec", "torch", "recbole"),
    "solve": ("kerasrec", "recbole"),
    "rank": ("bare", "kerasrec", "recbole"),
}
PEERS = ("torch", "recbole")


def main() -> None:
    """Reads the command line and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--data", default="ml-20m-shape", help="ml-20m-shape, or any data that kerasrec.read reads")
    parser.add_argument(
        "--users",
        type=int,
        help="number of users, the first ones of real data (default: 20,000 of ml-20m-shape, or all)",
    )
    parser.add_argument("--peers", type=Path, help="the environment from peers.sh; if omitted, only kerasrec runs")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3, help="including the first, which does not count")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    settings = {"batch": options.batch, "epochs": options.epochs, "reg": 500.0}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        n_users, n_items = write(file, options.data, options.users)
        contestants = [c for c in JOBS[options.job] if options.peers or c not in PEERS]
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name in contestants:
                python = options.peers.absolute() / "bin" / "python" if name in PEERS else Path(sys.executable)
                script = Path(__file__).absolute().with_name("contestants.py")
                command = [python, script, options.job, name, file, json.dumps(settings)]
                # RecBole writes logs into the working folder.
                process = subprocess.run(command, capture_output=True, text=True, cwd=folder)
                if process.returncode:
                    raise SystemExit(f"{name} failed:\n{process.stderr[-2000:]}")
                runs[name].append(json.loads(process.stdout.splitlines()[-1]))
    load = os.getloadavg()[0]
    print(f"{options.job}, {options.data}: {n_users:,} users, {n_items:,} items, batch {options.batch}; ", end="")
    print(f"{os.cpu_count()} cores, load average {load:.1f} at the end; medians of {options.rounds}\n")
    print(
        "| contestant | seconds | users/s | peak MB | seconds / kerasrec's | each run's seconds |\n"
        "|---|---:|---:|---:|---:|---|"
    )
    medians = {name: float(np.median([run["seconds"] for run in results])) for name, results in runs.items()}
    for name, seconds in medians.items():
        peak = float(np.median([run["peak_mb"] for run in runs[name]]))
        ratio = seconds / medians["kerasrec"]
        each = ", ".join(f"{run['seconds']:.1f}" for run in runs[name])
        print(f"| {name} | {seconds:.1f} | {n_users / seconds:,.0f} | {peak:,.0f} | {ratio:.2f} | {each} |")


def write(file: Path, name: str, n_users: int | None) -> tuple[int, int]:
    """Writes the data that all contestants read, with a fifth of the items held out for `rank`; returns its shape."""
    if name == "ml-20m-shape":
        n_users = n_users or 20_000
        users, items, n_items = generated(n_users)
    else:
        import kerasrec

        table = kerasrec.read(name)
        likes = table.at_least(4.0) if table.values.max() > 1 else table
        likes = likes.take_users(range(min(n_users or likes.n_users, likes.n_users)))
        users, items, n_users, n_items = likes.users, likes.items, likes.n_users, likes.n_items
    indptr = np.append(0, np.cumsum(np.bincount(users, minlength=n_users)))
    np.savez(
        file, indptr=indptr, items=items, held_out=np.random.default_rng(1).random(len(items)) < 0.2, n_items=n_items
    )
    return n_users, n_items


def generated(n_users: int, n_items: int = 20_108) -> tuple[Any, Any, int]:
    """Users, items and the size of the catalogue, in ML-20M's shape: long-tailed, about 67 likes per user."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(3.7, 1.0, n_users), 5, 2000).astype(int)
    popularity = (np.arange(n_items) + 20.0) ** -1.1
    likes = rng.choice(n_items, lengths.sum(), p=popularity / popularity.sum())
    users, items = np.divmod(np.unique(np.repeat(np.arange(n_users), lengths) * n_items + likes), n_items)
    return users, items, n_items


if __name__ == "__main__":
    main()
