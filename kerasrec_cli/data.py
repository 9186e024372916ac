"""`kerasrec data`: what a data set contains, and data sets that stay on the disk."""

from __future__ import annotations

import statistics
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.beam import gram, prepare
from kerasrec_cli.options import read_options, without_none
from kerasrec_cli.runtime import Command

if TYPE_CHECKING:
    from kerasrec import Interactions


@click.group()
def data() -> None:
    """Inspect interaction data, or pack them for use without a copy in memory."""


data.add_command(prepare)
data.add_command(gram)


@data.command(cls=Command)
@click.argument("data")
@read_options
def describe(data: str, **options: Any) -> None:
    """Print a summary of DATA: rows, columns, meaning of the values, counts.

    DATA is a file or folder (MovieLens folder or zip, CSV, TSV, JSON, Excel, Parquet, lists with one
    user per line, a folder of `kerasrec data pack`, and others), a database, a name in
    $KERASREC_DATA, a name of TensorFlow Datasets, or "generated".

    \b
    Example:
      kerasrec data describe ratings.csv
    """  # noqa: D301 - click reads the character \b
    from kerasrec import read
    from kerasrec.data.summary import sizes

    table = read(data, **without_none(options))
    click.echo(sizes(table))
    click.echo(table.row_counts)
    for line in column_lines(table):
        click.echo(line)
    for name, counts in (("items per user: ", table.counts), ("users per item: ", table.item_counts)):
        click.echo(f"{name}median {_median(counts)}, {counts.min():,} to {counts.max():,}")
    most_popular = int(table.item_counts.argmax())
    title = "" if table.item_titles is None else f" ({table.item_titles[most_popular]})"
    click.echo(f"most popular item: {table.item_ids[most_popular]!s}{title}, {table.item_counts.max():,} users")


@data.command(cls=Command)
@click.argument("data")
@read_options
@click.option("--min-value", type=float, help="Store only the interactions with at least this value, as likes.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the packed data.")
@click.option("--overwrite", is_flag=True, help="Replace the packed data in --out.")
def pack(data: str, min_value: float | None, out: Path, overwrite: bool, **options: Any) -> None:
    """Write DATA as a packed folder, which commands read without a copy in memory.

    A packed folder is accepted wherever DATA is. It opens in less than a second. Training and
    recommend --all read its interactions batch by batch, and processes share its memory.

    All options that describe, choose and weigh rows apply when the data are packed. Later commands
    refuse other options. Protocols that convert ratings to likes copy the likes into memory, so
    for a model of likes pack only these, with --min-value. Runs refer to the folder that they were
    trained on: keep it, and pack newer data to another folder.

    \b
    Example:
      kerasrec data pack ratings.csv --min-value 4 --out packed
    """  # noqa: D301 - click reads the character \b
    from kerasrec.data import pack as pack_table
    from kerasrec.data.packed_folder import likes_to_pack

    options = without_none(options)
    table = read_and_report(data, **options)
    if min_value is not None:
        table = likes_to_pack(table, min_value)
        click.echo(table.row_counts)
    packed = pack_table(table, out, overwrite=overwrite, read_options=options, verbose=1)
    n_bytes = sum(file.stat().st_size for file in out.iterdir())
    click.echo(f"written: {out}, {len(packed):,} interactions, {n_bytes / 1e6:,.1f} MB, digest {packed.known_digest}")


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
        if not n_likes:
            click.echo("warning: no interaction is a like. Fix: train with --min-value", err=True)
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
    from kerasrec.data.summary import sizes

    start = time.perf_counter()
    table = read(source, **options)
    click.echo(f"{sizes(table)}; read in {time.perf_counter() - start:.1f} s")
    click.echo(table.row_counts)
    return table
