"""Who rated, liked or bought what, and when: the one container that all data passes through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from kerasrec.data.columns import TimeFormat, arrays, fault, of_frame
from kerasrec.types import Array, IntArray


class Interactions:
    """An immutable table of interactions: a sparse users × items matrix with ids and times.

    Row `u` holds the items of user `u` in the order of the file they came from. An entry is an
    observation whatever its value: a rating of 0 is a rating.

    Build one with `Interactions.from_arrays`, `Interactions.from_frame`, or a reader
    (`kerasrec.read`).

    Attributes:
        user_ids: `(n_users,)` the users' original ids (int64 or str), ascending.
        item_ids: `(n_items,)` the items' original ids (int64 or str), ascending.
        indptr: `(n_users + 1,)` int64; row `u` is the slice `indptr[u]:indptr[u + 1]`.
        items: `(n,)` int32, the column of each interaction.
        values: `(n,)` float32, the value of each interaction (1 for a like).
        times: `(n,)` int64, seconds since 1970, or `None`.
        item_titles: `(n_items,)` str, or `None`.
        duplicates: how many repeated (user, item) pairs were dropped when it was built.

    Example:
        >>> from kerasrec import Interactions
        >>> x = Interactions.from_arrays(["ann", "bob", "ann"], [7, 7, 9], [5, 3, 4])
        >>> x.n_users, x.n_items, len(x)
        (2, 2, 3)
        >>> x.matrix.toarray()
        array([[5., 4.],
               [3., 0.]], dtype=float32)
    """

    def __init__(
        self,
        indptr: IntArray,
        items: IntArray,
        values: Array,
        times: IntArray | None,
        user_ids: Array,
        item_ids: Array,
        item_titles: Array | None = None,
        duplicates: int = 0,
    ) -> None:
        self.indptr = _frozen(indptr, np.int64)
        self.items = _frozen(items, np.int32)
        self.values = _frozen(values, np.float32)
        self.times = None if times is None else _frozen(times, np.int64)
        self.user_ids = _frozen(user_ids)
        self.item_ids = _frozen(item_ids)
        self.item_titles = None if item_titles is None else _frozen(item_titles)
        self.duplicates = duplicates

    @classmethod
    def from_arrays(
        cls,
        users: Any,
        items: Any,
        values: Any = None,
        times: Any = None,
        titles: dict[Any, str] | None = None,
    ) -> Interactions:
        """Builds a table from parallel arrays, one entry an interaction.

        A (user, item) pair that occurs again replaces the earlier one (the later in time, or in
        the order given where there are no times); `duplicates` says how many were dropped.

        Args:
            users: `(n,)` ids, integers or strings. "" and -1 are taken: they pad histories.
            items: `(n,)` ids, likewise.
            values: `(n,)` finite numbers; 1 for each where absent.
            times: `(n,)` seconds since 1970, or numpy dates, optional.
            titles: item id → title, optional.

        Raises:
            ValueError: the arrays are empty, differ in length, or hold a value or an id that is
                missing or not finite.
        """
        user_ids, user = _factorize(users, "users")
        item_ids, item = _factorize(items, "items")
        n = len(user)
        value = np.ones(n, np.float32) if values is None else _finite(values, "values", np.float32)
        time = None if times is None else _finite(times, "times", np.int64)
        for name, array in (("items", item), ("values", value), ("times", time)):
            if array is not None and len(array) != n:
                raise ValueError(f"`{name}` has {len(array):,} entries, `users` has {n:,}: they must be parallel")
        if n == 0:
            raise ValueError("no interactions: `users` is empty")

        order = _group(user, len(user_ids))
        repeated = _repeated(user, item, time, len(user_ids), len(item_ids))
        if len(repeated):
            keep = np.ones(n, bool)
            keep[repeated] = False
            order = order[keep[order]]
        indptr = np.zeros(len(user_ids) + 1, np.int64)
        np.cumsum(np.bincount(user[order], minlength=len(user_ids)), out=indptr[1:])
        item_titles = None
        if titles is not None:
            item_titles = np.array([titles.get(i, "") for i in item_ids.tolist()])
        return cls(
            indptr,
            item[order],
            value[order],
            None if time is None else time[order],
            user_ids,
            item_ids,
            item_titles,
            len(repeated),
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        user: str | None = None,
        item: str | None = None,
        value: str | None = None,
        time: str | None = None,
        time_unit: str = "s",
        date_format: str | None = None,
    ) -> Interactions:
        """Builds a table from a data frame, of pandas or anything with columns by name, as `kerasrec.read` does.

        Args:
            frame: the data frame, one row an interaction.
            user: name of the column of user ids; guessed from usual names where absent, like the others.
            item: name of the column of item ids.
            value: name of the column of ratings or counts; every value is 1 without such a column.
            time: name of the column of times: numbers, dates, or dates as text.
            time_unit: of times that are numbers: `"s"`, `"ms"`, `"us"` or `"ns"` since 1970.
            date_format: of dates as text, if they are not written as ISO has it: `"%d/%m/%Y %H:%M"`.

        Raises:
            DataError: a column is missing, or its content is bad.
        """
        times = TimeFormat(time_unit, date_format)
        given = {"user": user, "item": item, "value": value, "time": time}
        columns, names = of_frame(frame, {role: name for role, name in given.items() if name is not None})
        try:
            return cls.from_arrays(**arrays(columns, times))
        except ValueError as error:
            raise fault("the frame", columns, names, times, error) from None

    @classmethod
    def from_histories(
        cls,
        histories: Sequence[Sequence[Any]],
        catalogue: Interactions,
        values: Sequence[Sequence[float]] | None = None,
        user_ids: Sequence[Any] | None = None,
    ) -> Interactions:
        """Builds a table from one list of item ids a user, over another table's catalogue.

        Ids outside the catalogue are left out, as a served model does, and a history may be empty.

        Args:
            histories: item ids, oldest first.
            catalogue: the table whose items are the columns, as a rule the training table.
            values: finite ratings, parallel to `histories`; 1 each where absent.
            user_ids: whose they are, for models that know their training users. Where absent, users
                are numbered in the order given, past the users of `catalogue`: nobody is taken for
                one of them.

        Raises:
            ValueError: a row of `values` is not as long as its history or not finite, `values` or
                `user_ids` are not as many as the histories, or item ids are strings where the
                catalogue's are integers, or the other way round.

        Example:
            >>> from kerasrec import Interactions
            >>> train = Interactions.from_arrays([1, 1, 2], [10, 20, 30])
            >>> Interactions.from_histories([[30, 10], [99]], train).counts
            array([2, 0])
        """
        for user, row in enumerate(histories):
            if isinstance(row, str) or not hasattr(row, "__len__"):
                raise ValueError(f"history {user} is {row!r}: give a list of item ids for each user")
        values = [[1.0] * len(row) for row in histories] if values is None else values
        if user_ids is None:
            numbered = catalogue.user_ids.dtype.kind in "iu" and catalogue.n_users > 0
            whose = np.arange(len(histories)) + (catalogue.user_ids.max() + 1 if numbered else 0)
        else:
            whose = np.asarray(user_ids)
        for name, rows in (("user_ids", whose), ("values", values)):
            if len(rows) != len(histories):
                raise ValueError(f"`{name}` has {len(rows)} entries for {len(histories)} histories: give one each")
        columns, kept = [], []
        for user, (row, row_values) in enumerate(zip(histories, values, strict=True)):
            if len(row) != len(row_values):
                raise ValueError(f"history {user} has {len(row)} items but {len(row_values)} values: give one each")
            finite = _finite(row_values, f"values[{user}]", np.float32)
            last = dict(zip(row, finite, strict=True))  # of an item that stands twice, the last value
            given = np.array(list(last)) if last else catalogue.item_ids[:0]
            if (given.dtype.kind in "US") != (catalogue.item_ids.dtype.kind in "US"):
                kind = "strings" if catalogue.item_ids.dtype.kind in "US" else "integers"
                raise ValueError(f"history {user} holds {row[0]!r}, but the item ids of this catalogue are {kind}")
            found = lookup(catalogue.item_ids, given)
            columns.append(found[found >= 0])
            kept.append(np.array(list(last.values()), np.float32)[found >= 0])
        return cls(
            np.cumsum([0, *map(len, columns)]),
            np.concatenate([[], *columns]),
            np.concatenate([[], *kept]),
            None,
            whose,
            catalogue.item_ids,
            catalogue.item_titles,
        )

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
        return len(self.items)

    @property
    def counts(self) -> IntArray:
        """`(n_users,)` int64: how many interactions each user has."""
        return np.diff(self.indptr)

    @property
    def item_counts(self) -> IntArray:
        """`(n_items,)` int64: how many interactions each item has."""
        return np.bincount(self.items, minlength=self.n_items)

    @property
    def users(self) -> IntArray:
        """`(n,)` int32: the row of each interaction, beside `items`, `values` and `times`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), self.counts)

    @cached_property
    def is_binary(self) -> bool:
        """Whether every value is 1, so that the values say nothing."""
        return bool(np.all(self.values == 1))

    @property
    def density(self) -> float:
        """Share of the users × items pairs that were observed."""
        return len(self) / (self.n_users * self.n_items)

    @cached_property
    def matrix(self) -> sp.csr_array:
        """The values as a `(n_users, n_items)` float32 CSR matrix, an explicit 0 kept as an entry."""
        index = np.int32 if len(self) < np.iinfo(np.int32).max else np.int64
        m = sp.csr_array((self.values.copy(), self.items.astype(index), self.indptr.astype(index)), shape=self.shape)
        m.sort_indices()
        return m

    @cached_property
    def T(self) -> Interactions:  # noqa: N802 (numpy's name for it)
        """The table with the two sides exchanged: what was an item is now a user.

        Titles, which belong to items, are left behind.
        """
        order = _group(self.items, self.n_items)
        indptr = np.zeros(self.n_items + 1, np.int64)
        np.cumsum(self.item_counts, out=indptr[1:])
        times = None if self.times is None else self.times[order]
        return Interactions(indptr, self.users[order], self.values[order], times, self.item_ids, self.user_ids)

    def in_time_order(self) -> Interactions:
        """The same table with each user's interactions from oldest to newest.

        Equal times keep the order of the file; without times the table itself is returned.
        """
        if self.times is None:
            return self
        users = self.users
        if not ((self.times[1:] < self.times[:-1]) & (users[1:] == users[:-1])).any():
            return self
        order = np.argsort(self.times, kind="stable")
        return self._reordered(order[_group(users[order], self.n_users)])

    def likes(self) -> Interactions:
        """The same table with every value 1."""
        if self.is_binary:
            return self
        return self._with(values=np.ones(len(self), np.float32))

    def at_least(self, value: float) -> Interactions:
        """Keeps the interactions whose value is at least `value`; users and items left bare go."""
        return self.select(self.values >= value)

    def core(self, users: int = 1, items: int = 1) -> Interactions:
        """Keeps users with at least `users` items and items with at least `items` users.

        Removing one side can bring the other below its bound, so this is repeated until nothing
        changes (`core(5, 5)` is the 5-core).
        """
        table = self
        while True:
            keep = (table.counts >= users)[table.users] & (table.item_counts >= items)[table.items]
            if keep.all():
                return table
            table = table.select(keep)

    def select(self, keep: Array, compact: bool = True) -> Interactions:
        """Keeps the interactions where the boolean array `keep` `(n,)` is true.

        Args:
            keep: which interactions to keep, in the order of `items`.
            compact: also drop the users and items that have none left.
        """
        users = self.users[keep]
        counts = np.bincount(users, minlength=self.n_users)
        indptr = np.concatenate(([0], np.cumsum(counts)))
        times = None if self.times is None else self.times[keep]
        table = self._with(indptr=indptr, items=self.items[keep], values=self.values[keep], times=times)
        if not compact:
            return table
        table = table.take_users(np.flatnonzero(counts))
        return table.with_catalogue(table.item_ids[table.item_counts > 0])

    def take_users(self, rows: Sequence[int] | IntArray) -> Interactions:
        """The table of the given rows, in the given order; the columns stay."""
        rows = np.asarray(rows, dtype=np.int64)
        order, indptr = flat_rows(self.indptr, rows)
        return self._reordered(order, indptr=indptr, user_ids=self.user_ids[rows])

    def with_catalogue(self, item_ids: Array) -> Interactions:
        """The table over another catalogue: interactions with items outside it are dropped.

        Args:
            item_ids: `(n,)` the new catalogue, ascending (another table's `item_ids`). Users with
                nothing left keep an empty row.

        Raises:
            ValueError: `item_ids` is not ascending.
        """
        if (item_ids[1:] <= item_ids[:-1]).any():
            raise ValueError("`item_ids` must be ascending and distinct: sort them (`numpy.unique`)")
        column = lookup(item_ids, self.item_ids)
        items = column[self.items]
        keep = items >= 0
        counts = np.bincount(self.users[keep], minlength=self.n_users)
        titles = None
        if self.item_titles is not None:
            there = lookup(self.item_ids, item_ids)
            titles = np.where(there >= 0, self.item_titles[there], "")
        return self._with(
            indptr=np.concatenate(([0], np.cumsum(counts))),
            items=items[keep],
            values=self.values[keep],
            times=None if self.times is None else self.times[keep],
            item_ids=item_ids,
            item_titles=titles,
        )

    def row(self, user: int) -> IntArray:
        """The columns of one user, in the order of the file."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]

    def _reordered(self, order: IntArray, **changes: Any) -> Interactions:
        times = None if self.times is None else self.times[order]
        return self._with(items=self.items[order], values=self.values[order], times=times, **changes)

    def _with(self, **changes: Any) -> Interactions:
        """A copy with some of the constructor's arguments changed."""
        names = ("indptr", "items", "values", "times", "user_ids", "item_ids", "item_titles", "duplicates")
        return Interactions(**{name: changes.get(name, getattr(self, name)) for name in names})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Interactions):
            return NotImplemented
        names = ("indptr", "items", "values", "times", "user_ids", "item_ids")
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if len(self) == 0:
            return f"Interactions({self.n_users:,} users × {self.n_items:,} items, empty)"
        what = "likes" if self.is_binary else f"values {self.values.min():g} to {self.values.max():g}"
        parts = [
            f"{self.n_users:,} users × {self.n_items:,} items",
            f"{len(self):,} interactions",
            f"density {self.density:.2%}",
            what,
        ]
        if self.times is not None:
            first, last = (np.datetime64(int(t), "s").astype("datetime64[D]") for t in _range(self.times))
            parts.append(f"{first} to {last}")
        if self.duplicates:
            parts.append(f"{self.duplicates:,} repeated pairs, the last of each kept")
        return f"Interactions({', '.join(parts)})"


