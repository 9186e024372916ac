"""Parquet: one table in one file, or in the parts that many programs write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasrec.data.columns import find_columns
from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.arrow import interactions_of
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile

SUFFIXES = (".parquet", ".pq")

MAGIC = b"PAR1"
"""First bytes of a Parquet file."""


def read_parquet(source: object, files: Sequence[SourceFile], options: ReadOptions) -> Interactions:
    """Reads a table from its Parquet files.

    Args:
        source: the file or folder, for messages.
        files: the parts of the table, in order.
        options: names of columns and the notation of times.

    Raises:
        DataError: A file is damaged, its columns have other names or types than those of the first file, or its
            content is invalid.
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
        try:
            if parts[-1].column_names != parts[0].column_names:
                raise pa.ArrowTypeError
            pa.unify_schemas([parts[0].schema, parts[-1].schema], promote_options="permissive")
        except pa.ArrowException:
            raise DataError(
                f"{file}: expected the columns {_types(parts[0])}, as in {files[0]}, got "
                f"{_types(parts[-1]) or 'none'}. Fix: write all parts with the same columns"
            ) from None
    return interactions_of(source, pa.concat_tables(parts, promote_options="permissive"), names, options)


def _types(part: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in part.schema)
