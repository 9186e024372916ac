"""Tables in memory as pyarrow represents them, and Feather files (Arrow IPC)."""

from __future__ import annotations

from typing import Any

from kerasrec.data.columns import as_arrays, find_columns, without_missing
from kerasrec.data.errors import DataError, EncodingError
from kerasrec.data.faults import data_error
from kerasrec.data.interactions import Interactions
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
    import pyarrow as pa

    with file.open() as stream:
        try:
            table = pa.ipc.open_file(pa.py_buffer(stream.read())).read_all()
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{file}: expected a Feather file, got damaged or other content ({error}). "
                "Fix: write or download it again"
            ) from None
    return read_nested(file, table, options)


def read_nested(source: object, table: Any, options: ReadOptions) -> Interactions:
    """Converts a pyarrow table. The fields of a structure are columns with a point in their name: `user.id`.

    Args:
        source: the file, for messages.
        table: the table.
        options: names of columns and the notation of times.

    Raises:
        DataError: There are no columns for users and items, or the content is invalid.
    """
    import pyarrow as pa

    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    header = table.column_names
    names = {role: header[position] for role, position in find_columns(source, header, options.columns).items()}
    return interactions_of(source, table, names, options)


def interactions_of(source: object, table: Any, names: dict[str, str], options: ReadOptions) -> Interactions:
    """Converts columns of a pyarrow table.

    Args:
        source: the file or folder, for messages.
        table: the table.
        names: role → name of its column.
        options: the notation of times, and whether to drop rows with missing fields.

    Raises:
        DataError: The table has no rows, or its content is invalid.
    """
    import pyarrow as pa

    if not len(table):
        raise DataError(f"{source}: expected interactions, got a table without rows. Fix: check how it was written")
    columns = {role: table[name] for role, name in names.items()}
    dropped: dict[str, int] = {}
    if options.drop_missing:
        columns, dropped = without_missing(columns)
    try:
        return Interactions.from_arrays(**as_arrays(columns, options.times)).with_dropped_rows(dropped)
    except ValueError as error:
        raise data_error(source, columns, names, options.times, error) from None
    except pa.ArrowException as error:
        raise EncodingError(
            f"{source}: expected UTF-8, got other bytes ({error}). Fix: correct the text, or pass the file's `encoding`"
        ) from None
