"""Tables in memory as pyarrow represents them, and Feather files (Arrow IPC)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerasrec.data.columns import find_columns
from kerasrec.data.errors import DataError, EncodingError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.nested import flatten
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile

MAGIC = b"ARROW1"
"""First bytes of a Feather file."""

SUFFIXES = (".feather", ".arrow", ".ipc")


def read_feather(file: SourceFile, options: ReadOptions) -> Interactions:
    """Reads a Feather file.

    Raises:
        DataError: The file is damaged, or its content is invalid.
    """
    return read_nested(file, read_table(file), options)


def read_table(file: SourceFile) -> Any:
    """Reads a Feather file as a table of pyarrow.

    Raises:
        DataError: The file is damaged.
    """
    import pyarrow as pa

    with file.open() as stream:
        try:
            return pa.ipc.open_file(pa.py_buffer(stream.read())).read_all()
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{file}: expected a Feather file, got damaged or other content ({error}). "
                "Fix: write or download it again"
            ) from None


def read_nested(
    source: object, table: Any, options: ReadOptions, dropped: Mapping[str, int] | None = None
) -> Interactions:
    """Converts a pyarrow table. The fields of structures and of lists of records have a point in their name: `user.id`.

    Args:
        source: the file, for messages.
        table: the table.
        options: names of columns and the notation of times.
        dropped: reason → rows of the source that are not in `table`.

    Raises:
        DataError: There are no columns for users and items, or the content is invalid.
    """
    if not len(table):
        raise DataError(f"{source}: expected interactions, got a table without rows. Fix: check how it was written")
    flat = flatten(table)
    blank = [n for n in range(flat.table.num_columns) if flat.table.column(n).null_count == len(table)]
    positions = find_columns(source, flat.header, options.columns, options.rules, blank)
    names = {role: flat.header[position] for role, position in positions.items()}
    columns, without_records = flat.columns(source, list(names.values()))
    all_dropped = {**(dropped or {}), **without_records}
    return interactions_of(source, dict(zip(names, columns, strict=True)), names, options, all_dropped)


def interactions_of(
    source: object,
    columns: Mapping[str, Any],
    names: Mapping[str, str],
    options: ReadOptions,
    dropped: Mapping[str, int] | None = None,
    from_text: bool = False,
) -> Interactions:
    """Converts columns of pyarrow.

    Args:
        source: the file or folder, for messages.
        columns: role, or the key of a column that a rule reads → column.
        names: the same keys → name of the column.
        options: the notation of times, and the rules of rows.
        dropped: reason → rows of the source that are not in `columns`.
        from_text: whether ids are text that can be integers.

    Raises:
        DataError: The content is invalid.
    """
    import pyarrow as pa

    try:
        return Interactions.from_columns(source, columns, names, options.times, options.rules, dropped, from_text)
    except pa.ArrowException as error:
        raise EncodingError(
            f"{source}: expected UTF-8, got other bytes ({error}). Fix: correct the text, or pass the file's `encoding`"
        ) from None
