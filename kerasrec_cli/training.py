"""`kerasrec train`."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.data import read_and_report
from kerasrec_cli.options import as_text, keyword_arguments, read_options
from kerasrec_cli.run_options import DATA_OPTION, RUN_FOLDER, TRACK_OPTION, model_options, run_config, split_options
from kerasrec_cli.runtime import Command, resumable, shell

if TYPE_CHECKING:
    from kerasrec.runs import Run


@click.command(cls=Command)
@click.argument("model")
@DATA_OPTION
@split_options
@model_options
@read_options
@click.option("--out", required=True, type=RUN_FOLDER, help="Folder of the run.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out if it has other options or other data.")
@TRACK_OPTION
def train(model: str, source: str, out: Path, overwrite: bool, track: str | None, **options: Any) -> None:
    """Train MODEL, evaluate it by a published protocol, and store the run.

    `kerasrec models` lists the models and their options. The same command resumes an
    interrupted run; the final weights are the same as without the interruption. If the run is
    finished and its data have not changed, the command trains nothing and exits with code 0. If
    its data have changed, it exits with code 2; --overwrite trains again.

    Options that are left out follow from the data. The result ends with a list of the
    defaults that were not chosen on validation data.

    \b
    Example:
      kerasrec train ease --data ratings.csv --set reg=500 --out run
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import train as train_run
    from kerasrec.runs.tracking import tracker_for

    config = run_config(model, source, **options)
    tracker = tracker_for(track, out)
    with resumable(out / "run.json", "after the last complete epoch"):
        run = train_run(
            config,
            lambda: read_and_report(source, **config.read_options),
            out,
            overwrite=overwrite,
            verbose=1,
            callbacks=[tracker.callback],
        )
    print_metrics(run)
    _print_settings(run)
    _draw_pictures(run)
    tracker.finish(run, sorted((out / "pictures").glob("*.png")))
    click.echo(f"\nstored in {out}; next step: kerasrec refit {shell(out)} --out final")


def print_metrics(run: Run) -> None:
    """Prints the test and validation results of a run."""
    from kerasrec.inference import format_error

    metrics = run.metrics
    test, validation = metrics["test"], metrics["validation"]
    baseline = metrics.get("baseline")
    click.echo(f"\n{metrics['model']} on {metrics['data']}, {metrics['protocol']}, seed {metrics['seed']}")
    heading = f"{baseline['model']} (test)" if baseline else ""
    click.echo(f"{'':<16}{'test':>18}{'validation':>14}{heading:>20}".rstrip())
    for name in [name for name in test if f"{name}_se" in test]:
        other = f"{baseline[name]:>20.4f}" if baseline else ""
        error = format_error(test[f"{name}_se"])
        click.echo(f"{name:<16}{test[name]:>9.4f}{error:<9}{validation[name]:>14.4f}{other}")
    left_out = f"; {test['left_out']:,} users without held-out items excluded" if test["left_out"] else ""
    click.echo(
        f"{test['n']:,} test rows{left_out}; trained in {metrics['seconds']:.1f} s, best epoch {metrics['best_epoch']}"
    )
    n_epochs = len(run.history()["seconds"])
    if n_epochs < metrics["epochs"]:
        click.echo(
            f"stopped after {n_epochs} of {metrics['epochs']} epochs, because the validation results did not improve"
        )
    if baseline and _is_worse(test, baseline):
        click.echo(
            f"Warning: {metrics['model']} is worse than {baseline['model']}. Fix: "
            f"{'' if run.model_class.closed_form else 'more --epochs, a lower --learning-rate, or '}"
            f"kerasrec tune {metrics['model']}",
            err=True,
        )


def _is_worse(test: dict[str, float], baseline: dict[str, float]) -> bool:
    """Whether a model has a worse result than its baseline, by the metric that chooses the best epoch."""
    return test["rmse"] > baseline["rmse"] if "rmse" in test else test["ndcg_100"] < baseline["ndcg_100"]


def _print_settings(run: Run) -> None:
    """Prints which settings were compared on validation data, which were not, and whether the run was too short."""
    if run.config is None or run.settings is None:
        return
    settings, model_class = run.settings, run.model_class
    if settings.trials:
        click.echo(f"chosen on validation data: {settings.describe_trials()}")
    constructor = {name: parameter.default for name, parameter in keyword_arguments(model_class).items()}
    values = {**constructor, **settings.arguments}
    # These follow from the ratings and from the length of the run.
    computed = {"value_range", *model_class.schedule_for(1, values)}
    hidden = {*run.config.model_options, *settings.chosen, *computed}
    defaults = [f"{name} {as_text(value)}" for name, value in values.items() if name not in hidden]
    if not model_class.closed_form:
        training = {name: getattr(settings, name) for name in ("epochs", "batch_size", "learning_rate")}
        hidden = {name for name, value in training.items() if value is None or getattr(run.config, name) is not None}
        defaults += [f"{name} {value}" for name, value in training.items() if name not in hidden]
    if defaults:
        click.echo(f"defaults, not chosen on these data: {', '.join(defaults)}")
    if run.metrics["best_epoch"] == settings.epochs > 1:
        more = 2 * settings.epochs
        click.echo(f"Warning: the best epoch is the last one. Fix: try more epochs (--epochs {more})", err=True)


def _draw_pictures(run: Run) -> None:
    """Draws `curves.png` and the folder `pictures`, unless they exist."""
    if (run.folder / "pictures").exists():
        return
    if importlib.util.find_spec("matplotlib") is None:
        from kerasrec.extras import install_command

        click.echo(f"no pictures, because matplotlib is not installed. Fix: {install_command('plots')}", err=True)
        return
    from kerasrec.files import atomic_folder
    from kerasrec.plots import draw_all

    with atomic_folder(run.folder / "pictures") as unfinished:
        draw_all(run, unfinished)
    curves = run.folder / "pictures" / "curves.png"
    if curves.exists():  # a closed-form model has no epochs
        shutil.copyfile(curves, run.folder / "curves.png")
