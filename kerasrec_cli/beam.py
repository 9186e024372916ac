"""`kerasrec data prepare` and `kerasrec data gram`: data of many machines, on Apache Beam."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from kerasrec_cli.options import read_options, without_none
from kerasrec_cli.runtime import Command

BEAM_OPTIONS = click.argument("beam_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- BEAM OPTIONS]")


@click.command(cls=Command)
@click.argument("events")
@BEAM_OPTIONS
@read_options
@click.option("--min-value", type=float, help="Store only the interactions with at least this value, as likes.")
@click.option("--min-items", type=int, default=1, help="Number of items that each user needs.", show_default=True)
@click.option("--min-users", type=int, default=1, help="Number of users that each item needs.", show_default=True)
@click.option("--shards", "n_shards", type=int, help="Number of shards of users.  [default: one for each 32 MB]")
@click.option("--staging", help="Folder for shards that all workers reach.  [default: a temporary one beside --out]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the packed data.")
@click.option("--overwrite", is_flag=True, help="Replace the packed data in --out.")
def prepare(events: str, beam_options: tuple[str, ...], out: Path, **options: Any) -> None:
    """Write EVENTS of any number as a packed folder, on Apache Beam.

    EVENTS is a file, a folder, or a pattern with *, of Parquet or of delimited text with one event in
    each line, on any file system of Beam. The result equals that of `data pack` after the same rules,
    with the interactions of each user in time order. Options after -- go to Beam; without any, one
    process of this machine does the work.

    \b
    Example:
      kerasrec data prepare ratings.csv --min-items 5 --min-users 5 --out prepared -- --runner=DirectRunner
    """  # noqa: D301 - click reads the character \b
    from kerasrec.beam import prepare as prepare_events

    start = time.perf_counter()
    packed = prepare_events(events, out, beam_options=beam_options, verbose=1, **without_none(options))
    click.echo(packed.row_counts)
    click.echo(
        f"written: {out}, {packed.n_users:,} users × {packed.n_items:,} items, {len(packed):,} interactions, "
        f"digest {packed.known_digest}, in {time.perf_counter() - start:.1f} s"
    )


@click.command(cls=Command)
@click.argument("packed", type=click.Path(path_type=Path))
@BEAM_OPTIONS
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File for the matrix, .npy.")
def gram(packed: Path, beam_options: tuple[str, ...], out: Path) -> None:
    """Write XᵀX of the packed folder PACKED, on Apache Beam.

    An element is the number of users who have both of two items. The matrix of up to 50,000 items is a
    float32 array for numpy.load. All workers must reach PACKED and --out under the same paths.

    \b
    Example:
      kerasrec data gram likes --out gram.npy
    """  # noqa: D301 - click reads the character \b
    from kerasrec.beam import write_gram_matrix

    start = time.perf_counter()
    matrix = write_gram_matrix(packed, out, beam_options=beam_options)
    click.echo(f"written: {out}, {matrix.nbytes / 1e9:,.3f} GB, in {time.perf_counter() - start:.1f} s")
