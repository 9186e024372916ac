"""Delimited text: CSV, TSV, and the "::" of MovieLens 1M, with or without a header.

pyarrow reads the file. If it fails, a slow reader finds the line at fault, for the error message.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from kerasrec.data.columns import ROLES, as_arrays, find_columns
from kerasrec.data.errors import DataError
from kerasrec.data.faults import fault
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.text import INTEGER, MISSING, NUMBER, as_integers
from kerasrec.data.times import TimeFormat

SEPARATORS = ",\t;|"
"""Separators that are inferred, and "::"."""

BLOCK_BYTES = 1 << 22


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
            separator = options.separator or _most_frequent_separator(head[skip])
        rows = list(numbered_rows(head[skip:], separator))
        if not rows:
            raise DataError(f"{file}: expected interactions, got only separators. Fix: check how the file was written")
        skip += rows[0][0] - 1
        header, samples = [name.strip() for name in rows[0][1]], [row for _, row in rows]
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
            skip, samples = skip + 1, samples[1:]
        if not samples:
            raise DataError(
                f"{file}: expected interactions below the header, got none. Fix: check how the file was written"
            )
        fields = {role: [row[p] for row in samples if len(row) > p] for role, p in positions.items()}
        types = {role: _type(role, column) for role, column in fields.items()}
        if "time" in types and options.times.date_format is not None:
            types["time"] = "str"
        decimal = options.decimal or _decimal(file, names, fields.get("value", ()))
        return cls(file, separator, skip, len(header), positions, names, types, options.times, decimal)

    def read(self, titles: dict[Any, str] | None) -> Interactions:
        """Reads the interactions.

        Args:
            titles: item id → title.

        Raises:
            DataError: A line is invalid.
        """
        try:
            try:
                return self._read_once(titles, self.file.open())
            except ValueError:
                # Spreadsheets write lines of separators below the data. It would be slow to always search for them.
                return self._read_once(titles, self._without_bare_lines())
        except ValueError as error:
            raise self._error() or DataError(f"{self.file}: {error}") from None

    def _read_once(self, titles: dict[Any, str] | None, content: IO[bytes]) -> Interactions:
        with content:
            columns = self._parse(content)
        return Interactions.from_arrays(**as_arrays(columns, self.times), titles=titles)

    def _parse(self, content: IO[bytes]) -> dict[str, Any]:
        """Returns role → pyarrow column. Ids are integers if that loses nothing."""
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
            content,
            pa_csv.ReadOptions(column_names=labels, skip_rows=self.skip, block_size=BLOCK_BYTES),
            pa_csv.ParseOptions(delimiter=self.separator[0], quote_char='"' if step == 1 else False),
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
        return {**columns, "user": as_integers(columns["user"]), "item": as_integers(columns["item"])}

    def _without_bare_lines(self) -> IO[bytes]:
        """Returns the content without the lines below the header that contain only separators."""
        bare = self.separator.encode() + b'"\r\n'
        content = io.BytesIO()
        with self.file.open() as stream:
            content.writelines(line for n, line in enumerate(stream) if n < self.skip or line.strip(bare))
        content.seek(0)
        return content

    def _error(self) -> DataError | None:
        """Returns the error for the first invalid line."""
        integer_roles = {role for role, kind in self.types.items() if kind == "int"}
        try:
            for line, row in numbered_rows(self.file.lines("utf-8-sig"), self.separator, self.skip):
                if len(row) != self.width:
                    return DataError(
                        f"{self.file}, line {line}: expected {self.width} columns, as in the first line, "
                        f"got {len(row)}. Fix: correct the line, or quote a field that contains the separator"
                    )
                fields = {role: row[position] for role, position in self.positions.items()}
                message = fault(fields, self.names, self.times, integer_roles, self.decimal)
                if message:
                    return DataError(f"{self.file}, line {line}, {message}")
        except csv.Error as error:
            return DataError(f"{self.file}: expected complete quotes, got an error ({error}). Fix: correct the quotes")
        return None


def numbered_rows(lines: Iterable[str], separator: str, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of each line, from 1, and its fields, except for lines that contain only separators."""
    if separator == "::":
        rows = ((number, line.rstrip("\r\n").split("::")) for number, line in enumerate(lines, 1))
    else:
        reader = csv.reader(lines, delimiter=separator)
        rows = ((reader.line_num, row) for row in reader)
    return ((number, row) for number, row in rows if number > skip and any(row))


def _most_frequent_separator(line: str) -> str:
    return "::" if "::" in line else max(SEPARATORS, key=line.count)


def _type(role: str, fields: Sequence[str]) -> str:
    """Returns the type of the first fields of a column."""
    fields = [field for field in map(str.strip, fields) if field not in MISSING]
    if role in ("user", "item"):
        return "int" if all(map(INTEGER.fullmatch, fields)) else "str"
    return "float" if role == "value" or all(map(NUMBER.fullmatch, fields)) else "str"


def _decimal(file: SourceFile, names: Mapping[str, str], values: Sequence[str]) -> str:
    """Returns the decimal separator of the first values.

    Raises:
        DataError: Every comma can be a decimal comma as well as a separator of thousands.
    """
    with_commas = [value.strip() for value in values if re.fullmatch(r"\s*-?\d+(,\d+)+\s*", value)]
    thousands = [value for value in with_commas if re.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+", value)]
    if thousands and len(thousands) == len(with_commas):
        raise DataError(
            f"{file}, column {names['value']} (value): expected a number, got {thousands[0]!r}, whose comma can "
            "separate decimals or thousands. Fix: pass decimal=',' for decimals, or remove the commas"
        )
    return "," if with_commas else "."
