"""Events in files: pieces that workers read independently, and their columns in one notation."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from kerasrec.beam.files import open_file
from kerasrec.data.columns import REQUIRED, find_columns
from kerasrec.data.errors import DataError
from kerasrec.data.ids import factorize
from kerasrec.data.kinds import value_kind
from kerasrec.data.readers import parquet
from kerasrec.data.readers.delimited import DelimitedFile
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import HEAD_BYTES, SourceFile
from kerasrec.data.rows import finite_values
from kerasrec.data.times import as_seconds, usual_unit

PIECE_BYTES = 1 << 25
"""Size of the pieces of a text file."""

BLOCK_BYTES = 1 << 24
"""Size of the blocks of text that are parsed at once."""

PLACE_BITS = 44
"""Bits of a position that state the place within a file; the other ones state the file."""

COMPRESSED = (".gz", ".bz2", ".zst", ".deflate", ".lzma", ".xz")
"""Suffixes of text that has to be read from its beginning."""

UNSUPPORTED = ("encoding", "layout", "query", "items", "item_title")
"""Arguments of `kerasrec.read` that do not apply to events in many files."""


class Piece(NamedTuple):
    """A part of a file.

    Attributes:
        path: the file.
        number: its place among the files.
        start: its first row group, or the byte at which it begins.
        end: the byte at which it ends, `None` for the end of a compressed file.
    """

    path: str
    number: int
    start: int
    end: int | None


@dataclass(frozen=True)
class EventFormat:
    """How events are read. All files have the same format.

    Attributes:
        options: the options of the reader. `options.times.unit` is set if times are numbers.
        names: role, or the key of a column that a rule reads → name of its column.
        text: the format of text; `None` for Parquet.
        duplicates: how to merge rows of the same user and item.
    """

    options: ReadOptions
    names: Mapping[str, str]
    text: DelimitedFile | None
    duplicates: str = "last"

    @classmethod
    def sniff(cls, path: str, options: ReadOptions) -> EventFormat:
        """Infers from the beginning of a file what the options do not state.

        Raises:
            DataError: There are no columns for users and items, or the content is invalid.
        """
        if is_parquet(path):
            with open_parquet(path) as reader:
                header = reader.schema_arrow.names
                positions = find_columns(path, header, options.columns, options.rules)
                names = {role: header[position] for role, position in positions.items()}
                batch = next(reader.iter_batches(1 << 16, columns=list(dict.fromkeys(names.values()))), None)
                first = {} if batch is None else {role: batch.column(name) for role, name in names.items()}
            sniffed = cls(options, names, None)
        else:
            with open_file(path) as stream:
                head = stream.read(HEAD_BYTES)
            if len(head) == HEAD_BYTES:
                head = head[: head.rfind(b"\n") + 1]  # the last line may be incomplete
            text = _text_format(path, head, options)
            sniffed = cls(options, text.names, text)
            first = sniffed._parsed(path, _without_header(head, text.skip))
        return sniffed._with_choices_for(path, first)

    def _with_choices_for(self, path: str, first: Mapping[str, Any]) -> EventFormat:
        """Returns the format with the unit of times and the way to merge pairs that suit the first rows of a file."""
        import pyarrow as pa

        if not first or not len(first["user"]):
            raise DataError(f"{path}: expected events, got none. Fix: remove files without rows")
        times, rules = self.options.times, self.options.rules
        column = first.get("time")
        is_number = column is not None and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type))
        if is_number and times.unit is None and times.date_format is None:
            times = dataclasses.replace(times, unit=usual_unit(np.asarray(column)) or "s")
        duplicates = rules.merging
        if duplicates is None and "value" in first:
            kind = value_kind(finite_values(_chunked(first["value"])), self.names["value"])
            duplicates = "sum" if kind.name == "counts" else "last"
        options = dataclasses.replace(self.options, times=times)
        return dataclasses.replace(self, options=options, duplicates=duplicates or "last")

    @property
    def column_names(self) -> dict[str, str]:
        """Role → name of its column, as a table stores them."""
        return self.options.rules.names_of_roles(self.names)

    def pieces(self, path: str, number: int, n_bytes: int) -> Iterator[Piece]:
        """Yields the pieces of a file."""
        if self.text is None:
            with open_parquet(path) as reader:
                n_groups = reader.num_row_groups
            yield from (Piece(path, number, group, None) for group in range(n_groups))
        elif path.endswith(COMPRESSED):
            yield Piece(path, number, 0, None)
        else:
            for start in range(0, n_bytes, PIECE_BYTES):
                yield Piece(path, number, start, min(start + PIECE_BYTES, n_bytes))

    def events(self, piece: Piece) -> Iterator[tuple[Any, dict[str, int]]]:
        """Reads a piece.

        Yields:
            Tables of pyarrow with the columns "user" and "item" (int64 or string), "value" (float32) and "time"
            (int64, seconds) if there are such columns, and "position" (int64), by which the events of all files are
            in order; and the reason → number of rows that were dropped.

        Raises:
            DataError: The content is invalid.
        """
        import pyarrow as pa

        blocks = self._parquet_blocks(piece) if self.text is None else self._text_blocks(piece)
        try:
            for start, columns in blocks:
                yield self._table(start + (piece.number << PLACE_BITS), columns)
        except (ValueError, pa.ArrowException) as error:
            raise _data_error(piece.path, error) from None

    def _parquet_blocks(self, piece: Piece) -> Iterator[tuple[int, dict[str, Any]]]:
        with open_parquet(piece.path) as reader:
            header = reader.schema_arrow.names
            missing = [name for name in self.names.values() if name not in header]
            if missing:
                raise DataError(
                    f"{piece.path}: expected the columns of the first file, got no column {missing[0]!r}. "
                    "Fix: write all files with the same columns"
                )
            start = sum(reader.metadata.row_group(group).num_rows for group in range(piece.start))
            columns = list(dict.fromkeys(self.names.values()))
            for batch in reader.iter_batches(1 << 18, [piece.start], columns):
                yield start, {role: batch.column(name) for role, name in self.names.items()}
                start += batch.num_rows

    def _text_blocks(self, piece: Piece) -> Iterator[tuple[int, dict[str, Any]]]:
        assert self.text is not None  # noqa: S101
        with open_file(piece.path) as stream:
            for start, block in lines_between(stream, piece.start, piece.end):
                rows = _without_header(block, self.text.skip if start == 0 else 0)
                if rows.strip():
                    yield start, self._parsed(piece.path, rows)

    def _parsed(self, path: str, rows: bytes) -> dict[str, Any]:
        """Parses lines of text."""
        import pyarrow as pa

        assert self.text is not None  # noqa: S101
        has_quotes = bool(self.text.quote) and self.text.quote.encode() in rows
        try:
            columns = self.text.parse(io.BytesIO(rows), has_quotes, max(len(rows), 1))
        except pa.ArrowException as error:
            raise _data_error(path, error) from None
        n_lines = sum(1 for line in rows.split(b"\n") if line.strip())
        if has_quotes and len(columns["user"]) != n_lines:
            raise DataError(
                f"{path}: expected one event in each line, got a quoted field with a line break. "
                "Fix: convert the file to Parquet"
            )
        return columns

    def _table(self, start: int, columns: Mapping[str, Any]) -> tuple[Any, dict[str, int]]:
        """Converts the columns of consecutive rows to one notation."""
        import pyarrow as pa
        import pyarrow.compute as pc

        n_rows = len(columns["user"])
        dropped: dict[str, int] = {}
        numbered = {role: _chunked(column) for role, column in columns.items()}
        if self.text is not None:
            is_blank = (pc.equal(pc.utf8_trim_whitespace(numbered[role].cast(pa.string())), "") for role in REQUIRED)
            is_empty = pc.and_(*is_blank)
            if pc.any(is_empty).as_py():
                kept = pc.invert(is_empty)
                dropped["empty"] = n_rows - pc.sum(kept).as_py()
                numbered = {role: column.filter(kept) for role, column in numbered.items()}
        numbered["position"] = _chunked(pa.array(start + np.arange(len(numbered["user"]))))
        if self.options.rules.are_active:
            numbered, others = self.options.rules.apply(numbered, self.text is not None, is_part=True)
            dropped |= others
        users, user = factorize(numbered["user"], "users")
        items, item = factorize(numbered["item"], "items")
        table = {"user": pa.array(users).take(pa.array(user)), "item": pa.array(items).take(pa.array(item))}
        if "value" in numbered:
            table["value"] = pa.array(finite_values(numbered["value"]))
        if "time" in numbered:
            table["time"] = pa.array(as_seconds(numbered["time"], self.options.times))
        table["position"] = numbered["position"].combine_chunks()
        return pa.table(table), dropped


@dataclass(frozen=True)
class HeadOfFile(SourceFile):
    """A local copy of the beginning of a file, which messages call by the path of the file.

    Attributes:
        origin: path of the file.
    """

    origin: str = ""

    def __str__(self) -> str:
        return self.origin


def _text_format(path: str, head: bytes, options: ReadOptions) -> DelimitedFile:
    """Infers the format of text from its beginning."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "head"
        copy.write_bytes(head)
        file = HeadOfFile(copy, origin=path).with_encoding(None)
        if file.encoding != "utf-8":
            raise DataError(f"{path}: expected UTF-8, got {file.encoding}. Fix: convert the file")
        return DelimitedFile.sniff(file, file.head(), options)


