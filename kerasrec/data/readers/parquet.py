"""Parquet: one table in one file, or in the parts that many programs write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasrec.data.columns import as_arrays, find_columns
from kerasrec.data.errors import DataError
from kerasrec.data.faults import data_error
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile

SUFFIXES = (".parquet", ".pq")


def read_parquet(source: object, files: Sequence[SourceFile], options: ReadOptions) -> Interactions:
    """Reads a table from its Parquet files.

    Args:
        source: the file or folder, for messages.
        files: the parts of the table, in order.
        options: names of columns and the notation of times.

    Raises:
        DataError: A file is damaged, its columns differ from those of the first file, or its content is invalid.
    """
    import pyarrow as pa
    from pyarrow import parquet

    parts: list[Any] = []
    names: dict[str, str] = {}
    for file in files:
        with file.open() as stream:
            try:
                reader = parquet.ParquetFile(stream)
                header = reader.schema_arrow.names
                if not names:
                    positions = find_columns(file, header, options.columns)
                    names = {role: header[position] for role, position in positions.items()}
                parts.append(reader.read(columns=list(names.values())))
            except pa.ArrowException as error:
                raise DataError(
                    f"{file}: expected a Parquet file, got damaged or other content ({error}). "
                    "Fix: write or download it again"
                ) from None
        if _types(parts[-1]) != _types(parts[0]):
            raise DataError(
                f"{file}: expected the columns {_types(parts[0])}, as in {files[0]}, got "
                f"{_types(parts[-1]) or 'none'}. Fix: write all parts with the same columns"
            )
    table = pa.concat_tables(parts)
    if not len(table):
        raise DataError(f"{source}: expected interactions, got a table without rows. Fix: check how it was written")
    columns = {role: table[name] for role, name in names.items()}
    try:
        return Interactions.from_arrays(**as_arrays(columns, options.times))
    except ValueError as error:
        raise data_error(source, columns, names, options.times, error) from None


def _types(part: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in part.schema)
