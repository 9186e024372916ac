"""Shards of users, and what is counted over them. Nothing here needs Apache Beam."""

import numpy as np
import pyarrow as pa
import pytest

from kerasrec import DataError, Interactions
from kerasrec.beam.shards import (
    Counts,
    divided_by_range,
    divided_by_user,
    joined_rows,
    merged_shard,
    plain_integers,
    range_boundaries,
    summary_of,
    with_integer_ids,
)


def events(n=300, as_text=False, seed=0):
    rng = np.random.default_rng(seed)
    ids = {"user": rng.integers(0, 40, n), "item": rng.integers(0, 15, n)}
    columns = {role: pa.array(map(str, column)) if as_text else pa.array(column) for role, column in ids.items()}
    times = 10**9 + rng.integers(0, 50, n)
    return pa.table({**columns, "value": rng.random(n, np.float32), "time": times, "position": np.arange(n)})


def table_of(rows):
    return Interactions.from_arrays(rows["user"], rows["item"], rows["value"], rows["time"], duplicates="last")


@pytest.mark.parametrize("as_text", [False, True])
def test_all_events_of_a_user_are_in_one_shard(as_text):
    rows = events(as_text=as_text)
    shards = dict(divided_by_user(rows, 4))
    assert len(shards) > 2
    assert sum(map(len, shards.values())) == len(rows)
    users = [set(shard["user"].to_pylist()) for shard in shards.values()]
    assert len(set.union(*users)) == sum(map(len, users))


def test_merging_does_not_depend_on_the_order_of_the_parts():
    rows = events()
    parts = [(rows.slice(200), {"empty": 2}), (None, {"empty": 1}), (rows.slice(0, 200), {})]
    shard, row_counts = merged_shard(parts, "last", None)
    assert shard == table_of(rows)
    assert row_counts.read == 303
    likes, row_counts = merged_shard(parts, "last", 0.5)
    assert likes == table_of(rows).at_least(0.5).likes()
    assert row_counts.dropped == {"empty": 3, "value below 0.5": len(shard) - len(likes)}
    assert merged_shard(parts, "last", 2.0)[0] is None


def test_files_with_ids_of_different_types_are_an_error():
    with pytest.raises(DataError, match="expected ids of one type, got integers in some files and text in others"):
        merged_shard([(events(), {}), (events(as_text=True), {})], "last", None)


def test_ranges_of_all_shards_are_the_table_in_the_order_of_users_and_times():
    rows = events()
    whole = table_of(rows).in_time_order()
    shards = [merged_shard([(part, {})], "last", None) for _, part in divided_by_user(rows, 3)]
    boundaries = range_boundaries(np.concatenate([summary_of(0, *shard, False).user_quantiles for shard in shards]), 4)
    assert len(boundaries) == 3
    ranges = {}
    for shard, _ in shards:
        for number, part in divided_by_range(shard, whole.item_ids, 1, boundaries):
            ranges.setdefault(number, []).append(part)
    parts = [joined_rows(ranges[number]) for number in sorted(ranges)]
    for name in ("user_ids", "counts", "items", "values", "times"):
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), getattr(whole, name))


def test_counts_are_added_by_id():
    total = Counts.total(
        [Counts(np.array(["a", "c"]), np.array([1, 2])), Counts(np.array(["bb", "c"]), np.array([3, 4]))]
    )
    assert dict(zip(total.ids.tolist(), total.counts.tolist(), strict=True)) == {"a": 1, "bb": 3, "c": 6}


def test_text_becomes_integers_if_that_loses_nothing_in_any_shard():
    shards = [Interactions.from_arrays(users, ["2", "10"]) for users in (["10", "9"], ["7", "x"])]
    total = type(summary_of(0, None, None, True)).total(
        [summary_of(n, shard, merged_shard([], "last", None)[1], True) for n, shard in enumerate(shards)]
    )
    assert (total.users_are_integers, total.items_are_integers) == (False, True)
    converted = with_integer_ids(shards[0], users=True, items=True)
    assert converted == Interactions.from_arrays([10, 9], [2, 10])
    with pytest.raises(DataError, match="expected ids of users, got a missing one"):
        plain_integers(np.array(["1", "NA"]), "users")
