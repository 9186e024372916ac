"""`kerasrec models`: the models and their options."""

from __future__ import annotations

import inspect

import click

from kerasrec_cli.options import as_text, keyword_arguments
from kerasrec_cli.runtime import Command


@click.command(cls=Command)
def models() -> None:
    """List the models and the options that --set accepts.

    \b
    Example:
      kerasrec models
    """  # noqa: D301 - click reads the character \b
    from kerasrec import ZOO

    for name, cls in ZOO.items():
        summary = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        click.secho(f"{name}  ", bold=True, nl=False)
        click.echo(f"({cls.feedback}) {summary}")
        for argument, parameter in keyword_arguments(cls).items():
            click.echo(f"    --set {argument}={as_text(parameter.default)}")
