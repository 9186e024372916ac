"""What all recipes share: seeds, smoke mode, and results that say how they were measured.

A recipe is a script beside this file. Run it by its path:

    python zoo/ease_ml_1m.py                    # all its seeds, result to zoo/results/ease_ml_1m.json
    python zoo/ease_ml_1m.py --seeds 1 --export served
    python zoo/ease_ml_1m.py --runs runs/ease   # for `kerasrec compare runs/ease/seed-1 …`, `kerasrec explore`, …
    python zoo/ease_ml_1m.py --smoke            # generated data, seconds: does it run?
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
    """What is measured, and how.

    Attributes:
        model: as the table names it.
        data: what `kerasrec.read` takes.
        protocol: makes the split; its seed is replaced for each run where `reseed` is true.
        metrics: what is reported on test, the first of them first.
        seeds: of the runs.
        reseed: whether a seed draws a new split (rating prediction), or only new weights.
        published: metric → figure of the paper under this protocol, where there is one.
        smoke_protocol: for generated data, where `protocol` can split its own data only.
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
        """The split of one run."""
        protocol = dataclasses.replace(self.protocol, seed=seed) if self.reseed else self.protocol
        if not smoke:
            return protocol.split(kerasrec.read(self.data))
        protocol = self.smoke_protocol or protocol
        if hasattr(protocol, "held_out"):
            protocol = dataclasses.replace(protocol, held_out=30)
        return protocol.split(kerasrec.generate(n_users=300, n_items=80, seed=seed))


Train = Callable[[kerasrec.Split, int, bool], kerasrec.Recommender]
"""From a split, a seed, and whether to be quick about it, to a trained model: what a recipe is about."""


def numbers(context: click.Context, option: click.Parameter, told: str | None) -> list[int] | None:
    """Whole numbers between commas, for an option of a command; `None` where it was not given."""
    try:
        return None if told is None else [int(number) for number in told.split(",")]
    except ValueError:
        raise click.BadParameter(f"{told!r} is no list of whole numbers such as 1,2,3") from None


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
    @click.option("--smoke", is_flag=True, help="Generated data and few epochs: does it run?")
    @click.option("--export", "export_to", type=click.Path(path_type=Path), help="Export the last model there.")
    @click.option("--runs", "keep_in", type=click.Path(path_type=Path), help="Keep each seed's run as seed-N there.")
    @click.option("--out", type=click.Path(path_type=Path), help="Result file.  [default: zoo/results/RECIPE.json]")
    def command(seeds: list[int], smoke: bool, export_to: Path | None, keep_in: Path | None, out: Path | None) -> None:
        kept = {seed: keep_in / f"seed-{seed}" for seed in seeds} if keep_in is not None else {}
        for folder in kept.values():
            if folder.exists():  # said before hours of training, not after
                raise click.UsageError(f"{folder} is there already: choose another folder for --runs")
        runs = []
        for seed in seeds:
            split = recipe.split(seed, smoke)
            began = time.perf_counter()
            model = train(split, seed, smoke)
            seconds = time.perf_counter() - began
            test, validation = (
                kerasrec.evaluate(model, part, list(recipe.metrics)) for part in (split.test, split.validation)
            )
            runs.append(
                {
                    "seed": seed,
                    "test": test.as_dict(),
                    "validation": validation.means,
                    "seconds": round(seconds, 1),
                    "parameters": int(model.count_params()),
                }
            )
            click.echo(f"seed {seed}, {seconds:.0f} s\n{test}")
            if seed in kept:
                save_run(model, split, kept[seed], recipe.data)
        if export_to is not None:
            kerasrec.export_saved_model(model, export_to, split.train)
        name = Path(script).stem
        if out is None and not smoke:
            out = RESULTS / f"{name}.json"
        if out is not None:
            out.write_text(json.dumps(summary(recipe, name, runs), indent=2) + "\n")

    command()


def summary(recipe: Recipe, name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard error over the runs, beside what the paper says."""
    figures = {}
    for metric in recipe.metrics:
        values = np.array([run["test"][metric] for run in runs])
        over_runs = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        figures[metric] = {
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
        "test": figures,
        "seconds": round(float(np.mean([run["seconds"] for run in runs])), 1),
        "parameters": runs[0]["parameters"],
        "kerasrec": kerasrec.__version__,
        "commit": _commit(),
        "runs": runs,
    }


def _commit() -> str | None:
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None
