"""The storage of a table of interactions: a sparse matrix with ids and times, and its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from kerasrec.data.arrays import read_only
from kerasrec.data.csr import column_counts, positions_of_rows, sorted_matrix
from kerasrec.data.kinds import ValueKind, value_kind
from kerasrec.data.row_counts import RowCounts
from kerasrec.data.summary import summary
from kerasrec.types import Array, IntArray

CONTENT = ("indptr", "items", "values", "times", "user_ids", "item_ids")
"""The attributes that two equal tables share."""


class RowEntries(NamedTuple):
    """The entries of some rows, row after row.

    Attributes:
        indptr: `(n_rows + 1,)` int64, boundaries of the rows.
        items: `(n,)` int32, column of each entry.
        values: `(n,)` float32, or `None` if every value of the table is 1.
    """

    indptr: IntArray
    items: IntArray
    values: Array | None


class Table:
    """The attributes, sizes and rows of `Interactions`, which documents the attributes."""

    def __init__(
        self,
        indptr: IntArray,
        items: IntArray,
        values: Array,
        times: IntArray | None,
        user_ids: Array,
        item_ids: Array,
        item_titles: Array | None = None,
        row_counts: RowCounts | None = None,
        column_names: Mapping[str, str] | None = None,
    ) -> None:
        self.indptr = read_only(indptr, np.int64)
        self._items = read_only(items, np.int32)
        self._values = read_only(values, np.float32)
        self._times = None if times is None else read_only(times, np.int64)
        self.user_ids = read_only(user_ids)
        self.item_ids = read_only(item_ids)
        self.item_titles = None if item_titles is None else read_only(item_titles)
        self.row_counts = row_counts
        self.column_names = dict(column_names or {})

    @property
    def items(self) -> IntArray:
        """`(n,)` int32, the column of each interaction."""
        return self._items

    @property
    def values(self) -> Array:
        """`(n,)` float32, the value of each interaction."""
        return self._values

    @property
    def times(self) -> IntArray | None:
        """`(n,)` int64, seconds since 1970, or `None`."""
        return self._times

    @property
    def known_digest(self) -> str | None:
        """The digest of the table, if it is known without reading the table; see `kerasrec.data.digest`."""
        return None

    @property
    def n_users(self) -> int:
        """Number of rows."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of columns."""
        return len(self.item_ids)

    @property
    def shape(self) -> tuple[int, int]:
        """`(n_users, n_items)`."""
        return self.n_users, self.n_items

    def __len__(self) -> int:
        return int(self.indptr[-1])

    @property
    def counts(self) -> IntArray:
        """`(n_users,)` int64: number of interactions of each user."""
        return np.diff(self.indptr)

    @property
    def item_counts(self) -> IntArray:
        """`(n_items,)` int64: number of interactions of each item."""
        return column_counts(self.items, self.n_items)

    @property
    def users(self) -> IntArray:
        """`(n,)` int32: the row of each interaction, parallel to `items`, `values` and `times`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), self.counts)

    @property
    def places(self) -> IntArray:
        """`(n,)` int64: the position of each interaction within its row, from 0."""
        return np.arange(len(self)) - self.indptr[self.users]

    @cached_property
    def is_binary(self) -> bool:
        """Whether every value is 1."""
        return bool(np.all(self.values == 1))

    @cached_property
    def value_kind(self) -> ValueKind:
        """The meaning of the values, inferred from them and from the name of their column."""
        return value_kind(self.values, self.column_names.get("value"))

    @property
    def density(self) -> float:
        """Share of the (user, item) pairs that are observed."""
        return len(self) / (self.n_users * self.n_items)

    @cached_property
    def matrix(self) -> sp.csr_array:
        """The values as a `(n_users, n_items)` float32 CSR matrix, in which a value of 0 is an explicit entry."""
        return sorted_matrix(self.indptr, self.items, self.values, self.shape)

    def row(self, user: int) -> IntArray:
        """Returns the columns of the interactions of row `user`, in the order of the input."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]

    def entries_of(self, rows: IntArray) -> RowEntries:
        """Returns the entries of `rows` `(n_rows,)`, in the order of the input within each row."""
        positions, indptr = positions_of_rows(self.indptr, rows)
        return RowEntries(indptr, self.items[positions], None if self.is_binary else self.values[positions])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in CONTENT)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({summary(self)})"
