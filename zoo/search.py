"""Searches the settings of a recipe on validation data. Test data is never used.

    python zoo/search.py deep_rec_ml_1m WEIGHT_DECAY=0.5,1,2 EPOCHS=30,60         # all six combinations
    python zoo/search.py cfn_items_ml_1m SETTINGS.reg=0.003..0.3 --trials 20      # Optuna's TPE on a logarithmic scale
    python zoo/search.py auto_rec_items_ml_1m REG=0.03,0.06 --validation 0.09     # more validation data

A setting is a constant of the recipe, or a key of a constant that is a dictionary. A journal file stores each finished
trial, so the same command resumes an interrupted search. Needs the extra `tune`: `pip install '.[tune]'`.
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
@click.option("--trials", type=int, help="Number of trials; needed if a setting is a range.")
@click.option("--seeds", callback=numbers, help="Seeds to average over.  [default: the first seed of the recipe]")
@click.option("--validation", help="Share of the data, or a file, for validation.  [default: that of the recipe]")
@click.option("--journal", type=click.Path(path_type=Path), help="File of the trials.  [default: RECIPE.journal]")
@click.option("--smoke", is_flag=True, help="Check with generated data and few epochs that the search runs.")
def main(
    recipe: str,
    settings: tuple[str, ...],
    trials: int | None,
    seeds: list[int] | None,
    validation: str | None,
    journal: Path | None,
    smoke: bool,
) -> None:
    """Reads the command line, runs the trials that are not in the journal, and prints a Markdown table."""
    recipe = Path(recipe).stem
    if not (FOLDER / f"{recipe}.py").is_file() or not hasattr(module := importlib.import_module(recipe), "RECIPE"):
        raise click.UsageError(f"expected the name of a recipe in {FOLDER}, got {recipe}")
    space = dict(parse(setting, module) for setting in settings)
    protocol: Any = module.RECIPE.protocol
    if validation is not None:
        if not hasattr(protocol, "validation"):
            raise click.UsageError(f"--validation does not apply to {protocol.name}, which validates on held-out users")
        try:
            protocol = dataclasses.replace(protocol, validation=literal(validation))
        except (TypeError, ValueError):
            raise click.UsageError(f"--validation: {protocol.name} expects a share (0.1), got {validation!r}") from None
    searched = dataclasses.replace(module.RECIPE, protocol=protocol)
    runs = seeds or list(searched.seeds[:1])

    ranges = any(isinstance(values, tuple) for values in space.values())
    if ranges and trials is None:
        raise click.UsageError("a setting is a range. Fix: add --trials with the number of trials")
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
    if ranges:  # with the same seed, a resumed search would draw the same settings again
        study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    n_trials = trials or math.prod(len(values) for values in space.values())
    columns = [*space, *map(spelled, searched.metrics), "seconds"]
    click.echo(row(columns) + "\n" + row(["---"] * len(columns)))

    def objective(trial: optuna.Trial) -> float:
        for name, values in space.items():
            assign(module, name, suggest(trial, name, values))
        means, seconds = measure(searched, module.train, runs, smoke)
        settings = [f"{value:.4g}" if isinstance(value, float) else value for value in trial.params.values()]
        trial.set_user_attr("row", [*settings, *(f"{mean:.4f}" for mean in means), f"{seconds:.0f}"])
        click.echo(row(trial.user_attrs["row"]))
        return means[0]

    finished = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    for trial in finished:
        click.echo(row(trial.user_attrs["row"]))
    if n_trials > len(finished):
        study.optimize(objective, n_trials=n_trials - len(finished))
    click.echo("\nbest: " + ", ".join(f"{name}={value}" for name, value in study.best_params.items()))


def parse(setting: str, module: Any) -> tuple[str, Any]:
    """Parses NAME=A,B,… as a name and a list of values, NAME=LOW..HIGH as a name and the ends of a range."""
    name, _, text = setting.partition("=")
    constant, _, key = name.partition(".")
    value = getattr(module, constant, None)
    if not (text and constant.isupper()) or value is None or (key and not (isinstance(value, dict) and key in value)):
        raise click.UsageError(f"{module.__name__} has no setting {name}. Fix: use one of its constants")
    if ".." not in text:
        return name, [literal(item) for item in text.split(",")]
    low, high = (literal(end) for end in text.split("..", 1))
    if isinstance(low, str) or isinstance(high, str) or not 0 < low < high:
        raise click.UsageError(f"{setting}: expected a range LOW..HIGH of numbers with 0 < LOW < HIGH")
    return name, (float(low), float(high))


def literal(text: str) -> Any:
    """A number, True, False or None if the text is one of them; else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"True": True, "False": False, "None": None}.get(text, text)


def suggest(trial: optuna.Trial, name: str, values: Any) -> Any:
    """The next value of a setting to try."""
    if isinstance(values, tuple):
        return trial.suggest_float(name, *values, log=True)
    return trial.suggest_categorical(name, values)


def assign(module: Any, name: str, value: Any) -> None:
    """Sets a constant of the recipe, or a key of a constant."""
    constant, _, key = name.partition(".")
    if key:
        getattr(module, constant)[key] = value
    else:
        setattr(module, constant, value)


def measure(recipe: Recipe, train: Any, seeds: list[int], smoke: bool) -> tuple[list[float], float]:
    """Means of the metrics on validation data over the seeds, and mean seconds of training."""
    results, start = [], time.perf_counter()
    for seed in seeds:
        split = recipe.split(seed, smoke)
        without_test = dataclasses.replace(split, test=split.validation)
        model = train(without_test, seed, smoke)
        means = kerasrec.evaluate(model, split.validation, list(recipe.metrics)).means
        results.append([means[metric] for metric in recipe.metrics])
        keras.utils.clear_session()
    return list(np.mean(results, axis=0)), (time.perf_counter() - start) / len(seeds)


def row(cells: list[Any]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