def lookup(vocabulary: Array, ids: Array) -> IntArray:
    """The position of each of `ids` in the ascending `vocabulary`, -1 where it is not in it.

    Args:
        vocabulary: `(n,)` distinct ids, ascending.
        ids: `(m,)` ids of the same type (integers or strings).

    Returns:
        `(m,)` int64.
    """
    vocabulary, ids = np.asarray(vocabulary), np.asarray(ids)
    if len(vocabulary) == 0 or (vocabulary.dtype.kind in "US") != (ids.dtype.kind in "US"):
        return np.full(len(ids), -1, np.int64)
    at = np.minimum(np.searchsorted(vocabulary, ids), len(vocabulary) - 1)
    return np.where(vocabulary[at] == ids, at, -1)


def flat_rows(indptr: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of the entries of the given CSR rows one after another, and their own indptr."""
    counts = indptr[rows + 1] - indptr[rows]
    ends = np.concatenate(([0], np.cumsum(counts)))
    positions = np.arange(ends[-1]) + np.repeat(indptr[rows] - ends[:-1], counts)
    return positions, ends


def _frozen(array: Array, dtype: Any = None) -> Array:
    array = np.asarray(array, dtype=dtype).view()
    array.flags.writeable = False
    return array


def _range(array: Array) -> tuple[Any, Any]:
    return array.min(), array.max()


def _finite(numbers: Any, name: str, dtype: Any) -> Array:
    array = np.asarray(numbers)
    if array.dtype.kind == "M":
        array = np.where(np.isnat(array), np.nan, array.astype("datetime64[s]").astype(np.float64))
    if array.dtype.kind not in "iufb":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):  # the last: an integer that no float can hold
            raise ValueError(f"`{name}` must be numbers of at most 64 bits, not {array.dtype}") from None
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is reported below
        result = array.astype(dtype)
    bad = ~np.isfinite(array) | ~np.isfinite(result)
    if result.dtype.kind == "i":  # there, what does not fit wraps around
        bad |= np.abs(array.astype(np.float64)) >= 2.0**63 if array.dtype.kind == "f" else (result < 0) & (array > 0)
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(
            f"`{name}` holds {array[at]} at position {at}, which is not finite or too large for {result.dtype}: "
            "drop that interaction or mend it"
        )
    return result


def _factorize(ids: Any, name: str) -> tuple[Array, IntArray]:
    """Distinct ids in ascending order and the index of each entry, by hashing (sorting is slower)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _id_column(ids, name)
    if column.null_count:
        at = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"`{name}` holds no id at position {at} ({column.null_count:,} are missing): drop them")
    encoded = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    integers = pa.types.is_integer(column.type)
    found = encoded.dictionary.to_numpy(zero_copy_only=False).astype(np.int64 if integers else np.str_)
    padding = found == -1 if integers else np.char.strip(found) == ""
    if padding.any():
        raise ValueError(f"`{name}` holds the id {found[padding][0].item()!r}, which is taken for padding: rename it")
    ascending = np.argsort(found, kind="stable")
    rank = np.empty(len(found), np.int32)
    rank[ascending] = np.arange(len(found), dtype=np.int32)
    return found[ascending], rank[encoded.indices.to_numpy()]


