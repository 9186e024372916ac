"""Rows of a table from histories: lists of item ids, as a served model receives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from kerasrec.data.arrays import as_finite, check_parallel
from kerasrec.data.csr import indptr_of
from kerasrec.data.ids import has_strings, lookup
from kerasrec.types import Array, FloatArray, IntArray


def rows_of_histories(
    histories: Sequence[Sequence[Any]], values: Sequence[Sequence[float]] | None, item_ids: Array
) -> tuple[IntArray, IntArray, FloatArray]:
    """Converts histories to CSR rows: `indptr`, columns and values.

    Args:
        histories: lists of item ids. Unknown ids are ignored. The last value of a repeated item counts.
        values: lists parallel to `histories`, or `None` if every value is 1.
        item_ids: `(n_items,)` the catalogue, ascending.

    Raises:
        ValueError: A history is not a list, has ids of another type than the catalogue or missing ones, or has
            values that are not parallel to it or not finite.
    """
    for number, history in enumerate(histories):
        if isinstance(history, str) or not hasattr(history, "__len__"):
            raise ValueError(
                f"expected a list of item ids for each user, got {history!r} as history {number}. "
                "Fix: pass a list of lists"
            )
    values = [[1.0] * len(history) for history in histories] if values is None else values
    check_parallel("histories", histories, values=values)
    rows = [
        _row(number, history, row_values, item_ids)
        for number, (history, row_values) in enumerate(zip(histories, values, strict=True))
    ]
    indptr = indptr_of(np.array([len(columns) for columns, _ in rows], np.int64))
    columns = np.concatenate([np.empty(0, np.int64), *(columns for columns, _ in rows)])
    return indptr, columns, np.concatenate([np.empty(0, np.float32), *(row_values for _, row_values in rows)])


def unknown_user_ids(n: int, known_ids: Array) -> Array:
    """Returns `n` integer ids that no known user has: integers above `known_ids`, or from 0 if those are strings."""
    first = int(known_ids.max()) + 1 if len(known_ids) and not has_strings(known_ids) else 0
    if first + n <= np.iinfo(np.int64).max:
        return np.arange(first, first + n)
    # None is above the largest 64-bit integer. Of the integers from 0, at most as many are taken as there are users.
    return np.setdiff1d(np.arange(n + len(known_ids)), known_ids)[:n]


def _row(number: int, history: Sequence[Any], values: Sequence[float], item_ids: Array) -> tuple[IntArray, FloatArray]:
    """Returns the columns and values of one history."""
    if len(history) != len(values):
        raise ValueError(
            f"expected {len(history)} values for history {number}, one for each item, got {len(values)}. "
            "Fix: pass parallel lists"
        )
    nested = [item for item in history if hasattr(item, "__len__") and not isinstance(item, (str, bytes))]
    if nested:
        raise ValueError(
            f"expected an item id, got {nested[0]!r} in history {number}. Fix: pass a list of lists of ids"
        )
    missing = [item for item in history if item is None or item != item]  # NaN differs from itself
    if missing:
        raise ValueError(
            f"expected an item id, got {missing[0]} in history {number}. Fix: drop missing items from the histories"
        )
    if len(history) and isinstance(history[0], (str, UUID)):
        history = [str(item).strip() if isinstance(item, (str, UUID)) else item for item in history]
    last_values = dict(zip(history, as_finite(values, f"values[{number}]", np.float32), strict=True))
    ids = np.array(list(last_values)) if last_values else item_ids[:0]
    if has_strings(ids) != has_strings(item_ids):
        kind = "strings" if has_strings(item_ids) else "integers"
        raise ValueError(
            f"expected item ids that are {kind}, as in the catalogue, got {history[0]!r} in history {number}. "
            "Fix: convert the ids"
        )
    columns = lookup(item_ids, ids)
    known = columns >= 0
    return columns[known], np.array(list(last_values.values()), np.float32)[known]
