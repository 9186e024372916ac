"""Roles of columns (user, item, value, time): how names determine them, and how columns become a table."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kerasrec.data.errors import DataError
from kerasrec.data.ids import as_id_column
from kerasrec.data.times import TimeFormat

LOG = logging.getLogger(__name__)
"""Logs, at level INFO, which columns of a table are read and which are not."""

ROLES = ("user", "item", "value", "time")
"""What a column can hold, in the order of the columns of a table without a header."""

USUAL_NAMES = {
    "user": "user userid uid customer customerid visitorid reviewerid memberid sessionid",
    "item": "item itemid iid movie movieid product productid parentasin asin articleid bookid isbn songid artistid",
    "value": "rating ratings userrating value score stars overall weight count playcount plays",
    "time": "timestamp time datetime date unixreviewtime createdat",
}
"""Role → usual names of its column, in order of preference, without case, spaces, `_`, `-` and `.`."""


def find_columns(source: object, header: Sequence[str], names: Mapping[str, str]) -> dict[str, int]:
    """Returns role → position of its column. The roles "value" and "time" are optional.

    Args:
        source: the file or frame, for messages.
        header: names of all columns.
        names: role → name of its column. For other roles, the first usual name in `header` counts.

    Raises:
        DataError: A column does not exist, has no unique name, or has two roles.
    """
    columns = {}
    listed = ", ".join(header)
    plain_header = [re.sub(r"[\s_.-]", "", name).lower() for name in header]
    for role in ROLES:
        usual = USUAL_NAMES[role].split()
        if role in names:
            if names[role] not in header:
                raise DataError(
                    f"{source}: expected a column {names[role]!r} (`{role}`), got the columns {listed}. "
                    "Fix: pass the name of one of them"
                )
            columns[role] = header.index(names[role])
        elif usual_names := [name for name in usual if name in plain_header]:
            columns[role] = plain_header.index(usual_names[0])
        elif role in ("user", "item"):
            raise DataError(
                f"{source}: expected a column of {role} ids with a usual name ({', '.join(usual[:3])}), got the "
                f"columns {listed}. Fix: pass the name of one of them as `{role}`"
            )
    for column in columns.values():
        if header.count(header[column]) > 1:
            raise DataError(
                f"{source}: expected one column {header[column]!r}, got {header.count(header[column])}. "
                "Fix: rename all but one"
            )
    for one, other in itertools.combinations(columns, 2):
        if columns[one] == columns[other]:
            raise DataError(
                f"{source}: expected different columns as `{one}` and `{other}`, got {header[columns[one]]!r} as both. "
                "Fix: pass another name"
            )
    read = ", ".join(f"{role} is column {header[column]!r}" for role, column in columns.items())
    ignored = [name for column, name in enumerate(header) if column not in columns.values()]
    LOG.info("%s: %s%s", source, read, f"; not read: {', '.join(ignored)}" if ignored else "")
    return columns


def frame_columns(frame: Any, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns role → pyarrow column and role → name of the column, for a data frame.

    Args:
        frame: of pandas, a table of pyarrow, a (lazy) frame of Polars, or of any library whose frames have columns
            by name.
        names: role → name of its column, as in `find_columns`.

    Raises:
        DataError: `frame` is not a data frame; or a column does not exist, or mixes types.
    """
    import pyarrow as pa

    is_lazy = hasattr(frame, "collect_schema") and hasattr(frame, "collect")  # of Polars
    if not (is_lazy or hasattr(frame, "columns")):
        raise DataError(
            f"expected a data frame, got {type(frame).__name__}. Fix: pass arrays to `Interactions.from_arrays`"
        )
    labels = frame.collect_schema().names() if is_lazy else list(getattr(frame, "column_names", frame.columns))
    header = [str(label) for label in labels]
    positions = find_columns("the frame", header, names)
    if is_lazy:
        frame = frame.select([labels[position] for position in positions.values()]).collect()
    all_names = {role: header[position] for role, position in positions.items()}
    columns = {}
    for role, position in positions.items():
        try:
            column = frame[labels[position]]
            if hasattr(column, "to_arrow"):
                column = column.to_arrow()
            columns[role] = (
                column
                if isinstance(column, pa.ChunkedArray)
                else pa.chunked_array([pa.array(column, from_pandas=True)])
            )
        except (pa.ArrowException, OverflowError):
            raise DataError(
                f"the frame, column {header[position]} ({role}): expected one type of at most 64 bits, got a mixture "
                "of types or larger numbers. Fix: convert the column"
            ) from None
    return columns, all_names


def without_missing(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Drops the rows in which a field is missing or blank.

    Args:
        columns: role → pyarrow column.

    Returns:
        The columns, and the reason → number of rows that were dropped.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns, dropped = dict(columns), {}
    for role in columns:
        column = columns[role]
        is_present = pc.invert(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            is_blank = pc.equal(pc.utf8_trim_whitespace(column), "")
            is_present = pc.and_(is_present, pc.invert(pc.fill_null(is_blank, True)))
        n_missing = len(column) - (pc.sum(is_present).as_py() or 0)
        if n_missing:
            columns = {name: other.filter(is_present) for name, other in columns.items()}
            dropped[f"missing {role}"] = n_missing
    return columns, dropped


def as_arrays(columns: Mapping[str, Any], times: TimeFormat) -> dict[str, Any]:
    """Converts role → pyarrow column to the arguments of `Interactions.from_arrays`.

    Raises:
        DataError: `times` has a date format, but there is no column of times.
        ValueError: A time or a number is invalid. The message does not name the row.
    """
    import pyarrow as pa

    if times.date_format is not None and "time" not in columns:
        raise DataError(
            "expected a column of times for `date_format`, got none with a usual name. Fix: pass its name as `time`"
        )
    arrays: dict[str, Any] = {}
    for role, column in columns.items():
        if pa.types.is_decimal(column.type) and role != "time":
            column = column.cast(pa.float64()) if role == "value" else as_id_column(column, f"{role}s")
        arrays[f"{role}s"] = times.seconds(column) if role == "time" else column
    return arrays
