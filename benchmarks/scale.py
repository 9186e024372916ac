"""Training from a packed folder of any size: anonymous memory over time, seconds per step, and users per second.

    python benchmarks/scale.py --users 300000 --folder /tmp/scale --plot memory.png
    python benchmarks/scale.py --users 3000000 --share 0.1 --folder /tmp/scale --plot memory.png

The interactions are generated directly into the folder, a block of users at a time: about 100 items for each user,
with a popularity that falls as a power of the rank, and users who prefer one of 100 groups of items. An existing folder
is used again. Each model is trained in a process of its own, on a split with 1,000 test users, for one epoch or for a
share of its steps. The process then evaluates the test users and writes the lists of `--score` users. The parent
process reads its anonymous and its file-backed memory (`RssAnon`, `RssFile`) every half second. The hours of an epoch
are the median seconds per step times the steps of an epoch.

    python benchmarks/scale.py --users 300000 --folder /tmp/scale --compare 20000

trains each model twice on the first users, from the folder and from a table in memory, and compares the metrics.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
from resident import resident_gigabytes
from tqdm import tqdm

N_GROUPS = 100
USERS_AT_ONCE = 10_000
HELD_OUT = 1000
LIMIT_GB = 6.0

SETTINGS = {
    "popularity": ("Popularity", {}, 500),
    "elsa": ("ELSA", {"latent_dim": 256}, 5000),
    "mult_vae": ("MultVAE", {"n_sampled": 2000}, 500),
    "compressed_elsa": ("ELSA", {"latent_dim": 256, "n_kept": 32}, 5000),
    "mult_dae": ("MultDAE", {"n_sampled": 2000}, 500),
    "sansa": ("SANSA", {}, 500),
    "row_wise_mult_vae": ("MultVAE", {"n_sampled": 2000}, 500),
}
"""Name → class, arguments of the constructor, and rows per batch."""


def main() -> None:
    """Reads the command line, and generates, trains or compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--length", type=float, default=123, help="mean number of draws of a user, before repetitions")
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps of an epoch")
    parser.add_argument("--score", type=int, default=2000, help="users whose lists are written")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, help="rows per batch of all models")
    parser.add_argument("--latent-dim", type=int, help="length of the vectors of both variants of ELSA")
    parser.add_argument("--n-factor", type=int, help="entries of a row of the factor of SANSA")
    parser.add_argument("--models", nargs="+", choices=SETTINGS, default=list(SETTINGS)[:3])
    parser.add_argument("--folder", type=Path, required=True, help="packed folder; created if it does not exist")
    parser.add_argument("--plot", type=Path, help="file of the plot")
    parser.add_argument("--compare", type=int, metavar="USERS", help="compare with tables of these users in memory")
    parser.add_argument("--child", choices=SETTINGS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        train_and_score(options)
        return
    if not options.folder.exists():
        generate_packed(options.folder, options.users, options.items, options.length)
    if options.compare:
        compare(options.models, options.folder, options.compare, options.share)
        return
    describe(options.folder)
    curves = {}
    memory = "RssAnon, GB | RssFile, GB"
    print(
        f"| model | batch | steps | s per step | hours per epoch | epoch | {memory} | scored users per s | NDCG@100 |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in options.models:
        result, curve = observed(name, options)
        curves[name] = curve
        n_steps, seconds = result["epoch_steps"], result["seconds_per_step"]
        kind = "measured" if result["steps"] == n_steps else f"extrapolated {n_steps / result['steps']:.0f} x"
        anonymous, of_files = max(point[1] for point in curve), max(point[2] for point in curve)
        cells = [name, result["batch_size"], result["steps"], f"{seconds:.2f}", f"{seconds * n_steps / 3600:.2f}", kind]
        cells += [
            f"{anonymous:.2f}",
            f"{of_files:.2f}",
            f"{result['users_per_second']:,.0f}",
            f"{result['ndcg_100']:.4f}",
        ]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    if options.plot:
        draw(curves, options.plot)


def generate_packed(folder: Path, n_users: int, n_items: int, length: float, seed: int = 0) -> None:
    """Writes generated likes as a packed folder. The memory does not grow with the number of users."""
    from kerasrec import Interactions
    from kerasrec.data import pack

    rng = np.random.default_rng(seed)
    last = (n_items + 1) ** 0.2
    counts = []
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        path = Path(scratch) / "items"
        with path.open("wb") as file:
            for first in tqdm(range(0, n_users, USERS_AT_ONCE), "generating", delay=2):
                n = min(USERS_AT_ONCE, n_users - first)
                n_draws = np.clip(length * rng.lognormal(-0.18, 0.6, n), 5, n_items // 4).astype(np.int64)
                user = np.repeat(np.arange(n), n_draws)
                # P(rank <= r) is proportional to (1 + r)^0.2 - 1, so that the popularity falls as (1 + r)^-0.8.
                item = ((1 + rng.random(len(user)) * (last - 1)) ** 5 - 1).astype(np.int64)
                item = np.minimum(item, n_items - 1)
                group = rng.integers(0, N_GROUPS, n)[user]
                in_group = np.minimum(item - item % N_GROUPS + group, n_items - 1)  # of similar popularity
                item = np.where(rng.random(len(user)) < 0.7, in_group, item)
                pairs = np.sort(user * n_items + item)
                pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
                (pairs % n_items).astype(np.int32).tofile(file)
                counts.append(np.bincount(pairs // n_items, minlength=n))
        indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
        items = np.memmap(path, np.int32, "r", shape=(int(indptr[-1]),))
        values = np.broadcast_to(np.float32(1), len(items))
        table = Interactions(indptr, items, values, None, np.arange(1, n_users + 1), np.arange(1, n_items + 1))
        table.is_binary = True  # the check would need a byte for each interaction
        pack(table, folder, verbose=1)


def describe(folder: Path) -> None:
    """Prints the size of the folder and the time to open it."""
    from kerasrec import read

    start = time.perf_counter()
    table = read(folder)
    seconds = time.perf_counter() - start
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e9
    print(f"{table!r}; {size:.2f} GB on the disk, opened in {1000 * seconds:.1f} ms\n", flush=True)


def observed(name: str, options: argparse.Namespace) -> tuple[dict, list[tuple[float, float, float]]]:
    """Trains a model in a process, and returns its result and (seconds, GB anonymous, GB of files) over time."""
    command = [sys.executable, __file__, "--child", name, "--folder", options.folder]
    command += ["--share", options.share, "--score", options.score, "--epochs", options.epochs]
    command += [] if options.batch_size is None else ["--batch-size", options.batch_size]
    command += [] if options.latent_dim is None else ["--latent-dim", options.latent_dim]
    command += [] if options.n_factor is None else ["--n-factor", options.n_factor]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    start, curve = time.perf_counter(), []
    while process.poll() is None:
        if sizes := resident_gigabytes(process.pid):
            curve.append((time.perf_counter() - start, sizes["RssAnon"], sizes["RssFile"]))
        time.sleep(0.5)
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{name} failed")
    return json.loads(output.splitlines()[-1]), curve


def train_and_score(options: argparse.Namespace) -> None:
    """Trains, evaluates and scores with one model, and prints the times as JSON."""
    name, n_scored, epochs = options.child, options.score, options.epochs
    import keras

    import kerasrec
    from kerasrec.inference import recommend_batches, write_recommendations
    from kerasrec.optimizers import Adam

    class StepTimes(keras.callbacks.Callback):
        """The time at the end of each step."""

        def __init__(self) -> None:
            super().__init__()
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            self.ends.append(time.perf_counter())

    warnings.filterwarnings("ignore", "this run has")  # of fewer steps than an epoch
    start = time.perf_counter()
    split = kerasrec.HeldOutUsers(held_out=HELD_OUT).split(kerasrec.read(options.folder))
    class_name, arguments, batch_size = SETTINGS[name]
    batch_size = options.batch_size or batch_size
    if options.latent_dim is not None and "latent_dim" in arguments:
        arguments = {**arguments, "latent_dim": options.latent_dim}
    if options.n_factor is not None and name == "sansa":
        arguments = {**arguments, "n_factor": options.n_factor}
    model = getattr(kerasrec, class_name).for_interactions(
        split.train, epochs=epochs, batch_size=batch_size, seed=1, **arguments
    )
    model.compile(Adam(2e-3, lazy=True, row_wise=True) if name.startswith("row_wise") else None)
    epoch_steps = 1 if model.closed_form else math.ceil(split.train.n_users / batch_size)
    n_steps = math.ceil(options.share * epoch_steps)
    times = StepTimes()
    print(f"{name}: split and model after {time.perf_counter() - start:.1f} s", file=sys.stderr)
    size = split.train.n_items, split.train.n_users, len(split.train)
    print(f"{name}: {size[0]:,} items, {size[1]:,} users, {size[2]:,} interactions", file=sys.stderr)
    model.fit(split.train, batch_size=batch_size, epochs=epochs, steps_per_epoch=n_steps, callbacks=[times], verbose=0)
    # Popularity counts the items when the table is split. The first steps of the others include tracing.
    ends = times.ends[min(2, n_steps - 2) :]
    seconds = time.perf_counter() - start if model.closed_form else float(np.median(np.diff(ends)))
    result = kerasrec.evaluate(model, split.test)
    histories = split.histories()
    size = 200
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as lists:
        batches = recommend_batches(model, histories, 100, train=split.train, batch_size=size)
        write_recommendations(islice(batches, math.ceil(n_scored / size)), Path(lists) / "lists.parquet")
    rate = n_scored / (time.perf_counter() - start)
    print(f"{name}: {result}", file=sys.stderr)
    about = {"steps": n_steps, "epoch_steps": epoch_steps, "seconds_per_step": seconds, "users_per_second": rate}
    about |= {"batch_size": batch_size, "ndcg_100": result.means["ndcg_100"]}
    print(json.dumps(about))


def compare(names: list[str], folder: Path, n_users: int, share: float) -> None:
    """Trains each model on the first users, from a packed folder and from memory, and prints both metrics."""
    import kerasrec
    from kerasrec.data import pack

    warnings.filterwarnings("ignore", "this run has")
    part = kerasrec.read(folder).take_users(range(n_users))
    table = kerasrec.Interactions(part.indptr, part.items, part.values, None, part.user_ids, part.item_ids)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent))
    print("| model | NDCG@100, packed | NDCG@100, in memory | equal |")
    print("|---|---|---|---|")
    try:
        packed = pack(table, scratch / "packed")
        for name in names:
            class_name, arguments, batch_size = SETTINGS[name]
            means = []
            for source in (packed, table):
                split = kerasrec.HeldOutUsers(held_out=HELD_OUT).split(source)
                model = getattr(kerasrec, class_name).for_interactions(
                    split.train, epochs=1, batch_size=batch_size, seed=1, **arguments
                )
                model.compile()
                n_steps = math.ceil(share * split.train.n_users / batch_size)
                model.fit(split.train, batch_size=batch_size, steps_per_epoch=n_steps, verbose=0)
                means.append(kerasrec.evaluate(model, split.test, ["ndcg_100"]).means["ndcg_100"])
            print(
                f"| {name} | {means[0]:.6f} | {means[1]:.6f} | {'yes' if means[0] == means[1] else 'no'} |", flush=True
            )
    finally:
        shutil.rmtree(scratch)


def draw(curves: dict[str, list[tuple[float, float, float]]], path: Path) -> None:
    """Draws the anonymous memory over time."""
    from kerasrec.plots.style import line, panels

    figure, (axes,) = panels(7.5, 4)
    for n, (name, curve) in enumerate(curves.items()):
        seconds, anonymous, _ = zip(*curve, strict=True)
        line(axes, np.array(seconds) / 60, anonymous, n, name)
    axes.axhline(LIMIT_GB, color="#999999", lw=1)
    axes.annotate(f"{LIMIT_GB:g} GB", (axes.get_xlim()[1], LIMIT_GB), ha="right", va="bottom", color="#666666")
    axes.set(xlabel="minutes", ylabel="anonymous memory (RssAnon), GB", ylim=(0, None))
    axes.set_title("Training, evaluation and scoring from a packed folder", loc="left")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
