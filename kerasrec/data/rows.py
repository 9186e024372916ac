"""Rows of a table from parallel columns: ids become positions, entries are sorted by user, repeated pairs are merged.

Columns are converted one after the other and large steps work on blocks, so that a table of n interactions needs
little more memory than its result.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasrec.data.arrays import as_finite, check_parallel
from kerasrec.data.csr import indptr_of, merge_pairs, place_by_row, true_counts
from kerasrec.data.errors import DataError
from kerasrec.data.ids import factorize
from kerasrec.data.kinds import value_kind
from kerasrec.data.row_counts import MERGED, RowCounts
from kerasrec.data.times import TimeFormat, as_seconds, usual_unit
from kerasrec.types import Array, FloatArray, IntArray

LOG = logging.getLogger(__name__)

DUPLICATES = tuple(MERGED)
"""Ways to merge rows of the same user and item: the latest value, the sum, the number of rows, the highest value."""


def rows_of_columns(
    columns: Mapping[str, Any],
    *,
    times: TimeFormat | None = None,
    duplicates: str | None = None,
    names: Mapping[str, str] | None = None,
    titles: Mapping[Any, str] | None = None,
    dropped: Mapping[str, int] | None = None,
    from_text: bool = False,
) -> dict[str, Any]:
    """Converts parallel columns to the arguments of the constructor of `Interactions`.

    Args:
        columns: role → array of numpy or pyarrow, series or list: "user", "item", "value" and "time". Each is
            accessed once, so a lazy mapping can free it.
        times: the notation of times.
        duplicates: how to merge rows of the same user and item, one of `DUPLICATES`. If None, the sum of counts, and
            the latest of other values.
        names: role → name of the column in the source.
        titles: item id → title.
        dropped: reason → number of rows of the source that are not in `columns`.
        from_text: whether ids are text, which is converted to integers if that loses nothing.

    Raises:
        DataError: `duplicates` is invalid; or `times` has a date format, but there is no column of times.
        ValueError: The columns are empty or differ in length, or an id, a value or a time is invalid. The message
            does not state the row of the source.
    """
    times = times or TimeFormat()
    check_duplicates(duplicates)
    if times.date_format is not None and "time" not in columns:
        raise DataError(
            "expected a column of times for `date_format`, got none with a usual name. Fix: pass its name as `time`"
        )
    user_ids, user = factorize(columns["user"], "users", from_text)
    item_ids, item = factorize(columns["item"], "items", from_text)
    n = len(user)
    value = np.ones(n, np.float32) if "value" not in columns else finite_values(columns["value"])
    time = as_seconds(columns["time"], times) if "time" in columns else None
    check_parallel("users", user, items=item, values=value, times=time)
    if not n:
        raise ValueError("expected at least one interaction, got empty arrays. Fix: check the source of the arrays")
    if usual_unit(value) is not None:
        LOG.warning(
            "the values, from %.0f to %.0f, look like times; pass their column as `time`, or another one as `value`",
            value.min(), value.max(),
        )  # fmt: skip
    if duplicates is None:
        kind = value_kind(value, (names or {}).get("value"))
        duplicates = "sum" if kind.name == "counts" else "last"
    counts: IntArray = np.zeros(len(user_ids), np.int64)
    place = place_by_row(user, counts)
    del user
    if place is not None:
        item = _placed(item, place)
        value = _placed(value, place)
        time = None if time is None else _placed(time, place)
    del place
    keep = merge_pairs(indptr_of(counts), item, value, time, len(item_ids), duplicates)
    if keep is not None:
        counts = true_counts(indptr_of(counts), keep)
        item = item[keep]
        value = value[keep]
        time = None if time is None else time[keep]
    return {
        "indptr": indptr_of(counts),
        "items": item,
        "values": value,
        "times": time,
        "user_ids": user_ids,
        "item_ids": item_ids,
        "item_titles": None if titles is None else np.array([titles.get(i, "") for i in item_ids.tolist()]),
        "row_counts": RowCounts(len(item), n - len(item), dict(dropped or {}), duplicates),
        "column_names": dict(names) if names else None,
    }


def check_duplicates(duplicates: str | None) -> None:
    """Checks the way to merge rows.

    Raises:
        DataError: `duplicates` is unknown.
    """
    if duplicates not in (None, *DUPLICATES):
        raise DataError(
            f"expected `duplicates` to be one of {', '.join(DUPLICATES)}, got {duplicates!r}. "
            "Fix: omit it for the sum of counts and the latest of other values"
        )


def finite_values(column: Any) -> FloatArray:
    """Converts values to float32, one chunk after the other."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return as_finite(column, "values", np.float32)
    if pa.types.is_decimal(column.type) or pa.types.is_boolean(column.type):
        column = column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column.cast(pa.int8())
    values = np.empty(len(column), np.float32)
    start = 0
    for chunk in column.iterchunks():
        numbers = chunk.to_numpy(zero_copy_only=False)
        values[start : start + len(chunk)] = as_finite(numbers, "values", np.float32)
        start += len(chunk)
    return values


def _placed(entries: Array, place: Array) -> Array:
    """Returns the entries in the order in which `place` `(n,)` is the new position of each of them."""
    placed = np.empty_like(entries)
    placed[place] = entries
    return placed
