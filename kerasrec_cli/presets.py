"""`kerasrec preset`."""

from __future__ import annotations

from pathlib import Path

import click

from kerasrec_cli.runtime import Command


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="New folder for the preset.")
@click.option("--licence", help="Licence of the weights and titles, for example CC-BY-4.0.")
def preset(run: Path, to: Path, licence: str | None) -> None:
    """Write the model of a RUN folder and its items as a preset, without user data.

    \b
    Example:
      kerasrec preset run --to elsa-movies --licence CC-BY-4.0
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import preset_from_run

    click.echo(f"written: {preset_from_run(run, to, licence)}")
