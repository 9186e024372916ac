"""Delimited text: CSV, TSV, and the "::" of MovieLens 1M, with or without a header.

pyarrow reads the file. If it fails or may have lost rows, a slow reader finds the line at fault, for the error message.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kerasrec.data.columns import ROLES, as_arrays, find_columns, without_missing
from kerasrec.data.errors import DataError
from kerasrec.data.faults import fault
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.counting import CountingStream
from kerasrec.data.readers.inference import decimal_separator, field_type, most_frequent_separator, without_types
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.rows import QuoteError, Row, numbered_rows
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.text import INTEGER, MISSING, NUMBER, as_integers
from kerasrec.data.times import TimeFormat

BLOCK_BYTES = 1 << 22

LARGEST_BLOCK_BYTES = 1 << 30
"""A row must fit into a block. Rows of more than `BLOCK_BYTES` are rare."""


@dataclass(frozen=True)
class DelimitedFile:
    """A text file of columns, with the format that its first lines have.

    Attributes:
        file: the file.
        separator: the text between columns: one character, or "::".
        skip: number of lines before the first interaction.
        width: number of columns.
        positions: role (user, item, value, time) → position of its column.
        names: role → name of its column.
        types: role → type of the first fields: "int", "str" or "float".
        times: the notation of times.
        decimal: the decimal separator of values.
        quote: the character around fields, or "".
        is_quoted: whether the first lines below the header contain quotes.
        drop_missing: whether to drop the rows in which a field is missing.
    """

    file: SourceFile
    separator: str
    skip: int
    width: int
    positions: Mapping[str, int]
    names: Mapping[str, str]
    types: Mapping[str, str]
    times: TimeFormat
    decimal: str
    quote: str
    is_quoted: bool
    drop_missing: bool

    @classmethod
    def sniff(cls, file: SourceFile, head: list[str], options: ReadOptions) -> DelimitedFile:
        """Infers the format of a file from its first lines, where the options do not state it.

        Raises:
            DataError: There are no interactions, no columns for users and items, or no unique separators.
        """
        skip = next(i for i, line in enumerate(head) if line.strip())
        excel_line = re.fullmatch(r"sep=(.)", head[skip])  # Excel reads it
        if excel_line:
            skip += 1
            separator = options.separator or excel_line[1]
        else:
            separator = options.separator or most_frequent_separator(head[skip])
        quote = options.quote if options.quote is not None and separator != "::" else '"' * (separator != "::")
        lines = (f"{line}\n" for line in head)
        rows = [row for row in numbered_rows(lines, separator, quote, skip, strict=False) if not row.is_empty]
        if not rows:
            raise DataError(f"{file}: expected interactions, got only separators. Fix: check how the file was written")
        skip = rows[0].first - 1
        header, samples = without_types([name.strip() for name in rows[0].fields]), [row.fields for row in rows]
        if len(header) == 1:
            raise DataError(
                f"{file}, line {skip + 1}: expected columns separated by {separator!r}, got {header[0][:80]!r}. "
                "Fix: pass the `separator`"
            )
        if not options.columns and all(NUMBER.fullmatch(name) for name in header):
            if len(header) > len(ROLES):
                raise DataError(
                    f"{file}, line {skip + 1}: expected names of columns, or at most {len(ROLES)} numbers "
                    f"({', '.join(ROLES)}), got {len(header)} numbers. Fix: add a header line, or pass the `layout` "
                    "of a list"
                )
            positions = {role: position for position, role in enumerate(ROLES[: len(header)])}
            names = {role: str(position + 1) for role, position in positions.items()}
        else:
            positions = find_columns(file, header, options.columns)
            names = {role: header[position] for role, position in positions.items()}
            skip, samples = rows[0].last, samples[1:]
        if not samples:
            raise DataError(
                f"{file}: expected interactions below the header, got none. Fix: check how the file was written"
            )
        fields = {role: [row[p] for row in samples if len(row) > p] for role, p in positions.items()}
        types = {role: field_type(role, column) for role, column in fields.items()}
        if "time" in types and options.times.date_format is not None:
            types["time"] = "str"
        decimal = options.decimal or decimal_separator(file, names.get("value", ""), fields.get("value", ()))
        is_quoted = bool(quote) and any(quote in line for line in head[skip:])
        return cls(
            file,
            separator,
            skip,
            len(header),
            positions,
            names,
            types,
            options.times,
            decimal,
            quote,
            is_quoted,
            options.drop_missing,
        )

    def read(self, titles: dict[Any, str] | None) -> Interactions:
        """Reads the interactions.

        Args:
            titles: item id → title.

        Raises:
            DataError: A line is invalid.
        """
        try:
            columns, n_empty = self._columns()
            dropped: dict[str, int] = {}
            if self.drop_missing:
                columns, dropped = without_missing(columns)
            table = Interactions.from_arrays(**as_arrays(columns, self.times), titles=titles)
        except (DataError, UnicodeDecodeError):
            raise
        except ValueError as error:
            raise self._error() or DataError(self._message(error)) from None
        return table.with_dropped_rows({"empty": n_empty, **dropped})

    def _columns(self) -> tuple[dict[str, Any], int]:
        """Returns role → pyarrow column, and the number of empty rows. Ids are integers if that loses nothing."""
        import pyarrow.compute as pc

        columns, n_misshapen = self._parse()
        is_empty = self._empty_rows(columns)
        n_empty = 0
        if is_empty is not None:
            columns = {role: column.filter(pc.invert(is_empty)) for role, column in columns.items()}
            n_empty = is_empty.true_count
        columns |= {role: as_integers(columns[role]) for role in ("user", "item")}
        return columns, n_empty + n_misshapen

    def _parse(self) -> tuple[dict[str, Any], int]:
        """Returns role → pyarrow column, and the number of empty rows with another width, which are left out.

        Raises:
            DataError: A line is invalid, or a quoted field has swallowed rows.
        """
        import pyarrow as pa

        for has_quotes in (True,) if self.is_quoted else (False, True):
            with self._content() as stream:
                try:
                    columns = self._parse_once(stream, has_quotes, BLOCK_BYTES)
                except (ValueError, pa.ArrowException):
                    if stream.n_quotes and not has_quotes:
                        continue  # of which this attempt knew nothing
                    self._check_rows()
                    content, n_misshapen = self._without_misshapen_rows()
                    block_bytes = min(max(BLOCK_BYTES, len(content)), LARGEST_BLOCK_BYTES)
                    try:
                        return self._parse_once(io.BytesIO(content), bool(self.quote), block_bytes), n_misshapen
                    except pa.ArrowException as error:
                        raise DataError(self._message(error)) from None
            if has_quotes or not stream.n_quotes:
                break
        # Fewer rows than lines: some lines are blank, or a quoted field contains line breaks, or a quote is missing.
        if stream.n_quotes % 2 or (stream.n_quotes and len(columns["user"]) != stream.n_lines):
            self._check_rows()
        return columns, 0

    def _check_rows(self) -> None:
        """Checks each row with the slow reader.

        Raises:
            DataError: A row is invalid.
        """
        first_fault = self._error()
        if first_fault:
            raise first_fault

    def _without_misshapen_rows(self) -> tuple[bytes, int]:
        """Returns the content without empty rows of another width, which spreadsheets write, and their number."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.separator[0], quotechar=self.quote or '"', lineterminator="\n")
        n_misshapen = 0
        for row in self._rows():
            if len(row.fields) != self.width and row.is_empty:
                n_misshapen += any(row.fields) or len(row.fields) > 1
            elif self.quote:
                writer.writerow(row.fields)
            else:
                text.write(self.separator.join(row.fields) + "\n")
        return text.getvalue().encode(), n_misshapen

    def _content(self) -> CountingStream:
        """Opens the file at the first interaction."""
        # In Latin-1, each byte is a character.
        n_bytes = sum(len(line) for line in islice(self.file.lines("latin-1"), self.skip))
        stream = self.file.open()
        stream.read(n_bytes)
        return CountingStream(stream, self.quote)

    def _parse_once(self, stream: Any, has_quotes: bool, block_bytes: int) -> dict[str, Any]:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv as pa_csv

        # pyarrow would convert 0042 and 0x2A to the integer 42, so it reads ids as strings.
        types = {role: pa.float64() if kind == "float" else pa.string() for role, kind in self.types.items()}
        # pyarrow separates at one character, so "::" has an empty column in the middle.
        step = len(self.separator)
        labels = [str(n) for n in range(step * (self.width - 1) + 1)]
        label = {role: str(step * position) for role, position in self.positions.items()}
        column_types = {label[role]: kind for role, kind in types.items()}
        if step == 2:
            column_types |= dict.fromkeys(labels[1::2], pa.null())  # a field between the colons is an error
        table = pa_csv.read_csv(
            stream,
            pa_csv.ReadOptions(column_names=labels, block_size=block_bytes),
            pa_csv.ParseOptions(
                delimiter=self.separator[0],
                quote_char=self.quote if has_quotes else False,
                newlines_in_values=has_quotes,
            ),
            pa_csv.ConvertOptions(
                column_types=column_types,
                include_columns=list(label.values()) if step == 1 else labels,
                null_values=MISSING,
                decimal_point=self.decimal,
            ),
        )
        columns = {role: table[name] for role, name in label.items()}
        for role, kind in types.items():
            if kind == pa.string():  # pyarrow strips spaces around numbers only
                columns[role] = pc.utf8_trim_whitespace(columns[role])
        return columns

    def _empty_rows(self, columns: Mapping[str, Any]) -> Any:
        """Returns a mask of the rows that contain only separators, or `None` if there are none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        is_candidate = pc.equal(columns["user"], "")
        if not pc.any(is_candidate).as_py():
            return None
        # Columns that were not read may contain text.
        rows = (row for row in self._rows() if len(row.fields) == self.width)
        is_empty = pa.array([row.is_empty for row in rows])
        return is_empty if len(is_empty) == len(is_candidate) and is_empty.true_count else None

    def _rows(self) -> Iterator[Row]:
        return numbered_rows(self.file.lines("utf-8-sig"), self.separator, self.quote, self.skip)

    def _message(self, error: Exception) -> str:
        """Returns the message of an error whose line is unknown."""
        message = " ".join(str(error).split())
        if ". Fix: " in message:
            return f"{self.file}: {message}"
        return f"{self.file}: expected a table of {self.width} columns, got an error ({message}). Fix: correct the file"

    def _error(self) -> DataError | None:
        """Returns the error for the first invalid line."""
        integer_roles = {role for role, kind in self.types.items() if kind == "int"}
        try:
            for row in self._rows():
                if row.is_empty:
                    continue
                place = f"{self.file}, line {row.first}"
                if len(row.fields) != self.width:
                    return DataError(
                        f"{place}: expected {self.width} columns, as in the first line, "
                        f"got {len(row.fields)}. Fix: correct the line, or quote a field that contains the separator"
                    )
                if row.last > row.first and (swallowed := self._swallowed_row(row)):
                    return DataError(
                        f"{place}: expected a field that ends in its line, got a quoted field with the row "
                        f"{swallowed[:80]!r}. Fix: correct the quotes, or pass quote='' if they are ordinary characters"
                    )
                fields = {role: row.fields[position] for role, position in self.positions.items()}
                message = fault(fields, self.names, self.times, integer_roles, self.decimal)
                if message:
                    return DataError(f"{place}, {message}")
        except QuoteError as error:
            return DataError(f"{self.file}, {error}")
        return None

    def _swallowed_row(self, row: Row) -> str | None:
        """Returns a line within a quoted field that looks like a row: two quotes may be missing."""
        for field in row.fields:
            for line in re.split("\r\n|\r|\n", field)[1:-1]:
                if line.count(self.separator) == self.width - 1 and self._is_row(line):
                    return line
        return None

    def _is_row(self, line: str) -> bool:
        """Returns whether a line has the fields of a valid row, with ids that are single words."""
        fields = line.split(self.separator)
        values = {role: fields[position] for role, position in self.positions.items()}
        integer_roles = {role for role, kind in self.types.items() if kind == "int"}
        are_ids = all(
            (INTEGER.fullmatch(values[role].strip()) if role in integer_roles else re.fullmatch(r"\S+", values[role]))
            for role in ("user", "item")
        )
        return are_ids and fault(values, self.names, self.times, integer_roles, self.decimal) is None
