"""Text fields: which of them are numbers, integers or missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)

INTEGER = re.compile(r"0|-?[1-9]\d*")
"""Ids that are the same as integers. "007" is not: as an integer, it would lose its zeros."""

TRUTH_VALUES = {"true": "1", "false": "0"}
"""Text in lower case that stands for the value 1 or 0."""

MISSING = ["", "\\N", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none"]
"""Text that stands for a missing number."""


def parse_id(text: str) -> int | str:
    """Returns an integer if that loses nothing, otherwise the text."""
    return int(text) if INTEGER.fullmatch(text) else text


def as_integers(ids: Any) -> Any:
    """Converts a pyarrow column of strings to int64, with nulls for missing ids, if that loses nothing.

    That includes 1.0, 2.0, …, which is how pandas writes a column of integers with gaps. Otherwise
    the column is returned unchanged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = pc.is_in(ids, pa.array(MISSING))

    def all_match(pattern: str) -> bool:
        return bool(pc.all(pc.or_(missing, pc.match_substring_regex(ids, f"^({pattern})$"))).as_py())

    if all_match(rf"({INTEGER.pattern})\.0"):
        ids = pc.if_else(missing, ids, pc.utf8_slice_codeunits(ids, 0, -2))
    elif not all_match(INTEGER.pattern):
        return ids
    try:
        return pc.if_else(missing, None, ids).cast(pa.int64())
    except pa.ArrowInvalid:  # more than 64 bits
        return ids


def is_text(kind: Any) -> bool:
    """Returns whether a type of pyarrow is a string type."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_text_column(column: Any) -> bool:
    """Returns whether a column of pyarrow contains strings, dictionary-encoded or not."""
    import pyarrow as pa

    return is_text(column.type) or (pa.types.is_dictionary(column.type) and is_text(column.type.value_type))


def rows_where(column: Any, predicate: Callable[[Any], Any]) -> Any:
    """Returns which rows of a column fulfil a condition, as a boolean array of pyarrow without nulls.

    The condition of a dictionary-encoded column is computed once for each distinct value.

    Args:
        column: chunked array of pyarrow.
        predicate: returns which entries of an array of pyarrow fulfil the condition. Missing ones do not.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return pc.fill_null(predicate(column), False)
    chunks = [pc.fill_null(predicate(chunk.dictionary).take(chunk.indices), False) for chunk in column.iterchunks()]
    return pa.chunked_array(chunks, pa.bool_())
