"""Parquet: one table in one file, or in the parts that many programs write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kerasrec.data.columns import REQUIRED, ROLES, find_columns, position_of
from kerasrec.data.errors import DataError
from kerasrec.data.ids import BLOCK
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.arrow import interactions_of, read_nested
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.synonyms import usual_columns

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

    schema = _schema(files[0])
    header = schema.names
    if _has_nested_columns(schema, options):
        return read_nested(source, pa.concat_tables(map(read_all, files), promote_options="permissive"), options)
    positions = find_columns(files[0], header, options.columns, options.rules)
    names = {role: header[position] for role, position in positions.items()}
    columns = ParquetColumns(files, names)
    if not columns.n_rows:
        raise DataError(f"{source}: expected interactions, got a table without rows. Fix: check how it was written")
    return interactions_of(source, columns, names, options)


def _has_nested_columns(schema: Any, options: ReadOptions) -> bool:
    """Returns whether the columns to read are lists, or may be fields of structures and lists."""
    import pyarrow as pa

    header = schema.names
    nested = {position for position, field in enumerate(schema) if pa.types.is_nested(field.type)}
    chosen = {role: position_of(name, header) for role, name in options.columns.items()}
    usual = {role: next(iter(usual_columns(role, header)), None) for role in ROLES}
    positions = {**usual, **chosen}
    is_flat = all(positions[role] is not None for role in REQUIRED) and None not in chosen.values()
    return bool(nested) and not (is_flat and nested.isdisjoint(positions.values()))


def read_all(file: SourceFile) -> Any:
    """Reads a Parquet file as a table of pyarrow.

    Raises:
        DataError: The file is damaged.
    """
    with _opened(file) as reader:
        return reader.read()


class ParquetColumns(Mapping[str, Any]):
    """Role → column. Each access reads the column, so that only those in use need memory.

    A column is read in blocks, because pyarrow keeps the compressed bytes of all row groups that it reads at once.
    Integer ids are dictionary-encoded block by block, which halves their size.

    Attributes:
        files: the parts of the table.
        names: role → name of its column.
        schema: their types, which all parts can be converted to.
        n_rows: number of rows of all parts.

    Raises:
        DataError: A part is damaged, or has other columns than the first one.
    """

    def __init__(self, files: Sequence[SourceFile], names: Mapping[str, str]) -> None:
        import pyarrow as pa

        self.files = files
        self.names = names
        self.n_rows = 0
        schemas = [_selected(_schema(file), names) for file in files]
        self.schema = schemas[0]
        for file, schema in zip(files, schemas, strict=True):
            try:
                if schema.names != schemas[0].names:
                    raise pa.ArrowTypeError
                self.schema = pa.unify_schemas([self.schema, schema], promote_options="permissive")
            except pa.ArrowException:
                raise DataError(
                    f"{file}: expected the columns {_types(schemas[0])}, as in {files[0]}, got "
                    f"{_types(schema) or 'none'}. Fix: write all parts with the same columns"
                ) from None
            with _opened(file) as reader:
                self.n_rows += reader.metadata.num_rows

    def __getitem__(self, role: str) -> Any:
        import pyarrow as pa

        name = self.names[role]
        kind = self.schema.field(name).type
        if role in REQUIRED and pa.types.is_signed_integer(kind):
            ids = [block.cast(pa.int64()).dictionary_encode() for block in self._blocks(name)]
            return pa.chunked_array(ids)
        if pa.types.is_primitive(kind) and kind.bit_width in (32, 64):
            numbers = np.empty(self.n_rows, f"i{kind.bit_width // 8}")
            start = 0
            for block in self._blocks(name):
                if block.null_count:
                    break
                entries = block.cast(kind).view(f"int{kind.bit_width}").to_numpy()
                numbers[start : start + len(entries)] = entries
                start += len(entries)
            else:
                return pa.chunked_array([pa.Array.from_buffers(kind, start, [None, pa.py_buffer(numbers)])])
        tables = [pa.table([block], [name]) for block in self._blocks(name)]
        return pa.concat_tables(tables, promote_options="permissive").column(0)

    def _blocks(self, name: str) -> Iterator[Any]:
        """Yields the arrays of a column."""
        import pyarrow as pa

        for file in self.files:
            with _opened(file, [name]) as reader:
                for group in range(reader.num_row_groups):
                    # The threads of pyarrow would keep memory for themselves.
                    for batch in reader.iter_batches(BLOCK, [group], [name], use_threads=False):
                        yield batch.column(0)
        pa.default_memory_pool().release_unused()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@contextlib.contextmanager
def _opened(file: SourceFile, text_columns: Sequence[str] = ()) -> Iterator[Any]:
    """Opens a file; text in `text_columns` is read as a dictionary.

    Raises:
        DataError: The file is damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with file.open() as stream:
        try:
            yield parquet.ParquetFile(stream, read_dictionary=list(text_columns))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{file}: expected a Parquet file, got damaged or other content ({error}). "
                "Fix: write or download it again"
            ) from None


def _schema(file: SourceFile) -> Any:
    with _opened(file) as reader:
        return reader.schema_arrow


def _selected(schema: Any, names: Mapping[str, str]) -> Any:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in dict.fromkeys(names.values()) if name in schema.names])


def _types(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)
