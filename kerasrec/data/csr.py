"""Index arithmetic for compressed sparse rows (CSR): row `r` is the slice `indptr[r]:indptr[r + 1]`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from kerasrec.types import Array, BoolArray, FloatArray, IntArray

BLOCK = 1 << 18
"""Number of entries that are processed at once, where temporary arrays would need much memory."""


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


def row_blocks(indptr: IntArray, size: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Yields the first row and the end of each block of whole rows, of up to about `size` entries.

    Example:
        >>> import numpy as np
        >>> from kerasrec.data.csr import row_blocks
        >>> list(row_blocks(np.array([0, 2, 3, 9, 10]), size=3))
        [(0, 2), (2, 3), (3, 4)]
    """
    n_rows, row = len(indptr) - 1, 0
    while row < n_rows:
        end = max(row + 1, int(np.searchsorted(indptr, indptr[row] + size, side="right")) - 1)
        yield row, end
        row = end


def entries_of_rows(indptr: IntArray, rows: IntArray) -> tuple[IntArray | BoolArray, IntArray]:
    """Returns an index of the entries of `rows`, row after row, and the `indptr` of the result.

    The index of many ascending rows is a mask `(n,)`, a byte for each entry; positions need 24 bytes meanwhile.
    """
    n_rows = len(indptr) - 1
    if not (len(rows) > n_rows / 8 and (rows[1:] > rows[:-1]).all() and rows[0] >= 0):
        return positions_of_rows(indptr, rows)
    counts = np.diff(indptr)
    is_taken = np.zeros(n_rows, bool)
    is_taken[rows] = True
    return np.repeat(is_taken, counts), indptr_of(counts[rows])


def order_by_row(rows: IntArray, n_rows: int) -> IntArray:
    """Returns the stable order `(n,)` that sorts entries by `rows` `(n,)`, in O(n): it counts instead of comparing."""
    n = len(rows)
    ones = np.broadcast_to(np.int8(1), n)
    return sp.csr_array((ones, rows, np.arange(n + 1)), shape=(n, n_rows)).tocsc().indices


def true_counts(indptr: IntArray, mask: BoolArray) -> IntArray:
    """Returns for each row `(n_rows,)` how many of its entries are True in `mask` `(n,)`."""
    counts = np.zeros(len(indptr) - 1, np.int64)
    has_entries = indptr[1:] > indptr[:-1]
    if len(mask):
        counts[has_entries] = np.add.reduceat(mask, indptr[:-1][has_entries], dtype=np.int64)
    return counts


def column_counts(columns: IntArray, n_columns: int) -> IntArray:
    """Returns the number of entries `(n_columns,)` int64 in each column."""
    counts = np.zeros(n_columns, np.int64)
    for start in range(0, len(columns), BLOCK):  # bincount converts its argument to int64
        counts += np.bincount(columns[start : start + BLOCK], minlength=n_columns)
    return counts


def time_order(indptr: IntArray, times: IntArray) -> IntArray | None:
    """Returns the stable order `(n,)` by row and then by time, or `None` if the entries are in that order already.

    Args:
        indptr: `(n_rows + 1,)` row boundaries.
        times: `(n,)` time of each entry.
    """
    order: IntArray | None = None
    for row, end in row_blocks(indptr, BLOCK):
        part = slice(int(indptr[row]), int(indptr[end]))
        rows = np.repeat(np.arange(end - row, dtype=np.int32), np.diff(indptr[row : end + 1]))
        part_times = times[part]
        if ((part_times[1:] < part_times[:-1]) & (rows[1:] == rows[:-1])).any():
            if order is None:
                order = np.arange(len(times), dtype=np.int32 if len(times) < np.iinfo(np.int32).max else np.int64)
            order[part] = part.start + np.lexsort((part_times, rows))
    return order


