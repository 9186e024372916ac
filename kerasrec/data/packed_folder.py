"""Packed folders: a table as memory-mapped arrays of numpy, and a description.

| file | content |
|---|---|
| `packed.json` | format, types and lengths, digest, row counts, meaning of the values, options of the reader |
| `indptr.npy` | int64 `(n_users + 1,)`; row `u` is the slice `indptr[u]:indptr[u + 1]` |
| `items.npy` | int32 `(n,)`, the column of each interaction |
| `values.npy` | float32 `(n,)`; absent if every value is 1 |
| `times.npy` | int64 `(n,)`; absent if the table has no times |
| `user_ids.npy`, `item_ids.npy` | original ids |
| `item_titles.npy` | absent if the table has no titles |
| `item_counts.npy` | int64 `(n_items,)`, the number of interactions of each item |
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from kerasrec.data.arrays import read_only
from kerasrec.data.csr import BLOCK, row_blocks
from kerasrec.data.digest import table_digest
from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.kinds import ValueKind
from kerasrec.data.packed import PackedArrays, PackedInteractions, Selection
from kerasrec.data.protocols.steps import likes_of
from kerasrec.data.row_counts import RowCounts
from kerasrec.files import atomic_folder, new_memmap
from kerasrec.types import Array, IntArray

ABOUT_FILE = "packed.json"

FORMAT = 1
"""Version of the format. A folder of another version is refused."""

ARRAYS = ("indptr", "items", "values", "times", "user_ids", "item_ids", "item_titles", "item_counts")
OPTIONAL_ARRAYS = ("values", "times", "item_titles")


def pack(
    table: Interactions,
    folder: str | Path,
    *,
    overwrite: bool = False,
    read_options: Mapping[str, Any] | None = None,
    verbose: int = 0,
) -> PackedInteractions:
    """Writes a table as a packed folder, which `kerasrec.read` opens in less than a second, whatever its size.

    The entries stay on the disk. Batches read them through memory maps, which all processes share, so that training
    needs no copy of the table. A split by users copies the entries of the held-out users only.

    Args:
        table: the table.
        folder: target folder. It is complete, or it does not exist.
        overwrite: whether to replace a packed folder. Runs that were trained on it can then no longer be read.
        read_options: the arguments of `kerasrec.read` that the table was read with. `read` accepts them for the
            folder, and refuses others.
        verbose: 1 for a progress bar, if it takes longer than two seconds.

    Returns:
        The table that reads from the folder. It equals `table`.

    Raises:
        FileExistsError: `folder` exists, and `overwrite` is False or it is not a packed folder.

    Example:
        >>> from kerasrec import HeldOutUsers, Popularity, generate, read
        >>> from kerasrec.data import pack
        >>> table = generate(n_users=200, n_items=60, seed=1)
        >>> folder = getfixture("tmp_path") / "packed"
        >>> pack(table, folder) == table
        True
        >>> split = HeldOutUsers(held_out=30).split(read(folder))
        >>> split.train == HeldOutUsers(held_out=30).split(table).train
        True
    """
    folder = Path(folder)
    if overwrite and folder.exists() and not is_packed(folder):
        raise FileExistsError(f"expected a packed folder to replace, got {folder}. Fix: choose another folder")
    arrays = {name: getattr(table, name) for name in ARRAYS}
    if table.is_binary:
        arrays["values"] = None
    stored = {name: array for name, array in arrays.items() if array is not None}
    with atomic_folder(folder, replace=overwrite) as unfinished:
        n_elements = sum(len(array) for array in stored.values())
        with tqdm(total=n_elements, desc="packing", unit_scale=True, delay=2, disable=not verbose) as bar:
            for name, array in stored.items():
                _write_array(unfinished / f"{name}.npy", array, bar)
        about = {
            "format": FORMAT,
            "digest": table_digest(table),
            "arrays": {name: [array.dtype.str, len(array)] for name, array in stored.items()},
            "in_time_order": _is_in_time_order(table),
            "value_kind": asdict(table.value_kind),
            "row_counts": asdict(table.row_counts or RowCounts(len(table))),
            "column_names": table.column_names,
            "read_options": _as_json(read_options or {}),
        }
        (unfinished / ABOUT_FILE).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return open_packed(folder)


def likes_to_pack(table: Interactions, min_value: float) -> Interactions:
    """Returns the interactions with at least a value, each with the value 1. `row_counts` counts the others.

    Splits by users of these likes equal those of `table` by a protocol with the same `min_value`.

    Raises:
        DataError: No interaction has such a value.
    """
    likes = likes_of(table, min_value)
    counts = table.row_counts or RowCounts(len(table))
    dropped = {**counts.dropped, f"value below {min_value:g}": len(table) - len(likes)}
    arrays = (likes.indptr, likes.items, likes.values, likes.times, likes.user_ids, likes.item_ids, likes.item_titles)
    return Interactions(*arrays, replace(counts, kept=len(likes), dropped=dropped), table.column_names)


def is_packed(path: Path) -> bool:
    """Returns whether a folder is a packed folder, complete or not."""
    return (path / ABOUT_FILE).exists() or (path / "indptr.npy").exists()


def open_packed(
    folder: str | Path, digest: str | None = None, read_options: Mapping[str, Any] | None = None
) -> PackedInteractions:
    """Opens a packed folder.

    Args:
        folder: the folder.
        digest: the digest that the table must have.
        read_options: arguments of `kerasrec.read`, which must be those that the folder was packed with.

    Raises:
        DataError: The folder is damaged or incomplete, has another format, another digest or other options.
    """
    folder = Path(folder).resolve()
    try:
        about = json.loads((folder / ABOUT_FILE).read_text("utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}")
        names = about["arrays"]
        arrays: dict[str, Any] = {name: _open_array(folder, name, *names[name]) for name in ARRAYS if name in names}
        missing = [name for name in ARRAYS if name not in arrays and name not in OPTIONAL_ARRAYS]
        if missing or arrays["indptr"][-1] != len(arrays["items"]):
            raise ValueError(f"no valid {', '.join(missing) or 'indptr'}")
        columns: dict[str, Any] = {name: arrays.get(name) for name in ARRAYS}
        content = PackedArrays(
            path=folder,
            digest=about["digest"],
            in_time_order=about["in_time_order"],
            value_kind=ValueKind(**about["value_kind"]),
            row_counts=RowCounts(**about["row_counts"]),
            column_names=about["column_names"],
            **columns,
        )
        packed_options = about["read_options"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{folder}: expected a complete packed folder of format {FORMAT}, got {_described(error)}. "
            "Fix: pack the data again with `kerasrec data pack`"
        ) from None
    if digest is not None and digest != content.digest:
        raise DataError(
            f"{folder}: expected the packed data with the digest {digest[:12]}…, got {content.digest[:12]}…. "
            "Fix: pack the original data again, or train again on the new data"
        )
    if read_options and _as_json(read_options) != packed_options:
        raise DataError(
            f"{folder}: expected no options of the reader, because the folder is packed, got "
            f"{', '.join(f'`{name}`' for name in read_options)}. Fix: pass them to `kerasrec data pack`"
        )
    return PackedInteractions(content, row_counts=content.row_counts)


def reference(table: PackedInteractions) -> dict[str, Any]:
    """Returns what `referenced` needs to open a table again, except for the numbers of its rows and columns."""
    selection = table.selection
    place = {"folder": str(table.arrays.path), "digest": table.arrays.digest}
    return {**place, "by_time": selection.by_time, "as_likes": selection.as_likes}


def referenced(
    place: Mapping[str, Any],
    rows: IntArray | None,
    columns: IntArray | None,
    counts: IntArray | None,
    item_ids: Array,
) -> PackedInteractions:
    """Opens a table that was stored as a reference to a packed folder.

    Args:
        place: what `reference` returned. If the folder does not exist, one of its name in `$KERASREC_DATA` is used.
        rows: the rows of the selection.
        columns: the columns of the selection.
        counts: the number of entries of each row.
        item_ids: the catalogue.

    Raises:
        DataError: The folder is missing or damaged, or has other content.
    """
    folder = Path(place["folder"])
    data_folder = os.environ.get("KERASREC_DATA")
    if not folder.exists() and data_folder and (Path(data_folder) / folder.name).exists():
        folder = Path(data_folder) / folder.name
    if not folder.exists():
        raise DataError(
            f"expected the packed data of the run at {folder}, got nothing. "
            "Fix: move the folder back, or set KERASREC_DATA to the folder that contains it"
        )
    table = open_packed(folder, place["digest"])
    selection = Selection(rows, columns, place["by_time"], place["as_likes"])
    return table if selection.is_whole else PackedInteractions(table.arrays, selection, item_ids, counts)


def _write_array(path: Path, array: Array, bar: tqdm) -> None:
    target = new_memmap(path, array.dtype, array.shape)
    for start in range(0, len(array), BLOCK):
        target[start : start + BLOCK] = array[start : start + BLOCK]
        bar.update(min(BLOCK, len(array) - start))
    target.flush()


def _open_array(folder: Path, name: str, dtype: str, length: int) -> Array:
    array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    if array.dtype.str != dtype or array.shape != (length,):
        raise ValueError(f"{name}.npy of type {array.dtype.str} and shape {array.shape}")
    return read_only(array)


def _is_in_time_order(table: Interactions) -> bool:
    if table.times is None:
        return True
    for row, end in row_blocks(table.indptr):
        start, stop = int(table.indptr[row]), int(table.indptr[end])
        is_first = np.zeros(stop - start + 1, bool)
        is_first[table.indptr[row : end + 1] - start] = True
        times = table.times[start:stop]
        if ((times[1:] < times[:-1]) & ~is_first[1:-1]).any():
            return False
    return True


def _as_json(options: Mapping[str, Any]) -> Any:
    """Returns options in the form in which JSON returns them."""
    return json.loads(json.dumps(dict(options), default=str))


def _described(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no {Path(str(error.filename)).name}"
    return f"no {error}" if isinstance(error, KeyError) else str(error)
