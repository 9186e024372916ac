"""A text table whose format is known: its rows, and the error for its first invalid line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kerasrec.data.errors import DataError
from kerasrec.data.faults import fault
from kerasrec.data.readers.rows import QuoteError, Row, numbered_rows
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.row_rules import RowRules
from kerasrec.data.text import INTEGER, TRUTH_VALUES
from kerasrec.data.times import TimeFormat


@dataclass(frozen=True)
class TextTable:
    """A text table of columns, and its slow, exact reader.

    Attributes:
        file: the file.
        separator: the text between columns: one character, or "::".
        skip: number of lines before the first interaction.
        width: number of columns.
        positions: role (user, item, value, time) → position of its column.
        names: role → name of its column.
        types: role → type of the first fields: "int", "str", "float" or "bool".
        times: the notation of times.
        rules: which rows count, and with which value.
        decimal: the decimal separator of values.
        quote: the character around fields, or "".
        is_quoted: whether the first lines below the header contain quotes.
    """

    file: SourceFile
    separator: str
    skip: int
    width: int
    positions: Mapping[str, int]
    names: Mapping[str, str]
    types: Mapping[str, str]
    times: TimeFormat
    rules: RowRules
    decimal: str
    quote: str
    is_quoted: bool

    def rows(self) -> Iterator[Row]:
        """Yields the rows of interactions.

        Raises:
            QuoteError: A quote is not closed.
        """
        return numbered_rows(self.file.lines("utf-8-sig"), self.separator, self.quote, self.skip)

    def message(self, error: Exception) -> str:
        """Returns the message of an error whose line is unknown."""
        message = " ".join(str(error).split())
        if ". Fix: " in message:
            return f"{self.file}: {message}"
        return f"{self.file}: expected a table of {self.width} columns, got an error ({message}). Fix: correct the file"

    def error(self) -> DataError | None:
        """Returns the error for the first invalid line."""
        position = self.positions.get("time")
        try:
            first_fields = next(self.rows()).fields
            first_time = "" if position is None else "".join(first_fields[position : position + 1])
            faults = (self._first_fault(times) for times in self.times.likely_formats(first_time))
            return next((fault for fault in faults if fault), None)
        except QuoteError as error:
            return DataError(f"{self.file}, {error}")

    def _first_fault(self, times: TimeFormat) -> DataError | None:
        integer_roles = {role for role, kind in self.types.items() if kind == "int"}
        for row in self.rows():
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
            if self.types.get("value") == "bool":
                fields["value"] = TRUTH_VALUES.get(fields["value"].strip().lower(), fields["value"])
            is_used = self.rules.accepts(fields)
            message = fault(fields, self.names, times, integer_roles, self.decimal) if is_used else None
            if message:
                return DataError(f"{place}, {message}")
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
