"""The packed folder, from the ranges of users that the workers wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasrec.beam.files import load_arrays
from kerasrec.data.csr import indptr_of
from kerasrec.data.interactions import Interactions
from kerasrec.data.packed import PackedInteractions
from kerasrec.data.packed_folder import pack
from kerasrec.data.row_counts import RowCounts
from kerasrec.files import new_memmap
from kerasrec.types import Array


@dataclass(frozen=True, order=True)
class UserRange:
    """A file with the rows of consecutive users.

    Attributes:
        number: its place among the ranges.
        path: the file.
        n_users: number of users.
        n_interactions: number of interactions.
        is_binary: whether every value is 1.
        has_times: whether there are times.
    """

    number: int
    path: str
    n_users: int
    n_interactions: int
    is_binary: bool
    has_times: bool


def pack_ranges(
    ranges: Iterable[UserRange],
    item_ids: Array,
    row_counts: RowCounts,
    column_names: Mapping[str, str],
    folder: Path,
    *,
    overwrite: bool,
    verbose: int,
) -> PackedInteractions:
    """Joins the ranges to one packed folder. One range at a time is in memory.

    Args:
        ranges: the files, in any order.
        item_ids: the catalogue.
        row_counts: what became of the events.
        column_names: role → name of its column.
        folder: target folder.
        overwrite: whether to replace a packed folder.
        verbose: 1 for a progress bar.
    """
    ranges = sorted(ranges)
    n = sum(part.n_interactions for part in ranges)
    dtypes: dict[str, Any] = {"items": np.int32}
    if not all(part.is_binary for part in ranges):
        dtypes["values"] = np.float32
    if ranges[0].has_times:
        dtypes["times"] = np.int64
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as scratch:
        columns = {name: new_memmap(Path(scratch) / f"{name}.npy", dtype, (n,)) for name, dtype in dtypes.items()}
        user_ids, counts, start = [], [], 0
        for part in ranges:
            arrays = load_arrays(part.path)
            user_ids.append(arrays["user_ids"])
            counts.append(arrays["counts"])
            rows = slice(start, start + part.n_interactions)
            for name, column in columns.items():
                column[rows] = arrays[name] if name in arrays else 1
            start = rows.stop
        values = columns.get("values", np.broadcast_to(np.float32(1), n))
        indptr = indptr_of(np.concatenate(counts))
        entries = (indptr, columns["items"], values, columns.get("times"))
        table = Interactions(*entries, np.concatenate(user_ids), item_ids, None, row_counts, column_names)
        if "values" not in columns:
            table.is_binary = True  # the check would need a byte for each interaction
        return pack(table, folder, overwrite=overwrite, verbose=verbose)
