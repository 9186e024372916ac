"""`kerasrec data`: what a data set contains."""

from __future__ import annotations

import statistics
import time
from datetime import datetime, timezone
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
def describe(data: str, **options: Any) -> None:
    """Print a summary of DATA: rows, columns, meaning of the values, counts.

    DATA is a file or folder (MovieLens folder or zip, CSV, TSV, JSON, Excel, Parquet, lists with one
    user per line, and others), a database, a name in $KERASREC_DATA, a name of TensorFlow Datasets,
    or "generated".

    \b
    Example:
      kerasrec data describe ratings.csv
    """  # noqa: D301 - click reads the character \b
    from kerasrec import read

    table = read(data, **without_none(options))
    click.echo(repr(table))
    click.echo(table.row_counts)
    for line in column_lines(table):
        click.echo(line)
    for name, counts in (("items per user: ", table.counts), ("users per item: ", table.item_counts)):
        click.echo(f"{name}median {_median(counts)}, {counts.min():,} to {counts.max():,}")
    most_popular = int(table.item_counts.argmax())
    title = "" if table.item_titles is None else f" ({table.item_titles[most_popular]})"
    click.echo(f"most popular item: {table.item_ids[most_popular]!s}{title}, {table.item_counts.max():,} users")


def column_lines(table: Interactions) -> list[str]:
    """Returns one line for each role: its column and its content."""

    def source(role: str) -> str:
        return f"column {table.column_names[role]!r}, " if role in table.column_names else ""

    lines = [
        f"{role}: {source(role)}{len(ids):,} ids, first {ids[0]!s}, last {ids[-1]!s}"
        for role, ids in (("user", table.user_ids), ("item", table.item_ids))
    ]
    kind = table.value_kind
    if kind.name == "likes":
        lines.append(f"value: {source('value') or 'no column, '}every interaction is a like")
    else:
        n_likes = int(kind.are_likes(table.values, None).sum())
        lines.append(f"value: {source('value')}{kind}")
        lines.append(f"likes: {n_likes:,} of {len(table):,} interactions are likes: {kind.rule(None)}")
    if table.times is None:
        lines.append("time: no column, so the order of the file is used")
    else:
        first, last = (datetime.fromtimestamp(t, timezone.utc) for t in (table.times.min(), table.times.max()))
        lines.append(f"time: {source('time')}{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC")
    return lines


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
