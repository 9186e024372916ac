"""Tables whose entries stay on the disk: the content of a packed folder, and selections of its users and items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasrec.data.arrays import as_ascending, as_rows, read_only
from kerasrec.data.csr import indptr_of, positions_of_rows, row_blocks
from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.kinds import ValueKind
from kerasrec.data.row_counts import RowCounts
from kerasrec.data.table import RowEntries
from kerasrec.types import Array, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False, repr=False)
class PackedArrays:
    """The memory-mapped arrays of a packed folder. Processes that open the same folder share their memory.

    Attributes:
        path: the folder.
        digest: `table_digest` of the table.
        in_time_order: whether the entries of each row are in time order.
        value_kind: meaning of the values.
        row_counts: what became of the rows of the source.
        column_names: role → name of its column in the source.
        indptr: `(n_users + 1,)` int64, boundaries of the rows.
        items: `(n,)` int32, column of each entry.
        values: `(n,)` float32, or `None` if every value is 1.
        times: `(n,)` int64, seconds since 1970, or `None`.
        user_ids: `(n_users,)` original ids.
        item_ids: `(n_items,)` original ids, ascending.
        item_titles: `(n_items,)`, or `None`.
        item_counts: `(n_items,)` int64, number of entries of each item.
    """

    path: Path
    digest: str
    in_time_order: bool
    value_kind: ValueKind
    row_counts: RowCounts
    column_names: dict[str, str]
    indptr: IntArray
    items: IntArray
    values: FloatArray | None
    times: IntArray | None
    user_ids: Array
    item_ids: Array
    item_titles: Array | None
    item_counts: IntArray


class Selection(NamedTuple):
    """Which part of a packed folder a table has, and in which form.

    Attributes:
        rows: `(n_users,)` int64, row of the folder for each user; `None` for all rows in their order.
        columns: `(n_items of the folder,)` int32, column of each item of the folder, -1 for an item that the table
            does not have; `None` if the catalogue is that of the folder.
        by_time: whether the entries of each row are sorted by time.
        as_likes: whether every value is replaced by 1.
    """

    rows: IntArray | None = None
    columns: IntArray | None = None
    by_time: bool = False
    as_likes: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the selection is the whole content of the folder, unchanged."""
        return self.rows is None and self.columns is None and not self.by_time and not self.as_likes


