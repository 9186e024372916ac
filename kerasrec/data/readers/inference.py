"""The format of a text table, inferred from its first fields: separator, types and decimals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kerasrec.data.errors import DataError
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.text import INTEGER, MISSING, NUMBER, TRUTH_VALUES

SEPARATORS = ",\t;|"
"""Separators that are inferred, and "::"."""


def most_frequent_separator(line: str) -> str:
    """Returns the separator that a line contains most often."""
    return "::" if "::" in line else max(SEPARATORS, key=line.count)


def without_types(header: Sequence[str]) -> list[str]:
    """Returns the names of columns without the types that RecBole appends to each of them: `user_id:token`."""
    names = [re.fullmatch(r"(.+):(?:token|float)(?:_seq)?", name) for name in header]
    return [name[1] for name in names if name] if all(names) else list(header)


def field_type(role: str, fields: Sequence[str]) -> str:
    """Returns the type of the first fields of a column: "int" or "str" for ids, otherwise "float", "bool" or "str"."""
    fields = [field for field in map(str.strip, fields) if field not in MISSING]
    if role in ("user", "item"):
        return "int" if all(map(INTEGER.fullmatch, fields)) else "str"
    if role == "value" and fields and all(field.lower() in TRUTH_VALUES for field in fields):
        return "bool"
    return "float" if role == "value" or all(map(NUMBER.fullmatch, fields)) else "str"


def decimal_separator(file: SourceFile, name: str, values: Sequence[str]) -> str:
    """Returns the decimal separator of the first values.

    Args:
        file: the file, for the message.
        name: name of the column of values.
        values: the first fields of that column.

    Raises:
        DataError: Every comma can be a decimal comma as well as a separator of thousands.
    """
    with_commas = [value.strip() for value in values if re.fullmatch(r"\s*-?\d+(,\d+)+\s*", value)]
    thousands = [value for value in with_commas if re.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+", value)]
    if thousands and len(thousands) == len(with_commas):
        raise DataError(
            f"{file}, column {name} (value): expected a number, got {thousands[0]!r}, whose comma can "
            "separate decimals or thousands. Fix: pass decimal=',' for decimals, or remove the commas"
        )
    return "," if with_commas else "."
