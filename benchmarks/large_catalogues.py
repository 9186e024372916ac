"""Every model for large catalogues: seconds per step, peak memory and NDCG@100, on TensorFlow and JAX.

    python benchmarks/large_catalogues.py --folder /tmp/large
    python benchmarks/large_catalogues.py --folder /tmp/large --items 200000 --models elsa sansa --backends tensorflow

Generates one packed folder of likes for each size of the catalogue, as benchmarks/scale.py does. Each line comes from a
process of its own: it splits the users, trains for `--epochs` or until `--minutes` have passed, and ranks all items for
1,000 test users. The process is ended when its anonymous memory (`RssAnon`) exceeds `--limit`. The first two steps,
which include tracing and compilation, do not count.

Results are stored in `results.jsonl` of the folder. The same command continues where it was interrupted, and prints all
lines as a Markdown table at its end; until then it reports each line to stderr. `--print` prints the table only. A line
that failed is measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from resident import resident_gigabytes

HELD_OUT = 1000
CELLS_AT_ONCE = 100_000_000
"""Scores of a batch of test users, 400 MB."""


class Contestant(NamedTuple):
    """A line of the table.

    Attributes:
        model: name in the zoo.
        arguments: of the constructor.
        batch_size: rows per batch.
        row_wise: whether the optimizer is `Adam(lazy=True, row_wise=True)`, whose state takes half the memory.
    """

    model: str
    arguments: dict[str, Any]
    batch_size: int = 500
    row_wise: bool = False


PAPER = {"hidden_dims": (600,), "latent_dim": 200}
CONTESTANTS = {
    "Popularity": Contestant("popularity", {}),
    "ELSA": Contestant("elsa", {"latent_dim": 256}, 5000),
    "compressed ELSA, 32 of 256": Contestant("elsa", {"latent_dim": 256, "n_kept": 32}, 5000),
    "iALS": Contestant("ials", {"latent_dim": 64, "iterations": 4}),
    "SANSA": Contestant("sansa", {"n_factor": 32}),
    "Mult-DAE, 2,000 sampled": Contestant("mult_dae", {"n_sampled": 2000}),
    "Mult-VAE, 2,000 sampled, 200-64": Contestant(
        "mult_vae", {"n_sampled": 2000, "hidden_dims": (200,), "latent_dim": 64}
    ),
    "Mult-VAE, 2,000 sampled, 600-200": Contestant("mult_vae", {"n_sampled": 2000, **PAPER}),
    "Mult-VAE, 2,000 sampled, 600-200, row-wise Adam": Contestant("mult_vae", {"n_sampled": 2000, **PAPER}, 500, True),
}
NAMES = {name.lower().replace(",", "").replace(" ", "_"): name for name in CONTESTANTS}
"""Name on the command line → name in the table."""
HEADER = "| items | model | backend | parameters | steps | s per step | peak memory, GB | NDCG@100 |"


def main() -> None:
    """Reads the command line, measures the missing lines and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the data and of the results")
    parser.add_argument("--items", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--length", type=float, default=60, help="mean number of draws of a user")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--backends", nargs="+", choices=["tensorflow", "jax"], default=["tensorflow", "jax"])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=15, help="longest training of a line")
    parser.add_argument("--limit", type=float, default=16.0, help="GB of anonymous memory")
    parser.add_argument("--print", action="store_true", dest="only_print", help="measure nothing")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options, **json.loads(options.child))))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    results = options.folder / "results.jsonl"
    for n_items in [] if options.only_print else options.items:
        for model in options.models:
            for backend in options.backends:
                line = {"items": n_items, "model": NAMES[model], "backend": backend}
                if any(line.items() <= row.items() for row in read_results(results)):
                    continue
                row = {**line, **measured(options, line)}
                print(markdown(row), file=sys.stderr, flush=True)
                if "failed" not in row:
                    with results.open("a") as file:
                        file.write(json.dumps(row) + "\n")
    print(f"{HEADER}\n|---|---|---|---|---|---|---|---|")
    for row in sorted(read_results(results), key=lambda row: (row["items"], list(CONTESTANTS).index(row["model"]))):
        print(markdown(row))


