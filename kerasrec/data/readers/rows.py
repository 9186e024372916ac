"""Rows of delimited text with their line numbers: a slow reader that checks quotes, for messages and rare content."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Row(NamedTuple):
    """One row of a text table.

    Attributes:
        first: number of its first line, from 1.
        last: number of its last line. A quoted field can contain line breaks.
        fields: its fields, without quotes.
    """

    first: int
    last: int
    fields: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether the row contains only separators and spaces."""
        return not any(map(str.strip, self.fields))


class QuoteError(ValueError):
    """A quote is not closed, or text follows a closing quote. The message begins with the line."""


def numbered_rows(
    lines: Iterable[str], separator: str, quote: str = '"', skip: int = 0, strict: bool = True
) -> Iterator[Row]:
    """Yields the rows below line `skip`, except for empty lines.

    Args:
        lines: the lines with their line ends.
        separator: one character, or "::", between whose fields quotes have no meaning.
        quote: the character around fields, or "".
        skip: number of lines before the first row.
        strict: whether to check the quotes. A sample can end within a row.

    Raises:
        QuoteError: `strict` is True; and a field that contains line breaks is not quoted correctly, or
            the last quote is not closed.
    """
    numbered = enumerate(lines, 1)
    for _ in zip(range(skip), numbered, strict=False):
        pass
    if separator == "::" or not quote:
        for number, line in numbered:
            if text := line.rstrip("\r\n"):
                yield Row(number, number, text.split(separator))
        return
    record: list[str] = []
    last = skip

    def recorded() -> Iterator[str]:
        nonlocal last
        for number, line in numbered:
            last = number
            record.append(line)
            yield line

    limit = csv.field_size_limit(sys.maxsize)
    try:
        first = skip + 1
        unchecked: tuple[int, list[str]] | None = None
        for fields in csv.reader(recorded(), delimiter=separator, quotechar=quote):
            unchecked = first, record.copy()
            if strict and last > first:
                _check_quotes(*unchecked, separator, quote)
                unchecked = None
            if fields:
                yield Row(first, last, fields)
            first = last + 1
            record.clear()
        if strict and unchecked:
            _check_quotes(*unchecked, separator, quote)
    finally:
        csv.field_size_limit(limit)


def _check_quotes(first: int, record: list[str], separator: str, quote: str) -> None:
    """Checks the quotes of one row.

    Raises:
        QuoteError: A quote is not closed, or text follows a closing quote.
    """
    try:
        for _ in csv.reader(record, delimiter=separator, quotechar=quote, strict=True):
            pass
    except csv.Error:
        raise QuoteError(
            f"line {first}: expected a closing quote ({quote}) at the end of each quoted field, got a field that "
            f"runs to line {first + len(record) - 1}. Fix: correct the quotes, or pass quote='' if they are ordinary "
            "characters"
        ) from None