def _data_error(path: str, error: Exception) -> DataError:
    """Returns the error for a file whose content is invalid."""
    message = " ".join(str(error).split())
    fix = "" if ". Fix: " in message else ". Fix: correct the file; `kerasrec data describe` finds the line"
    return DataError(f"{'' if message.startswith(path) else f'{path}: '}{message}{fix}")


def is_parquet(path: str) -> bool:
    """Returns whether a file is Parquet, by its suffix; other files are text."""
    return path.endswith(parquet.SUFFIXES)


@contextmanager
def open_parquet(path: str) -> Iterator[Any]:
    """Opens a Parquet file.

    Raises:
        DataError: The file is damaged.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with open_file(path) as stream:
        try:
            reader = ParquetFile(stream)
        except pa.ArrowException as error:
            raise DataError(
                f"{path}: expected a Parquet file, got other content ({error}). Fix: write it again"
            ) from None
        yield reader


def lines_between(stream: IO[bytes], start: int, end: int | None) -> Iterator[tuple[int, bytes]]:
    r"""Yields blocks of the lines that begin between two bytes, with the byte at which each block begins.

    Args:
        stream: a binary file.
        start: the first byte. A line that begins before it belongs to the piece before.
        end: the end; `None` for the end of the file.

    Example:
        >>> import io
        >>> from kerasrec.beam.events import lines_between
        >>> [list(lines_between(io.BytesIO(b"one\ntwo\nsix"), *piece)) for piece in ((0, 4), (4, 5), (5, 11))]
        [[(0, b'one\n')], [(4, b'two\n')], [(8, b'six')]]
    """
    if start:
        stream.seek(start - 1)
        start += len(stream.readline()) - 1
    while end is None or start < end:
        block = stream.read(BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - start))
        if not block:
            return
        if not block.endswith(b"\n"):
            block += stream.readline()
        yield start, block
        start += len(block)


def _without_header(block: bytes, n_lines: int) -> bytes:
    for _ in range(n_lines):
        block = block.partition(b"\n")[2]
    return block


def _chunked(column: Any) -> Any:
    import pyarrow as pa

    return pa.chunked_array([column]) if isinstance(column, pa.Array) else column
