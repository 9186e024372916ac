"""`kerasrec refit`: the model to deploy, trained on all rows."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from kerasrec_cli.run_options import TRACK_OPTION
from kerasrec_cli.runtime import Command, resumable, shell


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="Newer data of the same format.  [default: the data of RUN]")
@click.option("--until", help="Leave out interactions at this date or time (ISO format, UTC) and later.")
@click.option(
    "--warm-start",
    is_flag=True,
    help="Begin with the weights of RUN. New users and items get new weights. A closed-form model is solved again.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new run.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out if it has other settings or other data.")
@TRACK_OPTION
def refit(
    run: Path, data: str | None, until: str | None, warm_start: bool, out: Path, overwrite: bool, track: str | None
) -> None:
    """Train the model of a RUN again on all rows, with nothing held out.

    The new run has the settings and the best epoch of RUN. Its model contains every user and
    every item with a like (for rating models: with a rating), so it is the one to export. It has no
    metrics; metrics.json names the run whose settings it has. The same command resumes an
    interrupted run. If the run is finished and its data have not changed, the command trains
    nothing and exits with code 0. If its data have changed, it exits with code 2; --overwrite
    trains again.

    \b
    Example:
      kerasrec refit run --out final
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import refit as refit_run
    from kerasrec.runs.tracking import tracker_for

    tracker = tracker_for(track, out)
    with resumable(out / "run.json", "after the last complete epoch"):
        final = refit_run(
            run,
            out,
            data=data,
            until=until,
            warm_start=warm_start,
            overwrite=overwrite,
            verbose=1,
            callbacks=[tracker.callback],
        )
    tracker.finish(final, [])
    metrics = final.metrics
    epochs = "1 epoch" if metrics["best_epoch"] == 1 else f"{metrics['best_epoch']} epochs"
    click.echo(
        f"{metrics['model']} trained on all rows of {metrics['data']}: {epochs}, {metrics['seconds']:.1f} s; "
        f"chosen by {metrics['refit']['folder']}"
    )
    if until is None:
        next_step = f"kerasrec export {shell(out)} --to served"
    else:
        source = shlex.quote(data or metrics["data"])
        next_step = f"kerasrec evaluate {shell(out)} --data {source} --better-than {shell(run)}"
    click.echo(f"stored in {out}; next step: {next_step}")