def read_results(path: Path) -> list[dict[str, Any]]:
    """The stored lines."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def markdown(row: dict[str, Any]) -> str:
    """A line of the table."""
    cells = [f"{row['items']:,}", row["model"], row["backend"]]
    if "ndcg_100" in row:
        seconds = row["seconds"]
        cells += [f"{row['parameters']:,}", f"{row['steps']:,} of {row['planned_steps']:,}", f"{seconds:.3g}"]
        cells += [f"{row['gigabytes']:.1f}", f"{row['ndcg_100']:.4f}"]
    else:
        cells += ["", "", "", row.get("failed") or f"above {row['limit']:g}", ""]
    return f"| {' | '.join(cells)} |"


def measured(options: argparse.Namespace, line: dict[str, Any]) -> dict[str, Any]:
    """Measures a line in a process, which is ended if its memory exceeds the limit."""
    data = options.folder / f"likes-{options.users}-{line['items']}"
    if not data.exists():
        from scale import generate_packed

        generate_packed(data, options.users, line["items"], options.length)
    child = json.dumps({"data": str(data), "model": line["model"]})
    command = [sys.executable, __file__, "--folder", options.folder, "--child", child]
    command += ["--epochs", options.epochs, "--minutes", options.minutes]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": line["backend"]}
    with (options.folder / "stderr.txt").open("w+") as errors:
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, resident_gigabytes(process.pid).get("RssAnon", 0.0))
            if peak > options.limit:
                process.kill()
                process.wait()
                return {"limit": options.limit}
            time.sleep(0.2)
        output = process.communicate()[0]
        if process.returncode:
            errors.seek(0)
            print(errors.read()[-2000:], file=sys.stderr)
            return {"failed": f"failed with code {process.returncode}"}
    return {**json.loads(output.splitlines()[-1]), "gigabytes": peak}


def measure(options: argparse.Namespace, data: str, model: str) -> dict[str, Any]:
    """Trains and evaluates a model in this process."""
    import keras

    import kerasrec
    from kerasrec.optimizers import Adam

    class Steps(keras.callbacks.Callback):
        """Stores the end of each step, and stops training after a time."""

        def __init__(self) -> None:
            super().__init__()
            self.ends = [time.perf_counter()]

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            self.ends.append(time.perf_counter())
            if self.ends[-1] - self.ends[0] > 60 * options.minutes:
                self.model.stop_training = True

    warnings.filterwarnings("ignore", "this run has")  # of fewer steps than its plan
    contestant = CONTESTANTS[model]
    table = kerasrec.read(data)
    split = whole_catalogue(kerasrec.HeldOutUsers(held_out=HELD_OUT).split(table), table.item_ids)
    start = time.perf_counter()
    recommender = kerasrec.ZOO[contestant.model].for_interactions(
        split.train, options.epochs, contestant.batch_size, seed=1, **contestant.arguments
    )
    recommender.compile(Adam(2e-3, lazy=True, row_wise=True) if contestant.row_wise else None)
    steps = Steps()
    fit = {"batch_size": contestant.batch_size, "epochs": options.epochs, "callbacks": [steps], "verbose": 0}
    recommender.fit(split.train, **fit)
    if recommender.closed_form:
        n_steps = n_planned = 1
        seconds = time.perf_counter() - start
    else:
        n_steps = len(steps.ends) - 1
        n_planned = options.epochs * -(-split.train.n_users // contestant.batch_size)
        seconds = float(np.median(np.diff(steps.ends)[min(2, n_steps - 1) :]))
    batch_size = max(1, CELLS_AT_ONCE // table.n_items)
    ndcg = kerasrec.evaluate(recommender, split.test, ["ndcg_100"], batch_size).means["ndcg_100"]
    about = {"parameters": int(recommender.count_params()), "steps": n_steps, "planned_steps": n_planned}
    return {**about, "seconds": seconds, "ndcg_100": ndcg}


def whole_catalogue(split: Any, item_ids: Any) -> Any:
    """The split over all items, also those without a training user."""
    test = split.test
    targets = test.targets.with_catalogue(item_ids)
    test = replace(test, inputs=test.inputs.with_catalogue(item_ids), targets=targets)
    return replace(split, train=split.train.with_catalogue(item_ids), test=test)


if __name__ == "__main__":
    main()