class PackedInteractions(Interactions):
    """A table of interactions whose entries are read from a packed folder when they are needed.

    It equals the table in memory, and has all its methods. `take_users`, `with_catalogue`, `without_bare_items`,
    `in_time_order`, `likes`, and `core` without a threshold for items return a table that also reads from the folder.
    Other methods that select interactions, and the attributes `items`, `values` and `times` of a selection, copy its
    entries into memory.

    Args:
        arrays: the open folder.
        selection: the part of it.
        item_ids: the catalogue. If omitted, that of the folder.
        counts: `(n_users,)` number of entries of each row, if it is known.
        row_counts: see `Interactions`.
    """

    def __init__(
        self,
        arrays: PackedArrays,
        selection: Selection = Selection(),  # noqa: B008 - immutable
        item_ids: Array | None = None,
        counts: IntArray | None = None,
        row_counts: RowCounts | None = None,
    ) -> None:
        self.arrays = arrays
        self.selection = selection
        self.row_counts = row_counts
        self.column_names = arrays.column_names
        rows, columns = selection.rows, selection.columns
        self.user_ids = arrays.user_ids if rows is None else read_only(arrays.user_ids[rows])
        self.item_ids = arrays.item_ids if item_ids is None else read_only(item_ids)
        self.item_titles = _titles_of(arrays, self.item_ids, columns)
        self._excludes_items = columns is not None and bool((arrays.item_counts[columns < 0] > 0).any())
        if rows is None and not self._excludes_items:
            self.indptr = arrays.indptr
        elif counts is not None or not self._excludes_items:
            known = arrays.indptr[rows + 1] - arrays.indptr[rows] if counts is None else counts  # type: ignore[operator]
            self.indptr = read_only(indptr_of(known))
        else:
            self.indptr = read_only(indptr_of(self._count_entries()))

    def __reduce__(self) -> Any:
        """Pickles the place of the folder, not its content."""
        from kerasrec.data.packed_folder import open_packed  # it imports this module

        counts = self.counts if self._excludes_items else None
        arguments = (self.arrays.path, self.arrays.digest, self.selection, self.item_ids, counts, self.row_counts)
        return _reopened, (open_packed, *arguments)

    # ---- the entries --------------------------------------------------------------------------------

    @property
    def known_digest(self) -> str | None:
        return self.arrays.digest if self.selection.is_whole else None

    def entries_of(self, rows: IntArray) -> RowEntries:
        indptr, positions, items = self._read(np.asarray(rows))
        return RowEntries(indptr, items, None if self.is_binary else self._values_at(positions))

    def row(self, user: int) -> IntArray:
        return self._read(np.array([user]))[2]

    @cached_property
    def items(self) -> IntArray:
        selection = self.selection
        if selection.rows is None and selection.columns is None and not selection.by_time:
            return self.arrays.items
        items = np.empty(len(self), np.int32)
        for part, _, block_items in self._blocks():
            items[part] = block_items
        return read_only(items)

    @cached_property
    def values(self) -> Array:
        if self.selection.as_likes or self.arrays.values is None:
            return np.broadcast_to(np.float32(1), len(self))
        return self._collected(self.arrays.values)

    @cached_property
    def times(self) -> IntArray | None:
        return None if self.arrays.times is None else self._collected(self.arrays.times)

    @cached_property
    def is_binary(self) -> bool:
        if self.selection.as_likes or self.arrays.values is None:
            return True
        return all(bool((self._values_at(positions) == 1).all()) for _, positions, _ in self._blocks())

    @cached_property
    def value_kind(self) -> ValueKind:
        return self.arrays.value_kind if self.selection.is_whole else super().value_kind

    @cached_property
    def item_counts(self) -> IntArray:
        if self.selection.rows is None and self.selection.columns is None:
            return self.arrays.item_counts
        counts = np.zeros(self.n_items, np.int64)
        for _, _, items in self._blocks():
            counts += np.bincount(items, minlength=self.n_items)
        return read_only(counts)

    def _read(self, rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Returns the boundaries, the positions in the folder and the columns of the entries of some rows."""
        arrays, selection = self.arrays, self.selection
        rows_of_folder = rows if selection.rows is None else selection.rows[rows]
        positions, indptr = positions_of_rows(arrays.indptr, rows_of_folder)
        items = arrays.items[positions]
        if selection.columns is not None:
            items = selection.columns[items]
            if self._excludes_items:
                kept = items >= 0
                indptr = np.append(0, np.cumsum(kept))[indptr]
                positions, items = positions[kept], items[kept]
        if selection.by_time and arrays.times is not None:
            order = np.lexsort((arrays.times[positions], np.repeat(np.arange(len(rows)), np.diff(indptr))))
            positions, items = positions[order], items[order]
        return indptr, positions, items

    def _values_at(self, positions: IntArray) -> FloatArray:
        """Returns the values of the entries at some positions in the folder."""
        if self.selection.as_likes or self.arrays.values is None:
            return np.ones(len(positions), np.float32)
        return self.arrays.values[positions]

    def _blocks(self) -> Iterator[tuple[slice, IntArray, IntArray]]:
        """Yields the place of each block of entries in this table, their positions in the folder and their columns."""
        for row, end in row_blocks(self.indptr):
            _, positions, items = self._read(np.arange(row, end))
            yield slice(int(self.indptr[row]), int(self.indptr[end])), positions, items

    def _count_entries(self) -> IntArray:
        """Counts the entries of each row whose items the table has."""
        rows, indptr = self.selection.rows, self.arrays.indptr
        counts: IntArray = np.diff(indptr) if rows is None else indptr[rows + 1] - indptr[rows]
        for row, end in row_blocks(indptr_of(counts)):
            counts[row:end] = np.diff(self._read(np.arange(row, end))[0])
        return counts

    def _collected(self, column: Array) -> Array:
        """Returns a column of the folder in the order of this table: the column itself if the entries are the same."""
        if self.selection.rows is None and not self._excludes_items and not self.selection.by_time:
            return column
        entries = np.empty(len(self), column.dtype)
        for part, positions, _ in self._blocks():
            entries[part] = column[positions]
        return read_only(entries)

    # ---- selections, which copy no entries ------------------------------------------------------------

    def in_time_order(self, with_times: bool = True) -> Interactions:
        # The times stay on disk, so the result has them in any case.
        if self.arrays.times is None or self.arrays.in_time_order or self.selection.by_time:
            return self
        return self._selected(self.selection._replace(by_time=True), counts=self.counts, row_counts=self.row_counts)

    def likes(self) -> Interactions:
        if self.is_binary:
            return self
        return self._selected(self.selection._replace(as_likes=True), counts=self.counts, row_counts=self.row_counts)

    def core(self, users: int = 1, items: int = 1) -> Interactions:
        if items > 1:
            return super().core(users, items)
        counts = self.counts
        if (counts[counts > 0] >= users).all():
            return self
        return self.take_users(np.flatnonzero(counts >= max(1, users))).without_bare_items()

    def take_users(self, rows: Sequence[int] | IntArray) -> Interactions:
        rows = as_rows(rows, self.n_users)
        old = self.selection.rows
        selection = self.selection._replace(rows=rows if old is None else old[rows])
        return self._selected(selection, counts=self.counts[rows])

    def take_known_users(self, user_ids: Array) -> Interactions:
        """Returns the rows of any users of the folder who have items of the catalogue, in the order of `user_ids`.

        Args:
            user_ids: `(n,)` ids, also of users that this table does not have.
        """
        order = np.argsort(self.arrays.user_ids, kind="stable")
        rows = lookup(self.arrays.user_ids[order], user_ids)
        table = self._selected(self.selection._replace(rows=order[rows[rows >= 0]]))
        return table if table.counts.all() else table.take_users(np.flatnonzero(table.counts))

    def without_bare_items(self) -> Interactions:
        has_users: BoolArray = self.item_counts > 0
        columns = np.where(has_users, np.cumsum(has_users) - 1, -1).astype(np.int32)
        old = self.selection.columns
        if old is not None:
            columns = np.where(old >= 0, columns[old], np.int32(-1))
        table = self._selected(self.selection._replace(columns=columns), self.item_ids[has_users], self.counts)
        table.item_counts = read_only(self.item_counts[has_users])  # to count them takes seconds for 100 million
        return table

    def with_catalogue(self, item_ids: Array) -> Interactions:
        item_ids = as_ascending(item_ids)
        columns = lookup(item_ids, self.arrays.item_ids).astype(np.int32)
        if self.selection.columns is not None:
            columns[self.selection.columns < 0] = -1
        return self._selected(self.selection._replace(columns=columns), item_ids)

    def _selected(
        self,
        selection: Selection,
        item_ids: Array | None = None,
        counts: IntArray | None = None,
        row_counts: RowCounts | None = None,
    ) -> PackedInteractions:
        item_ids = self.item_ids if item_ids is None else item_ids
        return PackedInteractions(self.arrays, selection, item_ids, counts, row_counts)


def _titles_of(arrays: PackedArrays, item_ids: Array, columns: IntArray | None) -> Array | None:
    """Returns the titles of a catalogue; "" for items that are not in the folder."""
    if arrays.item_titles is None or columns is None:
        return arrays.item_titles
    places = lookup(arrays.item_ids, item_ids)
    return read_only(np.where(places >= 0, arrays.item_titles[places], ""))


def _reopened(open_packed: Any, path: Path, digest: str, *arguments: Any) -> PackedInteractions:
    return PackedInteractions(open_packed(path, digest).arrays, *arguments)
