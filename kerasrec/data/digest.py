"""A digest of a table, which shows whether two tables are equal."""

from __future__ import annotations

import hashlib

import numpy as np

from kerasrec.data.table import Table
from kerasrec.data.table_argument import check_table

BLOCK = 1 << 20
"""Number of elements that are converted to bytes at once."""


def table_digest(table: Table) -> str:
    """SHA-256 of everything in a table: ids, titles, values, times and the order of each history.

    Raises:
        TypeError: `table` is not a table.

    Example:
        >>> from kerasrec import Interactions
        >>> from kerasrec.data.digest import table_digest
        >>> one, other = Interactions.from_arrays([1, 1], [2, 3]), Interactions.from_arrays([1, 1], [3, 2])
        >>> table_digest(one) == table_digest(other)
        False
    """
    check_table(table=table)
    if table.known_digest is not None:
        return table.known_digest
    digest = hashlib.sha256()
    columns = (table.indptr, table.items, table.values, table.times, table.user_ids, table.item_ids, table.item_titles)
    for column in columns:
        if column is None:
            digest.update(b"absent")
            continue
        digest.update(f"{column.dtype} {column.shape}".encode())
        for start in range(0, len(column), BLOCK):  # the values of likes are one element, repeated without memory
            digest.update(np.ascontiguousarray(column[start : start + BLOCK]).view(np.uint8).data)
    return digest.hexdigest()