def _id_column(ids: Any, name: str) -> Any:
    """Ids as a `pyarrow.ChunkedArray` of int64 or strings."""
    import pyarrow as pa

    column = ids
    if not isinstance(ids, (pa.Array, pa.ChunkedArray)):
        # numpy would turn what is missing from a list of strings into the string "nan".
        array = ids if isinstance(ids, (list, tuple)) else np.asarray(ids)
        try:
            column = pa.array(array if len(array) else np.array([], np.int64), from_pandas=True)
        except pa.ArrowException:
            raise ValueError(f"`{name}` mixes integers, strings or other things: use one kind") from None
        except OverflowError:
            largest = max((int(i) for i in array if isinstance(i, (int, np.integer))), key=abs)
            raise ValueError(f"`{name}` holds the id {largest}, which is no 64-bit integer: rename it") from None
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or column.null_count:
        return column
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        try:  # pandas turns integers into floats when a column has gaps elsewhere
            return column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ValueError(f"`{name}` holds an id that is no 64-bit integer: {error}") from None
    raise ValueError(f"`{name}` must be integers or strings, not {column.type}")


def _group(rows: IntArray, n_rows: int) -> IntArray:
    """The stable order that brings entries of one row together, by counting instead of comparing."""
    n = len(rows)
    ones = np.broadcast_to(np.int8(1), n)
    return sp.csr_array((ones, rows, np.arange(n + 1)), shape=(n, n_rows)).tocsc().indices


def _repeated(user: IntArray, item: IntArray, time: Array | None, n_users: int, n_items: int) -> IntArray:
    """Positions of the entries that a later one of the same (user, item) pair replaces."""
    order = _group(item, n_items)
    order = order[_group(user[order], n_users)]
    same = (user[order[1:]] == user[order[:-1]]) & (item[order[1:]] == item[order[:-1]])
    if time is not None and same.any():
        # Only entries of repeated pairs need sorting by time; their pairs stand in the same places afterwards.
        among = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        some = order[among]
        order[among] = some[np.lexsort((time[some], item[some], user[some]))]
    return order[:-1][same]
