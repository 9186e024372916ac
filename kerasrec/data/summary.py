"""A table in one line: sizes, values, dates, and merged and dropped rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kerasrec.data.table import Table


def summary(table: Table) -> str:
    """Returns the sizes of a table, the range of its values and times, and the rows that were merged or dropped.

    Example:
        >>> from kerasrec import Interactions
        >>> summary(Interactions.from_arrays([1, 2, 2], [7, 7, 7], times=[0, 86_400, 86_401]))
        '2 users × 1 items, 2 interactions, density 100.00%, likes, 1970-01-01 to 1970-01-02, 1 merged as duplicates'
    """
    losses = table.row_counts.losses if table.row_counts is not None and len(table) else []
    return ", ".join([sizes(table), *losses])


def sizes(table: Table) -> str:
    """Returns the sizes of a table, and the range of its values and times.

    Example:
        >>> from kerasrec import Interactions
        >>> sizes(Interactions.from_arrays([1, 2, 2], [7, 7, 8]))
        '2 users × 2 items, 3 interactions, density 75.00%, likes'
    """
    users_and_items = f"{table.n_users:,} users × {table.n_items:,} items"
    if not len(table):
        return f"{users_and_items}, empty"
    values = "likes" if table.is_binary else f"values {table.values.min():g} to {table.values.max():g}"
    phrases = [users_and_items, f"{len(table):,} interactions", f"density {table.density:.2%}", values]
    if table.times is not None:
        first, last = np.array([table.times.min(), table.times.max()]).astype("M8[s]").astype("M8[D]")
        phrases.append(f"{first} to {last}")
    return ", ".join(phrases)