def sorted_matrix(indptr: IntArray, columns: IntArray, values: Array, shape: tuple[int, int]) -> sp.csr_array:
    """Returns a CSR matrix with a copy of the entries, in ascending order of columns within each row."""
    index = np.int32 if len(columns) < np.iinfo(np.int32).max else np.int64
    matrix = sp.csr_array((values.copy(), columns.astype(index), indptr.astype(index)), shape=shape)
    matrix.sort_indices()
    return matrix


def place_by_row(rows: IntArray, counts: IntArray) -> IntArray | None:
    """Returns the position `(n,)` of each entry after a stable sort by row, or `None` if they are sorted already.

    Args:
        rows: `(n,)` int32 row of each entry. If there are fewer than 2³¹ entries, it is overwritten with the result.
        counts: `(n_rows,)` int64 zeros, to which the number of entries of each row is added.
    """
    n_rows = len(counts)
    size = max(BLOCK, n_rows)  # each block needs arrays of that many rows
    blocks = range(0, len(rows), size)
    for start in blocks:
        counts += np.bincount(rows[start : start + size], minlength=n_rows)
    if all((np.diff(rows[start : start + size + 1]) >= 0).all() for start in blocks):
        return None
    next_place = indptr_of(counts)[:-1]
    places = rows if len(rows) < np.iinfo(np.int32).max else np.empty(len(rows), np.int64)
    for start in blocks:
        block = rows[start : start + size]
        order = order_by_row(block, n_rows)
        block_counts = np.bincount(block, minlength=n_rows)
        first = indptr_of(block_counts)[:-1]  # of each row, in the sorted block
        block_places = np.empty(len(block), np.int64)
        block_places[order] = np.arange(len(block)) + np.repeat(next_place - first, block_counts)
        next_place += block_counts
        places[start : start + size] = block_places
    return places


def merge_pairs(
    indptr: IntArray, items: IntArray, values: FloatArray, times: IntArray | None, n_items: int, how: str
) -> BoolArray | None:
    """Merges the entries of each (row, column) pair into the latest of them.

    Args:
        indptr: `(n_rows + 1,)` row boundaries.
        items: `(n,)` column of each entry.
        values: `(n,)` value of each entry. Values of the entries that stay are overwritten.
        times: `(n,)` time of each entry. If None, and among equal times, a later position is a later entry.
        n_items: number of columns.
        how: the value of a merged entry: that of the `"last"` one, the `"sum"`, the `"count"` or the `"max"`.

    Returns:
        Which entries `(n,)` stay, or `None` if all of them do.
    """
    keep: BoolArray | None = None
    for row, end in row_blocks(indptr, BLOCK):
        part = slice(int(indptr[row]), int(indptr[end]))
        pairs = np.repeat(np.arange(end - row) * n_items, np.diff(indptr[row : end + 1])) + items[part]
        ascending = np.sort(pairs)
        repeated = ascending[1:][ascending[1:] == ascending[:-1]]
        if how == "count":
            values[part] = 1
        if not len(repeated):
            continue
        places = np.minimum(np.searchsorted(repeated, pairs), len(repeated) - 1)
        among = np.flatnonzero(repeated[places] == pairs)  # the entries of repeated pairs, which are few as a rule
        pairs = pairs[among]
        order = np.argsort(pairs, kind="stable") if times is None else np.lexsort((times[part][among], pairs))
        among, pairs = among[order], pairs[order]
        is_last = np.append(pairs[1:] != pairs[:-1], True)
        if how != "last":
            values[part][among[is_last]] = _merged(values[part][among], np.flatnonzero(is_last), how)
        keep = np.ones(len(items), bool) if keep is None else keep
        keep[part][among[~is_last]] = False
    return keep


def _merged(values: FloatArray, last: IntArray, how: str) -> FloatArray:
    """Returns one value for each group of values. `last` contains the position of the last value of each group."""
    first = np.append(0, last[:-1] + 1)
    if how == "count":
        return (last - first + 1).astype(np.float32)
    if how == "max":
        return np.maximum.reduceat(values, first)
    return np.add.reduceat(values.astype(np.float64), first).astype(np.float32)
