"""Tables of any format as named columns: metadata of items and users, and tables to join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerasrec.data.errors import DataError
from kerasrec.data.readers import arrow, json_records, parquet
from kerasrec.data.readers.inference import most_frequent_separator, without_types
from kerasrec.data.readers.rows import QuoteError, numbered_rows
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.synonyms import plain

BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class NamedTable:
    """A table with a header.

    Attributes:
        file: its file.
        header: names of its columns.
        content: the pyarrow table, or `None` for delimited text.
        separator: the text between the columns of delimited text.
    """

    file: SourceFile
    header: list[str]
    content: Any = None
    separator: str = ","

    def position(self, names: Sequence[str], usual: Sequence[str] = ()) -> int | None:
        """Returns the position of the first column with one of these names; `None` if there is none.

        Args:
            names: names of columns, the preferred one first. Case, spaces and punctuation are ignored.
            usual: further names, as in `USUAL_NAMES`.
        """
        header = [plain(name) for name in self.header]
        wanted = [*map(plain, names), *usual]
        return next((header.index(name) for name in wanted if name in header), None)

    def columns(self, positions: Sequence[int]) -> list[Any]:
        """Returns columns as chunked arrays of pyarrow. Those of text are strings.

        Raises:
            DataError: A row has another number of columns, or a quote is not closed.
        """
        import pyarrow as pa

        if self.content is not None:
            return [self.content.column(position) for position in positions]
        try:
            return self._parse(positions)
        except (pa.ArrowException, UnicodeError):
            return self._parse_slowly(positions)

    def _parse(self, positions: Sequence[int]) -> list[Any]:
        import pyarrow as pa
        from pyarrow import csv as pa_csv

        if len(self.separator) > 1:
            return self._parse_slowly(positions)
        labels = [str(position) for position in range(len(self.header))]
        with self.file.open() as stream:
            table = pa_csv.read_csv(
                stream,
                pa_csv.ReadOptions(column_names=labels, skip_rows_after_names=1, block_size=BLOCK_BYTES),
                pa_csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(labels, pa.string()), include_columns=[labels[p] for p in positions]
                ),
            )
        return [table[labels[position]] for position in positions]

    def _parse_slowly(self, positions: Sequence[int]) -> list[Any]:
        import pyarrow as pa

        rows = []
        try:
            for row in numbered_rows(self.file.lines("utf-8-sig"), self.separator):
                if len(row.fields) != len(self.header):
                    raise DataError(
                        f"{self.file}, line {row.first}: expected {len(self.header)} columns, as in the header, got "
                        f"{len(row.fields)}. Fix: correct the line, or quote a field that contains the separator"
                    )
                rows.append([row.fields[position].strip() for position in positions])
        except QuoteError as error:
            raise DataError(f"{self.file}, {error}") from None
        return [pa.chunked_array([pa.array([row[n] for row in rows[1:]], pa.string())]) for n in range(len(positions))]


def open_table(file: SourceFile) -> NamedTable:
    """Reads the header of a table: delimited text, JSON, Parquet or Feather.

    Raises:
        DataError: The file is empty, damaged or binary.
    """
    start = file.start()
    if file.name.endswith(parquet.SUFFIXES) or start.startswith(parquet.MAGIC):
        content = parquet.read_all(file)
    elif file.name.endswith(arrow.SUFFIXES) or start.startswith(arrow.MAGIC):
        content = arrow.read_table(file)
    else:
        file = file.with_encoding(None)
        if file.encoding == "utf-8":
            file = file.as_windows_text() or file
        if file.head_text().startswith(("{", "[")):
            content = json_records.read_table(file)
        else:
            head = file.head()
            separator = most_frequent_separator(next(line for line in head if line.strip()))
            row = next(numbered_rows((f"{line}\n" for line in head), separator, strict=False))
            return NamedTable(file, without_types([name.strip() for name in row.fields]), None, separator)
    return NamedTable(file, content.column_names, content)
