"""Text fields: which of them are numbers, integers or missing."""

from __future__ import annotations

import re
from typing import Any

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)

INTEGER = re.compile(r"0|-?[1-9]\d*")
"""Ids that are the same as integers. "007" is not: as an integer, it would lose its zeros."""

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none"]
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
