"""The first invalid cell of a table, with its row, its column and the fix.

Reading is fast and only detects that a column is invalid; then these functions check it cell by cell.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.ids import BLOCK, UNPRINTABLE
from kerasrec.data.row_rules import RULE, RowRules
from kerasrec.data.text import MISSING
from kerasrec.data.times import TimeFormat


def data_error(
    source: object,
    columns: Mapping[str, Any],
    names: Mapping[str, str],
    times: TimeFormat,
    rules: RowRules,
    error: ValueError,
) -> DataError:
    """Returns the error for the first invalid row of a table.

    Args:
        source: the file or frame, for the message.
        columns: role → pyarrow column.
        names: role → name of the column.
        times: the notation of times.
        rules: rules that drop rows, whatever their content.
        error: the error of the fast reader, which is used if no single row is invalid.
    """
    import pyarrow as pa

    integer_roles = {role for role in ("user", "item") if pa.types.is_integer(columns[role].type)}
    all_columns = dict(columns)
    first_time = str(all_columns["time"][0]) if "time" in all_columns else ""
    for likely_times in times.likely_formats(first_time):
        for number, fields in enumerate(_rows(all_columns), 1):
            message = fault(fields, names, likely_times, integer_roles) if rules.accepts(fields) else None
            if message:
                return DataError(f"{source}, row {number}, {message}")
    return DataError(f"{source}: {error}")


def _rows(columns: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yields each row as role → text."""
    for start in range(0, len(columns["user"]), BLOCK):
        parts = [column.slice(start, BLOCK).to_pylist() for column in columns.values()]
        for row in zip(*parts, strict=True):
            yield {role: "" if field is None else str(field) for role, field in zip(columns, row, strict=True)}


def fault(
    fields: Mapping[str, str],
    names: Mapping[str, str],
    times: TimeFormat,
    integer_roles: Container[str],
    decimal: str = ".",
) -> str | None:
    """Returns the error message for one interaction, or `None` if it is valid.

    Args:
        fields: role → text.
        names: role → name of the column.
        times: the notation of times.
        integer_roles: roles whose ids are integers, so that "NA" is a missing id.
        decimal: the decimal separator of values.
    """
    for role, field in fields.items():
        if role.startswith(RULE):
            continue
        if not field.strip() or (role in integer_roles and field.strip() in MISSING):
            content = "an id" if role in ("user", "item") else f"a {role}"
            message: str | None = (
                f"expected {content}, got a missing one ({field!r}). "
                "Fix: fill it in, or pass `drop_missing` to drop such rows"
            )
        elif role == "value":
            message = _value_fault(field, decimal)
        elif role == "time":
            message = times.fault(field)
        elif field.strip() == "-1":
            message = "expected an id other than -1, which is reserved for padding, got -1. Fix: rename it"
        elif re.search(UNPRINTABLE, field.strip()):
            message = (
                f"expected an id without line breaks and NUL characters, got {field[:40]!r}. "
                "Fix: correct the id, or the quotes of the file"
            )
        else:
            message = None
        if message:
            return f"column {names[role]} ({role}): {message}"
    return None


def _value_fault(field: str, decimal: str) -> str | None:
    if decimal == "," and "." in field:
        return (
            f"expected a decimal comma, as in other values, got {field!r}. "
            "Fix: correct it, or pass decimal='.' if all commas are wrong"
        )
    try:
        if not field.isascii() or "_" in field:  # Python accepts 1_000 and other spaces; no reader does
            raise ValueError
        value = float(field.replace(decimal, "."))
    except ValueError:
        if re.fullmatch(r"\s*-?\d+,\d+\s*", field):
            return f"expected a number, got {field!r}. Fix: correct it, or pass decimal=',' if all values have commas"
        return f"expected a number, got {field!r}. Fix: correct it, or pass the name of another column as `value`"
    if abs(value) <= float(np.finfo(np.float32).max):
        return None
    return f"expected a finite 32-bit number, got {field.strip()}. Fix: correct it or drop the line"
