"""Shards of users: tables that one worker processes in memory, and what is counted over all of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.row_counts import RowCounts
from kerasrec.data.rows import rows_of_columns
from kerasrec.data.text import as_integers
from kerasrec.data.times import TimeFormat
from kerasrec.types import Array, IntArray

N_QUANTILES = 200
"""Number of user ids of a shard from which the ranges of users are chosen."""

INTEGER_NOTATIONS = (frozenset({"1"}), frozenset({"1.0"}))
"""Text in one of these notations in all shards is converted to integers."""


@dataclass(frozen=True)
class Counts:
    """How many interactions each item has.

    Attributes:
        ids: `(n,)` item ids, ascending.
        counts: `(n,)` int64.
    """

    ids: Array
    counts: IntArray

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """Returns the sums of several counts."""
        parts = list(parts)
        ids, positions = np.unique(np.concatenate([part.ids for part in parts]), return_inverse=True)
        counts = np.zeros(len(ids), np.int64)
        np.add.at(counts, positions, np.concatenate([part.counts for part in parts]))
        return cls(ids, counts)


@dataclass(frozen=True)
class Summary:
    """What is counted over shards.

    Attributes:
        shards: numbers of the shards that have interactions.
        row_counts: what became of the events.
        items: the interactions of each item.
        user_quantiles: ids of users that divide the interactions of each shard into equal parts.
        user_notations: notations of the user ids in the shards; see `notation`.
        item_notations: the same for item ids.
    """

    shards: tuple[int, ...]
    row_counts: RowCounts
    items: Counts
    user_quantiles: Array
    user_notations: frozenset[str]
    item_notations: frozenset[str]

    @classmethod
    def total(cls, parts: Iterable[Summary]) -> Summary:
        """Returns the summary of all shards of several summaries."""
        parts = sorted(parts, key=lambda part: part.shards)
        filled = [part for part in parts if part.shards] or parts
        return cls(
            tuple(sorted(shard for part in parts for shard in part.shards)),
            total_row_counts(part.row_counts for part in parts),
            Counts.total(part.items for part in filled),
            np.concatenate([part.user_quantiles for part in filled]),
            frozenset().union(*(part.user_notations for part in filled)),
            frozenset().union(*(part.item_notations for part in filled)),
        )

    @property
    def users_are_integers(self) -> bool:
        """Whether user ids that are text are integers, as the readers of text decide it for all ids of a file."""
        return self.user_notations in INTEGER_NOTATIONS

    @property
    def items_are_integers(self) -> bool:
        """The same for item ids."""
        return self.item_notations in INTEGER_NOTATIONS


@dataclass(frozen=True)
class CoreItems:
    """The items that are left after some rounds of the k-core.

    Attributes:
        ids: `(n,)` item ids, ascending.
        sizes: the number of items before the first round and after each round.
    """

    ids: Array
    sizes: tuple[int, ...] = field(default=())

    @property
    def is_stable(self) -> bool:
        """Whether the last round removed no item, so that further rounds change nothing."""
        return len(self.sizes) > 1 and self.sizes[-1] == self.sizes[-2]


def total_row_counts(parts: Iterable[RowCounts]) -> RowCounts:
    """Returns the sums of several counts."""
    parts = list(parts)
    reasons = dict.fromkeys(reason for part in parts for reason in part.dropped)
    dropped = {reason: sum(part.dropped.get(reason, 0) for part in parts) for reason in reasons}
    duplicates = next((part.duplicates for part in parts if part.merged), "last")
    return RowCounts(sum(part.kept for part in parts), sum(part.merged for part in parts), dropped, duplicates)


def divided_by_user(table: Any, n_shards: int) -> Iterator[tuple[int, Any]]:
    """Yields the number of a shard and its rows of a table, for each shard. All rows of a user are in one shard.

    Args:
        table: table of pyarrow with the columns of `EventFormat.events`.
        n_shards: number of shards.
    """
    import pyarrow as pa

    encoded = table["user"].combine_chunks().dictionary_encode()
    shard_of_user = _hashes(encoded.dictionary.to_numpy(zero_copy_only=False)) % np.uint64(n_shards)
    shard = shard_of_user.astype(np.int64)[encoded.indices.to_numpy()]
    order = np.argsort(shard, kind="stable")
    bounds = np.searchsorted(shard[order], np.arange(n_shards + 1))
    for number in range(n_shards):
        rows = order[bounds[number] : bounds[number + 1]]
        if len(rows):
            yield number, table.take(pa.array(rows)).combine_chunks()


def _hashes(ids: Array) -> Any:
    """Returns a hash `(n,)` uint64 of each id, which is the same in all processes."""
    if ids.dtype.kind == "i":
        mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return mixed >> np.uint64(33)
    return np.array([zlib.crc32(text.encode()) for text in ids.tolist()], np.uint64)


def merged_shard(
    parts: Iterable[tuple[Any, Mapping[str, int]]], duplicates: str, min_value: float | None
) -> tuple[Interactions | None, RowCounts]:
    """Creates the table of a shard from its events.

    Args:
        parts: tables of pyarrow, or `None`, in any order; and the reason → number of rows that were dropped before.
        duplicates: how to merge rows of the same user and item.
        min_value: keep only the interactions with at least this value, each with the value 1.

    Returns:
        The interactions of each user in the order of the files, or `None` if there are none; and what became of the
        rows.
    """
    import pyarrow as pa

    tables, dropped = [], []
    for table, counts in parts:
        dropped.append(RowCounts(0, 0, counts))
        if table is not None:
            tables.append(table)
    before = total_row_counts(dropped)
    if not tables:
        return None, before
    try:
        events = pa.concat_tables(tables, promote_options="none").sort_by("position")
    except pa.ArrowInvalid:
        raise DataError(
            "expected ids of one type, got integers in some files and text in others. Fix: convert the ids"
        ) from None
    columns = {role: events[role] for role in events.column_names if role != "position"}
    shard = Interactions(**rows_of_columns(columns, times=TimeFormat("s"), duplicates=duplicates))
    assert shard.row_counts is not None  # noqa: S101
    row_counts = shard.row_counts
    reasons = dict(before.dropped)
    if min_value is not None:
        likes = shard.at_least(min_value)
        reasons[f"value below {min_value:g}"] = len(shard) - len(likes)
        shard = likes.likes()
    return shard if len(shard) else None, replace(row_counts, kept=len(shard), dropped=reasons)


def summary_of(number: int, shard: Interactions | None, row_counts: RowCounts, from_text: bool) -> Summary:
    """Returns the summary of one shard.

    Args:
        number: number of the shard.
        shard: its table, or `None` if it is empty.
        row_counts: what became of its events.
        from_text: whether ids are text that can be integers.
    """
    if shard is None:
        none = Counts(np.array([], np.int64), np.array([], np.int64))
        return Summary((), row_counts, none, np.array([]), frozenset(), frozenset())
    places = np.searchsorted(shard.indptr, np.linspace(0, len(shard) - 1, N_QUANTILES), side="right") - 1
    return Summary(
        (number,),
        row_counts,
        Counts(shard.item_ids, shard.item_counts),
        shard.user_ids[np.unique(places)],
        frozenset({notation(shard.user_ids) if from_text else "as stored"}),
        frozenset({notation(shard.item_ids) if from_text else "as stored"}),
    )


def notation(ids: Array) -> str:
    """Returns "1" or "1.0" if all ids, which are text, can be integers in this notation; otherwise "text"."""
    import pyarrow as pa

    if not pa.types.is_int64(as_integers(pa.array(ids)).type):
        return "text"
    return "1.0" if any(text.endswith(".0") for text in ids.tolist()) else "1"


def plain_integers(ids: Array, name: str) -> Array:
    """Converts ids that are text to integers.

    Raises:
        DataError: An id is missing, for example "NA", and all others are integers.
    """
    import pyarrow as pa

    integers = as_integers(pa.array(ids))
    if integers.null_count:
        missing = ids[int(np.argmax(integers.is_null().to_numpy(zero_copy_only=False)))]
        raise DataError(
            f"expected ids of {name}, got a missing one ({missing.item()!r}). Fix: fill it in, or pass `drop_missing`"
        )
    result: Array = integers.to_numpy()
    return result


def with_integer_ids(shard: Interactions, users: bool, items: bool) -> Interactions:
    """Returns a table in which ids that are text are integers.

    Args:
        shard: the table.
        users: whether to convert the ids of users.
        items: whether to convert the ids of items.
    """
    if items:
        item_ids = plain_integers(shard.item_ids, "items")
        order = np.argsort(item_ids)
        columns = np.empty(len(order), np.int32)
        columns[order] = np.arange(len(order))
        items_of_entries = columns[shard.items]
        shard = Interactions(shard.indptr, items_of_entries, shard.values, shard.times, shard.user_ids, item_ids[order])
    if users:
        user_ids = plain_integers(shard.user_ids, "users")
        shard = Interactions(shard.indptr, shard.items, shard.values, shard.times, user_ids, shard.item_ids)
        shard = shard.take_users(np.argsort(user_ids))
    return shard


def core_counts(shard: Interactions, items: Array, min_items: int) -> IntArray:
    """Returns how many users of a shard have each item, among the users with enough of the items.

    Args:
        shard: the table.
        items: `(n_items,)` ids of the items that are left.
        min_items: the number of items that a user needs.

    Returns:
        `(n_items,)` int64.
    """
    return _core_rows(shard, items, min_items).item_counts


def _core_rows(shard: Interactions, items: Array, min_items: int) -> Interactions:
    table = shard.with_catalogue(items)
    return table.take_users(np.flatnonzero(table.counts >= max(min_items, 1)))


def divided_by_range(
    shard: Interactions, items: Array, min_items: int, boundaries: Array
) -> Iterator[tuple[int, dict[str, Array | None]]]:
    """Yields the number of a range of user ids and the rows of the shard in it, in time order.

    Args:
        shard: the table.
        items: `(n_items,)` the catalogue.
        min_items: the number of items that a user needs.
        boundaries: the lowest user id of each range but the first one.
    """
    table = _core_rows(shard, items, min_items).in_time_order()
    ranges = np.searchsorted(boundaries, table.user_ids, side="right")
    for number in np.unique(ranges).tolist():
        part = table.take_users(np.flatnonzero(ranges == number))
        values = None if part.is_binary else np.asarray(part.values)
        yield (
            number,
            {
                "user_ids": part.user_ids,
                "counts": part.counts,
                "items": part.items,
                "values": values,
                "times": part.times,
            },
        )


def joined_rows(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the rows of several shards in the order of the user ids, in the form of `divided_by_range`."""
    parts = list(parts)
    user_ids, counts, items = (
        np.concatenate([part[name] for part in parts]) for name in ("user_ids", "counts", "items")
    )
    times = None if parts[0]["times"] is None else np.concatenate([part["times"] for part in parts])
    is_binary = all(part["values"] is None for part in parts)
    ones = np.broadcast_to(np.float32(1), len(items))
    values = np.concatenate([ones[: len(p["items"])] if p["values"] is None else p["values"] for p in parts])
    # The catalogue has no effect here.
    table = Interactions(np.append(0, np.cumsum(counts)), items, values, times, user_ids, item_ids=user_ids)
    table = table.take_users(np.argsort(user_ids))
    columns = {"user_ids": table.user_ids, "counts": table.counts, "items": table.items, "times": table.times}
    return {**columns, "values": None if is_binary else table.values}


def range_boundaries(user_quantiles: Array, n_ranges: int) -> Array:
    """Returns the lowest user id of each range but the first one, for ranges with about as many interactions each."""
    ids = np.sort(user_quantiles)
    return np.unique(ids[np.arange(1, n_ranges) * len(ids) // n_ranges])
