"""Index arithmetic for compressed sparse rows (CSR): row `r` is the slice `indptr[r]:indptr[r + 1]`."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kerasrec.types import Array, IntArray


def indptr_of(counts: IntArray) -> IntArray:
    """Returns the `(n_rows + 1,)` int64 row boundaries for rows with `counts` `(n_rows,)` entries."""
    indptr = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    return indptr


def positions_of_rows(indptr: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Returns the positions of the entries of `rows`, row after row, and the `indptr` of the result."""
    counts = indptr[rows + 1] - indptr[rows]
    new_indptr = indptr_of(counts)
    positions = np.arange(new_indptr[-1]) + np.repeat(indptr[rows] - new_indptr[:-1], counts)
    return positions, new_indptr


def order_by_row(rows: IntArray, n_rows: int) -> IntArray:
    """Returns the stable order `(n,)` that sorts entries by `rows` `(n,)`, in O(n): it counts instead of comparing."""
    n = len(rows)
    ones = np.broadcast_to(np.int8(1), n)
    return sp.csr_array((ones, rows, np.arange(n + 1)), shape=(n, n_rows)).tocsc().indices


def time_order(rows: IntArray, times: IntArray, n_rows: int) -> IntArray | None:
    """Returns the stable order `(n,)` by row and then by time, or `None` if the entries are in that order already.

    Args:
        rows: `(n,)` row of each entry, ascending.
        times: `(n,)` time of each entry.
        n_rows: number of rows.
    """
    if not ((times[1:] < times[:-1]) & (rows[1:] == rows[:-1])).any():
        return None
    order = np.argsort(times, kind="stable")
    return order[order_by_row(rows[order], n_rows)]


def sorted_matrix(indptr: IntArray, columns: IntArray, values: Array, shape: tuple[int, int]) -> sp.csr_array:
    """Returns a CSR matrix with a copy of the entries, in ascending order of columns within each row."""
    index = np.int32 if len(columns) < np.iinfo(np.int32).max else np.int64
    matrix = sp.csr_array((values.copy(), columns.astype(index), indptr.astype(index)), shape=shape)
    matrix.sort_indices()
    return matrix


def order_of_latest(
    user: IntArray, item: IntArray, time: Array | None, n_users: int, n_items: int
) -> tuple[IntArray, IntArray]:
    """Returns the order of the entries by row, without those that a later entry of the same (user, item) pair replaces.

    Args:
        user: `(n,)` row of each entry.
        item: `(n,)` column of each entry.
        time: `(n,)` time of each entry. If None, and among equal times, a later position is a later entry.
        n_users: number of rows.
        n_items: number of columns.

    Returns:
        The positions `(m,)` of the entries, row after row, otherwise in their original order; and the `indptr`.
    """
    order = order_by_row(user, n_users)
    replaced = _replaced_positions(user, item, time, n_users, n_items)
    if len(replaced):
        latest = np.ones(len(user), bool)
        latest[replaced] = False
        order = order[latest[order]]
    return order, indptr_of(np.bincount(user[order], minlength=n_users))


def _replaced_positions(user: IntArray, item: IntArray, time: Array | None, n_users: int, n_items: int) -> IntArray:
    order = order_by_row(item, n_items)
    order = order[order_by_row(user[order], n_users)]
    same_pair = (user[order[1:]] == user[order[:-1]]) & (item[order[1:]] == item[order[:-1]])
    if time is not None and same_pair.any():
        # Sorting all entries by time is slow. Repeated pairs are few, and they occupy the same places afterwards.
        places = np.flatnonzero(np.append(same_pair, False) | np.insert(same_pair, 0, False))
        repeated = order[places]
        order[places] = repeated[np.lexsort((time[repeated], item[repeated], user[repeated]))]
    return order[:-1][same_pair]
