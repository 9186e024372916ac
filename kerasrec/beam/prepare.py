"""Events of any number to a packed folder, on Apache Beam.

Each step is a pipeline. Workers pass tables, not single events, so that numpy and pyarrow do the work on rows.

1. **Divide**: pieces of the files → events → shards of users, by a hash of the user id. One worker merges the events of
   a shard, as `kerasrec.read` does for a file, and writes it to the staging folder.
2. **Core**, if there are minimum numbers of items and users: rounds over the shards. A round counts the users of each
   item, among the users with enough items, and drops the items with too few. The rounds end when nothing changes.
3. **Order**: shards → ranges of user ids. One worker sorts the users of a range.

The calling process then joins the ranges to the packed folder, one after the other.
"""

from __future__ import annotations

import inspect
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from kerasrec.beam.assembly import pack_ranges
from kerasrec.beam.events import UNSUPPORTED, EventFormat
from kerasrec.beam.files import data_files, file_systems, import_beam
from kerasrec.beam.pipelines import Pipelines
from kerasrec.data.errors import DataError
from kerasrec.data.packed import PackedInteractions
from kerasrec.data.packed_folder import is_packed
from kerasrec.data.readers.dispatch import read
from kerasrec.data.readers.options import ReadOptions
from kerasrec.files import UNFINISHED
from kerasrec.validation import as_int_at_least

SHARD_BYTES = 1 << 25
"""Bytes of the files for each shard, if the number of shards is not chosen."""

MIN_SHARDS, MAX_SHARDS = 8, 4096


def prepare(
    events: str,
    folder: str | Path,
    *,
    min_value: float | None = None,
    min_items: int = 1,
    min_users: int = 1,
    n_shards: int | None = None,
    staging: str | None = None,
    beam_options: Sequence[str] = (),
    overwrite: bool = False,
    verbose: int = 0,
    **read_options: Any,
) -> PackedInteractions:
    """Writes events of any number as a packed folder, on Apache Beam (extra `beam`).

    The result equals that of one machine: `read`, the likes with at least `min_value`, `Interactions.core`,
    `Interactions.in_time_order` and `pack`. The workers need memory for one shard, and the calling process for one
    range of users, the ids of all users and the ids of all items.

    Args:
        events: a file, a folder, or a pattern such as `"gs://bucket/day-*.parquet"`, on any file system of Beam. Files
            that end in `.parquet` or `.pq` are Parquet, all others are delimited text, one event in each line. All
            files have the same columns; their order is that of their names.
        folder: target folder on this machine. It is complete, or it does not exist.
        min_value: store only the interactions with at least this value, as likes.
        min_items: number of items that each user needs.
        min_users: number of users that each item needs. Both rules are applied until nothing changes.
        n_shards: number of shards of users. If omitted, one for each 32 MB of the files, 8 to 4,096.
        staging: folder for shards that all workers reach, for example `"gs://bucket/staging"`. If omitted, a temporary
            folder beside `folder`.
        beam_options: options of the pipelines: `["--runner=DirectRunner", "--direct_num_workers=4"]`.
        overwrite: whether to replace a packed folder.
        verbose: 1 for a progress bar of the steps.
        **read_options: as for `kerasrec.read`: `user`, `item`, `value`, `time`, `header`, `separator`, `quote`,
            `decimal`, `time_unit`, `date_format`, `where`, `event_weights`, `duplicates`, `drop_missing`. What they
            leave open is inferred from the first rows of the first file.

    Returns:
        The table that reads from the folder.

    Raises:
        ImportError: Apache Beam is not installed.
        DataError: There are no files, an option is invalid, the content is invalid, or no interaction is left.
        FileExistsError: `folder` exists, and `overwrite` is False or it is not a packed folder.
    """
    import_beam()
    target = Path(folder)
    if target.exists() and not (overwrite and is_packed(target)):
        fix = "choose another folder" + ", or pass `overwrite`" * is_packed(target)
        raise FileExistsError(f"expected a free name, got {target}, which exists. Fix: {fix}")
    min_items, min_users = as_int_at_least(1, min_items=min_items), as_int_at_least(1, min_users=min_users)
    files = data_files(str(events))
    event_format = EventFormat.sniff(next(iter(files)), _checked_options(read_options))
    if n_shards is None:
        n_shards = int(np.clip(sum(files.values()) // SHARD_BYTES, MIN_SHARDS, MAX_SHARDS))
    with (
        _staging_folder(staging, target) as folder_of_shards,
        tqdm(desc="preparing", delay=2, disable=not verbose) as bar,
    ):
        pipelines = Pipelines(event_format, folder_of_shards, n_shards, min_items, min_users, beam_options, bar)
        summary = pipelines.divide(files, min_value)
        if not summary.shards:
            raise DataError(
                f"expected events{'' if min_value is None else f' with a value of at least {min_value:g}'}, got none. "
                "Fix: check `min_value`, `where` and `event_weights`"
            )
        items = pipelines.core_items(summary)
        if not len(items):
            raise DataError(
                f"expected users with at least {min_items} items and items with at least {min_users} users, got none. "
                "Fix: lower `min_items` or `min_users`"
            )
        ranges = pipelines.order(summary, items)
        kept = sum(part.n_interactions for part in ranges)
        counts = summary.row_counts
        dropped = dict(counts.dropped)
        if min_items > 1 or min_users > 1:
            dropped[f"outside the core of {min_items} items and {min_users} users"] = counts.kept - kept
        row_counts = replace(counts, kept=kept, dropped=dropped)
        names = event_format.column_names
        return pack_ranges(ranges, items, row_counts, names, target, overwrite=overwrite, verbose=verbose)


def _checked_options(arguments: Mapping[str, Any]) -> ReadOptions:
    """Returns the options of the reader.

    Raises:
        DataError: An option is unknown, invalid, or does not apply to events in many files.
    """
    for name in arguments:
        if name in UNSUPPORTED or name not in inspect.signature(read).parameters:
            raise DataError(f"expected options that apply to many files, got `{name}`. Fix: omit it")
    return ReadOptions.from_arguments(arguments)


@contextmanager
def _staging_folder(staging: str | None, target: Path) -> Iterator[str]:
    """Yields a new folder, and removes it at the end."""
    if staging is None:
        parent = target.resolve().parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=UNFINISHED) as folder:
            yield folder
        return
    systems = file_systems()
    folder = systems.join(staging, f"kerasrec-{uuid.uuid4().hex}")
    systems.mkdirs(folder)
    try:
        yield folder
    finally:
        systems.delete([folder])
