"""Training on larger and larger catalogues: seconds per step and peak memory of the full and the sampled softmax.

    python benchmarks/catalogue.py
    python benchmarks/catalogue.py --model mult_vae --items 1000000 --softmax sampled
    python benchmarks/catalogue.py --model elsa                     # has no softmax
    python benchmarks/catalogue.py --items 5000 20000 60000 200000 1000000 --picture catalogue.png

Prints a Markdown table. Each row of it comes from a new process, which trains on generated rows of about 70 likes in a
long-tailed catalogue. The first three steps, in which TensorFlow traces, do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

BATCH_SIZE, LIKES = 500, 70
HEADER = "| model | items | softmax | parameters | seconds per step | peak memory, GB |\n|---|---|---|---|---|---|"


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="mult_dae", choices=["mult_dae", "mult_vae", "elsa"])
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--softmax", nargs="+", default=["full", "sampled"], choices=["full", "sampled"])
    parser.add_argument("--n-sampled", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20, help="including the first three, which do not count")
    parser.add_argument("--picture", help="also plot seconds per step against items into this file")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return
    print(HEADER, flush=True)
    points: dict[str, list[tuple[float, float]]] = {}
    for n_items in options.items:
        for softmax in ["none"] if options.model == "elsa" else options.softmax:
            n_sampled = options.n_sampled if softmax == "sampled" else None
            arguments = {"name": options.model, "n_items": n_items, "n_sampled": n_sampled, "steps": options.steps}
            command = [sys.executable, __file__, "--measure", json.dumps(arguments)]
            environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
            process = subprocess.run(command, capture_output=True, text=True, env=environment)
            label = softmax if n_sampled is None else f"{n_sampled:,} sampled"
            if process.returncode:
                print(f"| {options.model} | {n_items:,} | {label} | | failed, see stderr | |", flush=True)
                print(process.stderr[-2000:], file=sys.stderr)
                continue
            result = json.loads(process.stdout.splitlines()[-1])
            points.setdefault(f"{options.model}, {label}", []).append((n_items, result["seconds"]))
            print(
                f"| {options.model} | {n_items:,} | {label} | {result['parameters']:,} "
                f"| {result['seconds']:.3f} | {result['gigabytes']:.1f} |",
                flush=True,
            )
    if options.picture:
        from kerasrec.plots import costs

        costs(points, size="items", unit="s per training step").savefig(options.picture, dpi=150)


def measure(name: str, n_items: int, n_sampled: int | None, steps: int) -> dict[str, float]:
    """One row of the table: the number of parameters, the median step and the peak memory of this process."""
    import keras

    from kerasrec import Interactions
    from kerasrec.models import ZOO

    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(steps * BATCH_SIZE), rng.geometric(1 / LIKES, steps * BATCH_SIZE))
    items = (n_items * rng.random(len(rows)) ** 3).astype(np.int64)  # a tenth of the catalogue has half of the likes
    rows, items = np.divmod(np.unique(rows * n_items + items), n_items)
    table = Interactions.from_arrays(rows, items).with_catalogue(np.arange(n_items))

    class Clock(keras.callbacks.Callback):
        ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            self.ends.append(time.perf_counter())

    sampled = {} if n_sampled is None else {"n_sampled": n_sampled}
    width = {"latent_dim": 256} if name == "elsa" else {}
    model = ZOO[name].for_interactions(table, seed=1, **sampled, **width)
    model.compile()
    model.fit(table, batch_size=BATCH_SIZE, callbacks=[Clock()], verbose=0)
    return {
        "parameters": int(model.count_params()),
        "seconds": float(np.median(np.diff(Clock.ends)[2:])),
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


if __name__ == "__main__":
    main()
