"""`kerasrec data`: what a data set contains."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.options import read_options, without_none
from kerasrec_cli.runtime import Command

if TYPE_CHECKING:
    from kerasrec import Interactions


@click.group()
def data() -> None:
    """Inspect interaction data."""


@data.command(cls=Command)
@click.argument("data")
@read_options
def describe(data: str, **options: str | None) -> None:
    """Print a summary of DATA: counts, density, range of values and times.

    DATA is a file or folder (MovieLens folder or zip, CSV, TSV, Parquet, lists with one user per
    line), a name in $KERASREC_DATA, a name of TensorFlow Datasets, or "generated".

    \b
    Example:
      kerasrec data describe ratings.csv
    """  # noqa: D301 - click reads the character \b
    from kerasrec import read

    table = read(data, **without_none(options))
    click.echo(repr(table))
    click.echo(table.row_counts)
    for name, counts in (("items per user: ", table.counts), ("users per item: ", table.item_counts)):
        click.echo(f"{name}median {_median(counts)}, {counts.min():,} to {counts.max():,}")
    click.echo(f"user ids: first {table.user_ids[0]!s}, last {table.user_ids[-1]!s}")
    most_popular = int(table.item_counts.argmax())
    title = "" if table.item_titles is None else f" ({table.item_titles[most_popular]})"
    click.echo(f"most popular item: {table.item_ids[most_popular]!s}{title}, {table.item_counts.max():,} users")


def _median(values: Any) -> str:
    return f"{statistics.median_high(values.tolist()):,}"


def read_and_report(source: str, **options: Any) -> Interactions:
    """Reads data, and prints what was read and the time it took."""
    from kerasrec import read

    start = time.perf_counter()
    table = read(source, **options)
    click.echo(f"{table!r} read in {time.perf_counter() - start:.1f} s")
    click.echo(table.row_counts)
    return table
