"""`kerasrec compare`."""

from __future__ import annotations

from pathlib import Path

import click

from kerasrec_cli.runtime import Command, check_file

RUN_FOLDER = click.Path(path_type=Path)
PICTURES = (".png", ".svg", ".pdf")


@click.command(cls=Command)
@click.argument("folders", metavar="RUN RUN...", nargs=-1, required=True, type=RUN_FOLDER)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="Name of a metric, such as ndcg_10. Repeatable; the first sorts the table.  [default: those of the model]",
)
@click.option("--baseline", type=RUN_FOLDER, help="Compare with this RUN only.  [default: compare every pair]")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Write the result to a file: .md, .csv, or a picture: .png, .svg, .pdf.",
)
def compare(folders: tuple[Path, ...], metrics: tuple[str, ...], baseline: Path | None, to: Path | None) -> None:
    """Compare the models of RUN folders on the same test users.

    The runs must have the same data, protocol and split seed. p is the p-value of a paired t-test over
    users. p (Holm) is corrected for the number of tests on the metric.

    \b
    Example:
      kerasrec compare run other-run --metric ndcg_10
    """  # noqa: D301 - click reads the character \b
    from kerasrec.files import atomic_file
    from kerasrec.runs import Run, compare_runs

    if len(folders) < 2:
        raise ValueError(f"RUN: expected at least two folders, got {folders[0]}. Fix: give the folder of another run")
    if baseline is not None and baseline not in folders:
        raise ValueError(f"--baseline: expected one of the RUN folders, got {baseline}")
    if to is not None:
        if to.suffix not in (".md", ".csv", *PICTURES):
            raise ValueError(f"--to: expected a file that ends in .md, .csv, .png, .svg or .pdf, got {to}")
        check_file("--to", to)
    runs = [Run(folder) for folder in folders]
    table = compare_runs(
        runs, list(metrics) or None, None if baseline is None else runs[folders.index(baseline)], verbose=1
    )
    click.echo(table.to_markdown(), nl=False)
    if to is None:
        return
    if to.suffix in PICTURES:
        from kerasrec.plots import differences, run_title

        with atomic_file(to) as file:
            differences(table, run_title(runs)).savefig(file, dpi=150, format=to.suffix[1:])
    else:
        with atomic_file(to, "w") as file:
            file.write(table.to_csv() if to.suffix == ".csv" else table.to_markdown())
    click.echo(f"\nwritten: {to}")
