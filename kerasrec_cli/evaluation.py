"""`kerasrec evaluate`: metrics of a run, and the deployment gate."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kerasrec_cli.runtime import REJECTED, Command

RUN_FOLDER = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("run", type=RUN_FOLDER)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="Name of a metric, such as ndcg_10. Repeatable.  [default: those of the model]",
)
@click.option("--better-than", "deployed", type=RUN_FOLDER, help="The deployed run, for the deployment gate.")
@click.option("--data", help="With --better-than: data that contain interactions newer than those of both runs.")
@click.option(
    "--margin",
    type=click.FloatRange(0),
    default=0.01,
    show_default=True,
    help="With --better-than: how much worse RUN may be, as a share of the deployed run's metric.",
)
def evaluate(run: Path, metrics: tuple[str, ...], deployed: Path | None, data: str | None, margin: float) -> None:
    """Evaluate the model of a RUN, or compare it with the deployed model.

    With --better-than, both models are compared on the interactions of --data that are newer than
    both runs. RUN is accepted if the lower end of the 95 % interval of its improvement is above
    -MARGIN times the deployed model's metric. The exit code is 0 if it is accepted, and 3 if not.

    \b
    Example:
      kerasrec evaluate run --metric ndcg_10 --metric recall_20
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run, compare_on_newest

    if deployed is None:
        if data is not None:
            raise ValueError("--data: expected --better-than with it. Fix: add --better-than RUN, or leave --data out")
        for name, evaluation in Run(run).evaluate(list(metrics) or None, verbose=1).items():
            click.echo(f"\n{name}\n{evaluation}")
        return
    if data is None:
        raise ValueError("--better-than: expected --data with a period that neither run has seen. Fix: add --data FILE")
    if len(metrics) > 1:
        raise ValueError(f"--metric: expected one metric with --better-than, got {len(metrics)}. Fix: choose one")
    result = compare_on_newest(Run(run), Run(deployed), data, metrics[0] if metrics else None, margin)
    click.echo(result)
    if not result.accepted:
        sys.exit(REJECTED)
