"""The container for all data: who rated, liked or bought what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from kerasrec.data.arrays import as_ascending, as_mask, as_rows, check_parallel
from kerasrec.data.columns import frame_columns
from kerasrec.data.csr import entries_of_rows, indptr_of, order_by_row, time_order, true_counts
from kerasrec.data.errors import DataError
from kerasrec.data.faults import data_error
from kerasrec.data.histories import rows_of_histories, unknown_user_ids
from kerasrec.data.ids import lookup
from kerasrec.data.matrices import rows_of_matrix
from kerasrec.data.row_rules import RowRules
from kerasrec.data.rows import rows_of_columns
from kerasrec.data.table import CONTENT, Table
from kerasrec.data.times import TimeFormat
from kerasrec.types import Array, BoolArray, IntArray


class Interactions(Table):
    """An immutable table of interactions: a sparse users × items matrix with ids and times.

    Row `u` holds the items of user `u` in the order of the input. Every entry is an observation,
    whatever its value: a rating of 0 is a rating.

    Create one with `kerasrec.read`, `Interactions.from_arrays`, `Interactions.from_frame` or
    `Interactions.from_matrix`.

    Attributes:
        user_ids: `(n_users,)` original ids of the users (int64 or str), ascending.
        item_ids: `(n_items,)` original ids of the items (int64 or str), ascending.
        indptr: `(n_users + 1,)` int64; row `u` is the slice `indptr[u]:indptr[u + 1]`.
        items: `(n,)` int32, the column of each interaction.
        values: `(n,)` float32, the value of each interaction (1 for a like).
        times: `(n,)` int64, seconds since 1970, or `None`.
        item_titles: `(n_items,)` str, or `None`.
        row_counts: how many rows of the source were read, kept, merged and dropped. `None` for a table
            that was not read from rows, or that has only a part of them.
        column_names: role (user, item, value, time) → name of its column in the source. Empty for arrays.

    Example:
        >>> from kerasrec import Interactions
        >>> x = Interactions.from_arrays(["ann", "bob", "ann"], [7, 7, 9], [5, 3, 4])
        >>> x.n_users, x.n_items, len(x)
        (2, 2, 3)
        >>> x.matrix.toarray()
        array([[5., 4.],
               [3., 0.]], dtype=float32)
    """

    @classmethod
    def from_arrays(
        cls,
        users: Any,
        items: Any,
        values: Any = None,
        times: Any = None,
        titles: dict[Any, str] | None = None,
        duplicates: str | None = None,
    ) -> Interactions:
        """Creates a table from parallel arrays with one entry for each interaction.

        If a (user, item) pair is repeated, the table keeps the latest interaction, or the last one
        in the arrays if `times` is omitted. `row_counts.merged` counts the others.

        Args:
            users: `(n,)` ids: integers, strings or UUIDs. "" and -1 are reserved for padding. Spaces around
                strings are removed.
            items: `(n,)` ids, likewise.
            values: `(n,)` finite numbers. If omitted, every value is 1.
            times: `(n,)` seconds since 1970, dates, or ISO dates as text. Larger numbers are milli-, micro- or
                nanoseconds. If omitted, the table has no times.
            titles: item id → title.
            duplicates: value of a repeated pair: that of the `"last"` interaction, the `"sum"`, the `"count"` of
                interactions, or the `"max"`. If omitted, the sum of counts, and the last of other values.

        Raises:
            ValueError: The arrays are empty or differ in length; or an id, a value or a time is
                missing, not finite, or of the wrong type.
        """
        arrays = {"user": users, "item": items, "value": values, "time": times}
        columns = {role: array for role, array in arrays.items() if array is not None}
        return cls(**rows_of_columns(columns, titles=titles, duplicates=duplicates))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        user: str | int | None = None,
        item: str | int | None = None,
        value: str | int | None = None,
        time: str | int | None = None,
        time_unit: str | None = None,
        date_format: str | None = None,
        where: Mapping[str, Sequence[Any]] | None = None,
        event_weights: Mapping[str, Mapping[str, float]] | None = None,
        duplicates: str | None = None,
        drop_missing: bool = False,
    ) -> Interactions:
        """Creates a table from a data frame of pandas, or of any library whose frames have named columns.

        The rules are those of `kerasrec.read`.

        Args:
            frame: the data frame, one row for each interaction.
            user: name or number of the column of user ids. If omitted, the first column with a usual name; also for
                the others.
            item: name or number of the column of item ids.
            value: name or number of the column of ratings or counts. Without such a column, every value is 1.
            time: name or number of the column of times: numbers, dates, or dates as text.
            time_unit: unit of times that are numbers, as for `kerasrec.read`.
            date_format: format of dates as text, as for `datetime.strptime`: `"%d/%m/%Y %H:%M"`. If omitted, ISO.
            where: column → accepted values: `{"event": ["purchase"]}`.
            event_weights: column → event → value of its rows: `{"event": {"view": 1, "purchase": 10}}`.
            duplicates: value of a repeated pair, as for `from_arrays`.
            drop_missing: whether to drop the rows in which a field is missing.

        Raises:
            DataError: A column does not exist, or a cell is missing or invalid.
        """
        times = TimeFormat(time_unit, date_format)
        rules = RowRules(where or {}, event_weights or {}, duplicates, drop_missing)
        chosen = {"user": user, "item": item, "value": value, "time": time}
        columns, names = frame_columns(
            frame, {role: str(name) for role, name in chosen.items() if name is not None}, rules
        )
        return cls.from_columns("the frame", columns, names, times, rules)

    @classmethod
    def from_columns(
        cls,
        source: object,
        columns: Mapping[str, Any],
        names: Mapping[str, str],
        times: TimeFormat,
        rules: RowRules,
        dropped: Mapping[str, int] | None = None,
        from_text: bool = False,
    ) -> Interactions:
        """Creates a table from columns of pyarrow, for readers of file formats.

        Args:
            source: the file, for messages.
            columns: role, or the key of a column that a rule reads → column.
            names: the same keys → name of the column.
            times: the notation of times.
            rules: which rows count, and with which value.
            dropped: reason → rows of the source that are not in `columns`.
            from_text: whether ids are text that can be integers.

        Raises:
            DataError: A row is invalid. The message states the first one.
        """
        import pyarrow as pa

        dropped = dict(dropped or {})
        try:
            chosen, others = rules.apply(columns, from_text) if rules.are_active else (columns, {})
            return cls(
                **rows_of_columns(
                    chosen,
                    times=times,
                    duplicates=rules.merging,
                    names=rules.names_of_roles(names),
                    dropped=dropped | others,
                    from_text=from_text,
                )
            )
        except DataError as error:
            raise DataError(f"{source}: {error}") from None
        except ValueError as error:
            if isinstance(error, pa.ArrowException):
                raise
            raise data_error(source, columns, names, times, rules, error) from None

    @classmethod
    def from_histories(
        cls,
        histories: Sequence[Sequence[Any]],
        catalogue: Interactions,
        values: Sequence[Sequence[float]] | None = None,
        user_ids: Sequence[Any] | None = None,
    ) -> Interactions:
        """Creates a table with one row for each history, over the catalogue of another table.

        Ids outside the catalogue are ignored, as in an exported model. A history may be empty. If a
        history repeats an item, the table keeps its last value.

        Args:
            histories: lists of item ids, oldest first.
            catalogue: the table whose items are the columns; usually the training table.
            values: finite ratings, parallel to `histories`. If omitted, every value is 1.
            user_ids: ids of the users, for models with per-user weights. If omitted, users are
                numbered above the largest user id of `catalogue`: none of them is a training user.

        Raises:
            ValueError: A history is not a list or has ids of another type than the catalogue; `values`
                or `user_ids` are not parallel to `histories`; or a value is not finite.

        Example:
            >>> from kerasrec import Interactions
            >>> train = Interactions.from_arrays([1, 1, 2], [10, 20, 30])
            >>> Interactions.from_histories([[30, 10], [99]], train).counts
            array([2, 0])
        """
        n = len(histories)
        ids = unknown_user_ids(n, catalogue.user_ids) if user_ids is None else np.asarray(user_ids)
        check_parallel("histories", histories, user_ids=ids)
        indptr, items, item_values = rows_of_histories(histories, values, catalogue.item_ids)
        return cls(indptr, items, item_values, None, ids, catalogue.item_ids, catalogue.item_titles)

    @classmethod
    def from_matrix(cls, matrix: Any, user_ids: Any = None, item_ids: Any = None) -> Self:
        """Creates a table from a users × items matrix, with one interaction for each non-zero element.

        `row_counts` counts the stored elements. Elements that are stored but 0 are dropped.

        Args:
            matrix: `(n_users, n_items)` matrix or array of scipy.sparse in any format, or a numpy array.
            user_ids: `(n_users,)` distinct ids of the rows. If omitted, rows are numbered from 0.
            item_ids: `(n_items,)` distinct ids of the columns. If omitted, columns are numbered from 0.

        Raises:
            ValueError: `matrix` has not two dimensions or has an element that is not finite; or ids are
                not parallel to it, repeated, or invalid.

        Example:
            >>> import numpy as np
            >>> from kerasrec import Interactions
            >>> Interactions.from_matrix(np.eye(2), item_ids=["tea", "jam"]).matrix.toarray()
            array([[0., 1.],
                   [1., 0.]], dtype=float32)
        """
        return cls(**rows_of_matrix(matrix, user_ids, item_ids))

    @cached_property
    def T(self) -> Interactions:  # noqa: N802 (numpy's name)
        """The transposed table: its rows are items. It has no titles, since these belong to columns."""
        order = order_by_row(self.items, self.n_items)
        times = None if self.times is None else self.times[order]
        indptr = indptr_of(self.item_counts)
        return Interactions(indptr, self.users[order], self.values[order], times, self.item_ids, self.user_ids)

    def in_time_order(self, with_times: bool = True) -> Interactions:
        """Returns the table with each user's interactions in stable order of time; unchanged if it has no times.

        `with_times=False` leaves the times out of the result, which are half of its size.
        """
        order = None if self.times is None else time_order(self.indptr, self.times)
        table = self if with_times or self.times is None else self._copy(times=None)
        return table if order is None else table._take(order, row_counts=self.row_counts)

    def likes(self) -> Interactions:
        """Returns the table with every value set to 1."""
        return self if self.is_binary else self._copy(values=np.ones(len(self), np.float32))

    def at_least(self, value: float) -> Interactions:
        """Returns the interactions with a value of at least `value`, without users and items that have none left."""
        return self.select(self.values >= value)

    def core(self, users: int = 1, items: int = 1) -> Interactions:
        """Returns the users with at least `users` items and the items with at least `items` users.

        Removing users can leave an item with too few users, and the reverse, so both rules are
        applied until nothing changes: `core(5, 5)` is the 5-core.
        """
        table = self
        while True:
            mask = np.repeat(table.counts >= users, table.counts) & (table.item_counts >= items)[table.items]
            if mask.all():
                return table
            table = table.select(mask)

    def select(self, mask: BoolArray, compact: bool = True) -> Interactions:
        """Returns the interactions where `mask` is True.

        Args:
            mask: `(n,)` bool, parallel to `items`.
            compact: whether to drop the users and items that have no interactions left.
        """
        mask = as_mask(mask, len(self))
        counts = true_counts(self.indptr, mask)
        table = self._copy(row_counts=None) if mask.all() else self._take(mask, indptr=indptr_of(counts))
        if not compact:
            return table
        if not counts.all():
            table = table._copy(indptr=indptr_of(counts[counts > 0]), user_ids=self.user_ids[counts > 0])
        return table.without_bare_items()

    def take_users(self, rows: Sequence[int] | IntArray) -> Interactions:
        """Returns the given rows (numbers, not a mask) in the given order, over the same catalogue."""
        rows = as_rows(rows, self.n_users)
        entries, indptr = entries_of_rows(self.indptr, rows)
        return self._take(entries, indptr=indptr, user_ids=self.user_ids[rows])

    def without_bare_items(self) -> Interactions:
        """Returns the table without the items that have no interactions."""
        has_users = self.item_counts > 0
        return self if has_users.all() else self.with_catalogue(self.item_ids[has_users])

    def with_catalogue(self, item_ids: Array) -> Interactions:
        """Returns the table over another catalogue, without the interactions of items outside it.

        Args:
            item_ids: `(n_items,)` the new catalogue, ascending: another table's `item_ids`. Users
                without an interaction keep an empty row.

        Raises:
            ValueError: `item_ids` is not ascending or repeats an id.
        """
        item_ids = as_ascending(item_ids)
        items = lookup(item_ids, self.item_ids).astype(np.int32)[self.items]
        titles = None
        if self.item_titles is not None:
            columns = lookup(self.item_ids, item_ids)
            titles = np.where(columns >= 0, self.item_titles[columns], "")
        changes = {"item_ids": item_ids, "item_titles": titles}
        mask = items >= 0
        if mask.all():
            return self._copy(**changes, items=items, row_counts=None)
        return self._take(mask, **changes, items=items[mask], indptr=indptr_of(true_counts(self.indptr, mask)))

    def with_titles(self, titles: Mapping[Any, str]) -> Interactions:
        """Returns the table with titles of its items.

        Args:
            titles: item id, also as text → title. Other items have the title "".
        """
        texts = {str(item): title for item, title in titles.items()}
        return self._copy(item_titles=np.array([texts.get(str(item), "") for item in self.item_ids.tolist()]))

    def _take(self, positions: IntArray | BoolArray, **changes: Any) -> Interactions:
        """Returns a copy with the interactions at `positions` and with some of the constructor's arguments changed."""
        times = None if self.times is None else self.times[positions]
        entries = {"items": self.items[positions], "values": self.values[positions], "times": times, "row_counts": None}
        return self._copy(**{**entries, **changes})

    def _copy(self, **changes: Any) -> Interactions:
        """Returns a copy with some of the constructor's arguments changed."""
        names = (*CONTENT, "item_titles", "row_counts", "column_names")
        return Interactions(**{name: changes.get(name, getattr(self, name)) for name in names})
