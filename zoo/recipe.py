"""The command line of all recipes: seeds, smoke mode, and result files that record how they were measured.

A recipe is a script in this folder. Run it by its path:

    python zoo/ease_ml_1m.py                    # all its seeds; writes zoo/results/ease_ml_1m.json
    python zoo/ease_ml_1m.py --seeds 1 --export served
    python zoo/ease_ml_1m.py --runs runs/ease   # stores runs for `kerasrec compare`, `kerasrec explore`, …
    python zoo/ease_ml_1m.py --smoke            # checks in seconds, on generated data, that the script runs
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import kerasrec
from kerasrec.runs import save_run

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Recipe:
    """What a recipe measures, and how.

    Attributes:
        model: name of the model in the table of results.
        data: the argument of `kerasrec.read`.
        protocol: splits the data. If `reseed` is true, each run replaces its seed.
        metrics: names of the metrics on test data, the most important first.
        seeds: seeds of the runs.
        reseed: whether each seed draws a new split (rating prediction) or only new initial weights.
        published: metric → result of the paper under this protocol; empty if the paper has none.
        smoke_protocol: protocol for generated data, if `protocol` can split its own data only.
    """

    model: str
    data: str
    protocol: Any
    metrics: tuple[str, ...]
    seeds: tuple[int, ...] = (1, 2, 3)
    reseed: bool = False
    published: dict[str, float] = dataclasses.field(default_factory=dict)
    smoke_protocol: Any = None

    def split(self, seed: int, smoke: bool) -> kerasrec.Split:
        """The split of the run with this seed."""
        protocol = dataclasses.replace(self.protocol, seed=seed) if self.reseed else self.protocol
        if not smoke:
            return protocol.split(kerasrec.read(self.data))
        protocol = self.smoke_protocol or protocol
        if hasattr(protocol, "held_out"):
            protocol = dataclasses.replace(protocol, held_out=30)
        return protocol.split(kerasrec.generate(n_users=300, n_items=80, seed=seed))


Train = Callable[[kerasrec.Split, int, bool], kerasrec.Recommender]
"""The function that a recipe defines: `train(split, seed, smoke)` returns a trained model."""


def numbers(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    """Parses whole numbers separated by commas; `None` if the option is omitted."""
    try:
        return None if text is None else [int(number) for number in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"expected whole numbers separated by commas (1,2,3), got {text!r}") from None


def main(recipe: Recipe, train: Train, script: str) -> None:
    """Runs a recipe as a command."""

    @click.command(help=f"{recipe.model} on {recipe.data}, {recipe.protocol.name}.")
    @click.option(
        "--seeds",
        default=",".join(map(str, recipe.seeds)),
        show_default=True,
        callback=numbers,
        help="Seeds to run.",
    )
    @click.option("--smoke", is_flag=True, help="Check with generated data and few epochs that the recipe runs.")
    @click.option("--export", "export_to", type=click.Path(path_type=Path), help="Folder to export the last model to.")
    @click.option(
        "--runs", "runs_folder", type=click.Path(path_type=Path), help="Folder to store each run in, as seed-N."
    )
    @click.option("--out", type=click.Path(path_type=Path), help="Result file.  [default: zoo/results/RECIPE.json]")
    def command(
        seeds: list[int], smoke: bool, export_to: Path | None, runs_folder: Path | None, out: Path | None
    ) -> None:
        folders = {seed: runs_folder / f"seed-{seed}" for seed in seeds} if runs_folder is not None else {}
        for folder in folders.values():
            if folder.exists():  # checked before hours of training, not after
                raise click.UsageError(f"{folder} already exists. Fix: choose another folder for --runs")
        runs = []
        for seed in seeds:
            model, split, run = measure(recipe, train, seed, smoke)
            runs.append(run)
            if seed in folders:
                save_run(model, split, folders[seed], recipe.data)
        if export_to is not None:
            kerasrec.export_saved_model(model, export_to, split.train)
        name = Path(script).stem
        if out is None and not smoke:
            out = RESULTS / f"{name}.json"
        if out is not None:
            out.write_text(json.dumps(summary(recipe, name, runs), indent=2) + "\n")

    command()


def measure(
    recipe: Recipe, train: Train, seed: int, smoke: bool
) -> tuple[kerasrec.Recommender, kerasrec.Split, dict[str, Any]]:
    """Trains and evaluates a model, and prints its test metrics. Returns the model, its split and the results."""
    split = recipe.split(seed, smoke)
    start = time.perf_counter()
    model = train(split, seed, smoke)
    seconds = time.perf_counter() - start
    test, validation = (
        kerasrec.evaluate(model, held_out, list(recipe.metrics)) for held_out in (split.test, split.validation)
    )
    click.echo(f"{recipe.model}, seed {seed}, {seconds:.0f} s\n{test}")
    results = {"seed": seed, "test": test.as_dict(), "validation": validation.means}
    return model, split, {**results, "seconds": round(seconds, 1), "parameters": int(model.count_params())}


def summary(recipe: Recipe, name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard error over the runs, with the result of the paper."""
    results = {}
    for metric in recipe.metrics:
        values = np.array([run["test"][metric] for run in runs])
        over_runs = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        results[metric] = {
            "mean": float(values.mean()),
            "se_over_runs": over_runs,
            "se_over_test": runs[0]["test"].get(f"{metric}_se"),
            "published": recipe.published.get(metric),
        }
    return {
        "recipe": name,
        "model": recipe.model,
        "data": recipe.data,
        "protocol": {"name": recipe.protocol.name, **dataclasses.asdict(recipe.protocol)},
        "reseed": recipe.reseed,
        "test": results,
        "seconds": round(float(np.mean([run["seconds"] for run in runs])), 1),
        "parameters": runs[0]["parameters"],
        "kerasrec": kerasrec.__version__,
        "commit": _commit(),
        "runs": runs,
    }


def _commit() -> str | None:
    """The commit of the working copy; `None` outside a git repository."""
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    process = subprocess.run(command, capture_output=True, text=True)
    return process.stdout.strip() or None
