"""Searches a recipe's settings on validation; test rows are out of reach.

    python zoo/search.py deep_rec_ml_1m WEIGHT_DECAY=0.5,1,2 EPOCHS=30,60         # all six
    python zoo/search.py cfn_items_ml_1m SETTINGS.reg=0.003..0.3 --trials 20      # Optuna's TPE, on a logarithmic scale
    python zoo/search.py auto_rec_items_ml_1m REG=0.03,0.06 --validation 0.09     # more to choose by

A setting is a constant of the recipe, or a key of one that is a dictionary. Each trial is in a journal when it ends, so
that a search which was stopped goes on where it was. Needs `pip install kerasrec[search]`.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import time
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import optuna
from recipe import Recipe, numbers
from table import spelled

import kerasrec
from kerasrec.metrics import lower_is_better

FOLDER = Path(__file__).parent


@click.command(help=__doc__.splitlines()[0])
@click.argument("recipe")
@click.argument("settings", nargs=-1, required=True, metavar="NAME=A,B,… | NAME=LOW..HIGH …")
@click.option("--trials", type=int, help="How many, where a setting is a range.")
@click.option("--seeds", callback=numbers, help="To take the mean over.  [default: the recipe's first]")
@click.option("--validation", help="Share that is held out to choose by, or a file of it, if not the recipe's.")
@click.option("--journal", type=click.Path(path_type=Path), help="[default: RECIPE.journal]")
@click.option("--smoke", is_flag=True, help="Generated data and few epochs: does it run?")
def main(
    recipe: str,
    settings: tuple[str, ...],
    trials: int | None,
    seeds: list[int] | None,
    validation: str | None,
    journal: Path | None,
    smoke: bool,
) -> None:
    """Reads the command line, runs the trials that the journal lacks, prints a Markdown table."""
    recipe = Path(recipe).stem
    if not (FOLDER / f"{recipe}.py").is_file() or not hasattr(module := importlib.import_module(recipe), "RECIPE"):
        raise click.UsageError(f"{recipe} is no recipe of {FOLDER}")
    space = dict(parsed(setting, module) for setting in settings)
    protocol: Any = module.RECIPE.protocol
    if validation is not None:
        if not hasattr(protocol, "validation"):
            raise click.UsageError(f"{protocol.name} has no share to hold out: it validates on rows of their own")
        try:
            protocol = dataclasses.replace(protocol, validation=literal(validation))
        except (TypeError, ValueError):
            raise click.UsageError(f"{protocol.name} cannot hold out {validation!r}: give a share, as in 0.1") from None
    searched = dataclasses.replace(module.RECIPE, protocol=protocol)
    runs = seeds or list(searched.seeds[:1])

    ranges = any(isinstance(values, tuple) for values in space.values())
    if ranges and trials is None:
        raise click.UsageError("a range has no end of values: say how many `--trials`")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=f"{recipe} {protocol} {runs} {smoke} {sorted(settings)}",
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(journal or f"{recipe}.journal"))
        ),
        sampler=None if ranges else optuna.samplers.GridSampler(space, seed=0),
        direction="minimize" if lower_is_better(searched.metrics[0]) else "maximize",
        load_if_exists=True,
    )
    if ranges:  # with the same seed it would draw once more what it drew before it was stopped
        study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    asked = trials or math.prod(len(values) for values in space.values())
    columns = [*space, *map(spelled, searched.metrics), "seconds"]
    click.echo(row(columns) + "\n" + row(["---"] * len(columns)))

    def objective(trial: optuna.Trial) -> float:
        for name, values in space.items():
            put(module, name, suggested(trial, name, values))
        figures, seconds = measured(searched, module.train, runs, smoke)
        told = [f"{value:.4g}" if isinstance(value, float) else value for value in trial.params.values()]
        trial.set_user_attr("row", [*told, *(f"{figure:.4f}" for figure in figures), f"{seconds:.0f}"])
        click.echo(row(trial.user_attrs["row"]))
        return figures[0]

    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    for trial in done:
        click.echo(row(trial.user_attrs["row"]))
    if asked > len(done):
        study.optimize(objective, n_trials=asked - len(done))
    click.echo("\nbest: " + ", ".join(f"{name}={value}" for name, value in study.best_params.items()))


def parsed(setting: str, module: Any) -> tuple[str, Any]:
    """The name of a setting and what to try: a list, or the two ends of a range."""
    name, _, told = setting.partition("=")
    constant, _, key = name.partition(".")
    held = getattr(module, constant, None)
    if not (told and constant.isupper()) or held is None or (key and not (isinstance(held, dict) and key in held)):
        raise click.UsageError(f"{module.__name__} has no setting {name}: take one of its constants")
    if ".." not in told:
        return name, [literal(value) for value in told.split(",")]
    low, high = (literal(end) for end in told.split("..", 1))
    if isinstance(low, str) or isinstance(high, str) or not 0 < low < high:
        raise click.UsageError(f"{setting}: the ends of a range are two numbers, 0 < LOW < HIGH")
    return name, (float(low), float(high))


def literal(text: str) -> Any:
    """A number where it reads as one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"True": True, "False": False, "None": None}.get(text, text)


def suggested(trial: optuna.Trial, name: str, values: Any) -> Any:
    """A value to try."""
    if isinstance(values, tuple):
        return trial.suggest_float(name, *values, log=True)
    return trial.suggest_categorical(name, values)


def put(module: Any, name: str, value: Any) -> None:
    """Sets a constant of the recipe, or a key of one."""
    constant, _, key = name.partition(".")
    if key:
        getattr(module, constant)[key] = value
    else:
        setattr(module, constant, value)


def measured(recipe: Recipe, train: Any, seeds: list[int], smoke: bool) -> tuple[list[float], float]:
    """Means on validation over the seeds, and seconds of training a seed."""
    figures, began = [], time.perf_counter()
    for seed in seeds:
        split = recipe.split(seed, smoke)
        blind = dataclasses.replace(split, test=split.validation)
        means = kerasrec.evaluate(train(blind, seed, smoke), split.validation, list(recipe.metrics)).means
        figures.append([means[metric] for metric in recipe.metrics])
        keras.utils.clear_session()
    return list(np.mean(figures, axis=0)), (time.perf_counter() - began) / len(seeds)


def row(cells: list[Any]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
