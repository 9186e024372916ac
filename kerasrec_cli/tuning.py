"""`kerasrec tune`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.data import read_and_report
from kerasrec_cli.options import read_options
from kerasrec_cli.run_options import DATA_OPTION, RUN_FOLDER, model_options, run_config, split_options
from kerasrec_cli.runtime import Command, resumable, shell
from kerasrec_cli.training import print_metrics

if TYPE_CHECKING:
    from kerasrec.runs import Run


@click.command(cls=Command)
@click.argument("model")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Number of trials in all.")
@DATA_OPTION
@split_options
@model_options
@read_options
@click.option("--out", required=True, type=RUN_FOLDER, help="Folder of the search and of its best run.")
@click.option("--overwrite", is_flag=True, help="Replace the search in --out if it has other options or other data.")
def tune(
    model: str,
    trials: int,
    source: str,
    out: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """Search the settings of MODEL on validation users, and store the best run.

    The first trial has the default settings. Options that are given, such as --set dropout=0.5,
    are not searched. The same command continues an interrupted search. A higher number of
    --trials extends a finished one. Needs Optuna (pip install optuna).

    \b
    Example:
      kerasrec tune ease --data ratings.csv --trials 5 --out tuned
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import tune as tune_run

    config = run_config(model, source, **options)
    with resumable(out / "tuning", "the search"):
        run = tune_run(
            config,
            lambda: read_and_report(source, **config.read_options),
            out,
            trials,
            overwrite=overwrite,
            verbose=1,
        )
    print_metrics(run)
    _draw_trials(run)
    click.echo(f"\nstored in {out}; next step: kerasrec refit {shell(out)} --out final")


def _draw_trials(run: Run) -> None:
    """Draws `tuning/trials.png`."""
    if importlib.util.find_spec("matplotlib") is None:
        return
    from kerasrec.files import atomic_file
    from kerasrec.plots import RUN_PLOTS

    with atomic_file(run.folder / "tuning" / "trials.png") as file:
        RUN_PLOTS["trials"]([run]).savefig(file, dpi=150)
