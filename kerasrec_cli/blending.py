"""`kerasrec blend`: one model from the models of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from kerasrec_cli.runtime import Command, shell

RUN_FOLDER = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("folders", metavar="RUN RUN …", nargs=-1, required=True, type=RUN_FOLDER)
@click.option("--out", required=True, type=RUN_FOLDER, help="Folder of the new run. It must be empty.")
def blend(folders: tuple[Path, ...], out: Path) -> None:
    """Combine the models of several RUN folders, with weights chosen on validation.

    The scores of each model are standardised and added with weights that are best on the
    validation data. The runs need the same data, protocol and split seed. The result is a run
    folder like any other; its export is one SavedModel.

    \b
    Example:
      kerasrec blend ease-run rec-vae-run --out blend
    """  # noqa: D301 - click reads the character \b
    from kerasrec import Blend, compare
    from kerasrec.inference import format_error
    from kerasrec.runs import Run, blend as blend_runs, describe_shares

    runs = [Run(folder) for folder in folders]
    blended = blend_runs(runs, out, verbose=1)
    names = [str(folder) for folder in folders]
    click.echo(f"shares: {describe_shares(cast(Blend, blended.model()), names)}")
    metric = blended.model().monitor.removeprefix("val_")
    click.echo(f"\n{metric:<{max(map(len, names)) + 2}}{'validation':>12}{'test':>20}")
    for name, run in zip([*names, str(out)], [*runs, blended], strict=True):
        test = run.metrics["test"]
        error = f"{test[metric]:.4f}{format_error(test[f'{metric}_se'])}"
        click.echo(f"{name:<{max(map(len, names)) + 2}}{run.metrics['validation'][metric]:>12.4f}{error:>20}")
    best = max(range(len(runs)), key=lambda i: runs[i].metrics["validation"][metric])
    comparison = compare(*(run.evaluate([metric])["test"] for run in (blended, runs[best])))[metric]
    click.echo(
        f"blend minus {names[best]}, the best on validation: {comparison.difference:+.4f} ± "
        f"{comparison.standard_error:.4f} (p = {comparison.p_value:.2g})"
    )
    click.echo(f"\nstored in {out}; next step: kerasrec export {shell(out)} --to served")
