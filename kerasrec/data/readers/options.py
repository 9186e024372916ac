"""The options of `kerasrec.read` that describe a file."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from kerasrec.data.columns import ROLES
from kerasrec.data.errors import DataError
from kerasrec.data.row_rules import RowRules
from kerasrec.data.times import TimeFormat

DECIMALS = (".", ",")
LAYOUTS = ("user-items", "count-items")
"""Layouts of lists with one user in a line: `user item item …` or `count item item …`."""


@dataclass(frozen=True)
class ReadOptions:
    """How a file is to be read. `None` means that the reader infers it.

    Attributes:
        columns: role (user, item, value, time) → name or number (from 1) of its column.
        separator: the character between columns.
        quote: the character around fields, or "" if quotes have no meaning.
        encoding: encoding of text.
        decimal: the decimal separator of values.
        layout: layout of lists, one of `LAYOUTS`.
        times: the notation of times.
        rules: which rows count, and with which value.
        query: query of a database.
        header: whether the first line of a text table contains names. If None, it is inferred.

    Raises:
        DataError: An option has an invalid value.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    quote: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    layout: str | None = None
    times: TimeFormat = field(default_factory=TimeFormat)
    rules: RowRules = field(default_factory=RowRules)
    header: bool | None = None
    query: str | None = None

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Self:
        """Returns the options from the arguments of `kerasrec.read`. A missing one, or `None`, is inferred.

        Raises:
            DataError: An option has an invalid value.
        """
        columns = {role: arguments.get(role) for role in ROLES}
        return cls(
            {role: str(name) for role, name in columns.items() if name is not None},
            arguments.get("separator"),
            arguments.get("quote"),
            arguments.get("encoding"),
            arguments.get("decimal"),
            arguments.get("layout"),
            TimeFormat(arguments.get("time_unit"), arguments.get("date_format")),
            RowRules(
                arguments.get("where") or {},
                arguments.get("event_weights") or {},
                arguments.get("duplicates"),
                bool(arguments.get("drop_missing")),
            ),
            arguments.get("header"),
            arguments.get("query"),
        )

    def __post_init__(self) -> None:
        if self.layout not in (None, *LAYOUTS):
            raise DataError(
                f"expected `layout` to be one of {', '.join(LAYOUTS)}, got {self.layout!r}. Fix: omit it for tables"
            )
        if self.separator is not None and len(self.separator) != 1:
            raise DataError(
                f"expected one character as `separator`, got {self.separator!r}. "
                "Fix: omit it, if the file's columns are separated by '::'"
            )
        if self.quote is not None and (len(self.quote) > 1 or self.quote == self.separator):
            raise DataError(
                f"expected one character other than the separator, or '', as `quote`, got {self.quote!r}. "
                "Fix: omit it for the usual quotes"
            )
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise DataError(
                f"expected the name of an encoding, for example 'cp1252', as `encoding`, got {self.encoding!r}. "
                "Fix: omit it for UTF-8 and UTF-16"
            ) from None
        if self.decimal not in (None, *DECIMALS):
            raise DataError(f"expected `decimal` to be '.' or ',', got {self.decimal!r}. Fix: pass one of them")
        if self.layout and self.columns:
            raise DataError(
                f"expected names of columns or the layout of a list, got `{next(iter(self.columns))}` and `layout`. "
                "Fix: omit one of them"
            )
        if "value" in self.columns and self.rules.event_weights:
            raise DataError("expected `value` or `event_weights`, got both. Fix: omit one of them")
