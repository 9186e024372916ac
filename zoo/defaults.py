"""Measures default settings against tuned ones on six data sets, and writes defaults.md.

    python zoo/defaults.py --runs defaults-runs                        # everything; takes a day on two cores
    python zoo/defaults.py --runs defaults-runs --data ml-100k --model ease --model elsa --trials 4 --seeds 1
    python zoo/defaults.py --runs defaults-runs --write                # only writes the page from the finished runs

The data sets were chosen before the rules of `config_for` were. Default and tuned model of a row have the same split
and seed. `tune` chooses the settings of the tuned one on validation data; its first trial has the default settings. The
runs are stored in folders, so the same command continues an interrupted measurement.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

import kerasrec
from kerasrec import HeldOutUsers, Interactions, compare
from kerasrec.runs import Run, RunConfig, train, tune

PAGE = Path(__file__).with_suffix(".md")
METRIC = "ndcg_100"
BASELINES = ("popularity", "item_knn")
CLOSED_FORM = ("ease", "edlae")  # draw no random numbers: one seed is enough
MODELS = (*CLOSED_FORM, "elsa", "mult_vae", "rec_vae", "cdae")
N_SEEDS = 3
HEAD = """# Default settings against tuned ones

A run without options should be a fair baseline. Each row compares the test NDCG@100 of the default settings (`kerasrec
train MODEL`) with that of the settings that `kerasrec tune MODEL` found on validation data, on the same split. The
tuned settings are those with the best validation result among the given number of trials, the default settings
included. `±` is the standard error of the paired difference. The last columns are the results of the baselines.

Measured by `python zoo/defaults.py`, one row per data set, model and seed. EASE and EDLAE draw no random numbers, so
that one seed is enough.

| data | model | seed | default | tuned | trials | default / tuned | difference | item_knn | popularity |
|---|---|---|---|---|---|---|---|---|---|
"""


def gowalla() -> Interactions:
    """10,000 random users of Gowalla, and the items with five of them."""
    table = kerasrec.read("gowalla/train.txt")
    users = np.random.default_rng(0).permutation(table.n_users)[:10_000]
    return table.take_users(np.sort(users)).core(5, 5)


DATA: dict[str, Callable[[], Interactions]] = {
    "ml-100k": lambda: kerasrec.read("ml-100k"),
    "ml-1m": lambda: kerasrec.read("ml-1m"),
    "citeulike-a": lambda: kerasrec.read("citeulike-a/users.dat"),
    "gowalla-10000": gowalla,
    "amazon-beauty": lambda: kerasrec.read("amazon-beauty/Beauty.txt"),
    "generated": kerasrec.generate,
}


@click.command(help=__doc__.splitlines()[0])
@click.option("--runs", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the runs.")
@click.option("--data", "names", multiple=True, type=click.Choice(list(DATA)), help="Data set.  [default: all]")
@click.option("--model", "models", multiple=True, help="Model.  [default: all]")
@click.option("--trials", default=10, show_default=True, help="Trials of `tune`.")
@click.option("--seeds", default=N_SEEDS, show_default=True, help="Number of seeds.")
@click.option("--write", is_flag=True, help="Write the page from the finished runs, and train nothing.")
def main(folder: Path, names: tuple[str, ...], models: tuple[str, ...], trials: int, seeds: int, write: bool) -> None:
    """Trains what is missing, and writes the page."""
    for name in () if write else names or DATA:
        for seed in range(1, seeds + 1):
            measure(folder, name, [m for m in models or MODELS if seed == 1 or m not in CLOSED_FORM], trials, seed)
    PAGE.write_text(page(folder))
    click.echo(f"written: {PAGE}")


def measure(folder: Path, name: str, models: list[str], trials: int, seed: int) -> None:
    """Trains the baselines, and each model with default and with tuned settings."""
    read = functools.cache(DATA[name])
    protocol = HeldOutUsers()

    def config(model: str) -> RunConfig:
        return RunConfig(model, name, protocol.name, seed, split_options={"seed": protocol.seed})

    for model in [*(baseline for baseline in BASELINES if baseline in kerasrec.ZOO), *models]:
        run = train(config(model), read, folder / name / f"{model}-default-{seed}", verbose=1)
        click.echo(f"{name} {model} seed {seed}: default {run.metrics['test'][METRIC]:.4f}")
        if model in models:
            run = tune(config(model), read, folder / name / f"{model}-tuned-{seed}", trials, verbose=1)
            click.echo(f"{name} {model} seed {seed}: tuned {run.metrics['test'][METRIC]:.4f}")


def page(folder: Path) -> str:
    """The page, from the finished runs of a folder."""
    rows, ratios = [], []
    for name in DATA:
        for path in sorted((folder / name).glob("*-tuned-*")):
            model, _, seed = path.name.rsplit("-", 2)
            if not (path / "metrics.json").exists():
                continue
            tuned, default = Run(path), Run(folder / name / f"{model}-default-{seed}")
            results = [run.metrics["test"][METRIC] for run in (default, tuned)]
            ratios.append(results[0] / results[1])
            rows.append(row(name, model, seed, default, tuned, baselines(folder / name, seed)))
    summary = ""
    if ratios:
        planned = len(DATA) * (len(CLOSED_FORM) + N_SEEDS * (len(MODELS) - len(CLOSED_FORM)))
        summary = f"\n{len(ratios)} of {planned} planned rows are measured. "
        summary += f"Mean ratio: {np.mean(ratios):.3f}. Lowest ratio: {min(ratios):.3f}.\n"
    return HEAD + "".join(rows) + summary


def row(name: str, model: str, seed: str, default: Run, tuned: Run, others: dict[str, float]) -> str:
    """One line of the table."""
    evaluations = [run.evaluate([METRIC])["test"] for run in (default, tuned)]
    difference: Any = compare(*evaluations)[METRIC]
    one, two = (evaluation.means[METRIC] for evaluation in evaluations)
    trials = len((tuned.folder / "tuning" / "trials.csv").read_text().splitlines()) - 1
    cells = [name, model, seed, f"{one:.4f}", f"{two:.4f}", str(trials), f"{one / two:.3f}"]
    cells.append(f"{difference.difference:+.4f} ± {difference.standard_error:.4f}")
    cells += [f"{others[baseline]:.4f}" if baseline in others else "" for baseline in reversed(BASELINES)]
    return f"| {' | '.join(cells)} |\n"


def baselines(folder: Path, seed: str) -> dict[str, float]:
    """Test results of the baselines of a data set."""
    paths = {name: folder / f"{name}-default-{seed}" for name in BASELINES}
    return {name: Run(path).metrics["test"][METRIC] for name, path in paths.items() if (path / "metrics.json").exists()}


if __name__ == "__main__":
    main()
