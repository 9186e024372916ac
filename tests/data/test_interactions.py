import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions, lookup


def random_arrays(seed, n=400, n_users=20, n_items=15, n_times=8):
    """Arrays full of repeated pairs and of ties in time."""
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, n_users, n) * 7,
        rng.integers(0, n_items, n) + 3,
        rng.integers(1, 6, n),
        rng.integers(0, n_times, n),
    )


def rows_of(table):
    """User id → list of (item id, value, time)."""
    times = [None] * len(table) if table.times is None else table.times.tolist()
    rows = {}
    for user, item, value, time in zip(table.users, table.items, table.values.tolist(), times, strict=True):
        rows.setdefault(table.user_ids[user].item(), []).append((table.item_ids[item].item(), value, time))
    return rows


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("timed", [True, False])
def test_from_arrays_equals_a_loop(seed, timed):
    users, items, values, times = random_arrays(seed)
    times = times if timed else [None] * len(users)
    last = {}
    for at, (user, item, time) in enumerate(zip(users, items, times, strict=True)):
        if (user, item) not in last or not timed or time >= times[last[user, item]]:
            last[user, item] = at
    expected = {}
    for at in sorted(last.values()):
        time = int(times[at]) if timed else None
        expected.setdefault(int(users[at]), []).append((int(items[at]), float(values[at]), time))

    table = Interactions.from_arrays(users, items, values, times if timed else None)
    assert rows_of(table) == expected
    assert table.duplicates == len(users) - len(last)
    assert table.user_ids.tolist() == sorted(set(users.tolist()))
    assert table.item_ids.tolist() == sorted(set(items.tolist()))


def test_shapes_counts_and_types():
    table = Interactions.from_arrays(["b", "a", "b"], [9, 9, 4], [5, 0, 3], [30, 20, 10], {9: "Nine"})
    assert table.shape == (2, 2) and len(table) == 3
    assert table.user_ids.tolist() == ["a", "b"] and table.item_ids.tolist() == [4, 9]
    assert table.row(1).tolist() == [1, 0], "the order of the file, not of time or id"
    assert table.counts.tolist() == [1, 2] and table.item_counts.tolist() == [1, 2]
    assert table.item_titles.tolist() == ["", "Nine"]
    assert table.density == 0.75
    assert (table.items.dtype, table.values.dtype, table.times.dtype) == (np.int32, np.float32, np.int64)
    assert table.matrix.nnz == 3, "a rating of 0 is a rating"
    assert "2 users × 2 items, 3 interactions" in repr(table)


def test_is_immutable_and_leaves_the_callers_arrays_alone():
    values = np.array([1.0, 2.0], np.float32)
    table = Interactions.from_arrays([1, 2], [1, 1], values)
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 9
    values[0] = 7
    assert table.values.tolist() == [1, 2]


@pytest.mark.parametrize(
    "ids",
    [
        ["a", "b", "a"],
        np.array(["a", "b", "a"]),
        np.array([b"a", b"b", b"a"]),
        np.array(["a", "b", "a"], dtype=object),
        pd.Series(["a", "b", "a"]),
        pd.Series(["a", "b", "a"], dtype="category"),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.chunked_array([["a"], ["b", "a"]], pa.large_string()),
    ],
    ids=lambda ids: f"{type(ids).__name__}-{getattr(ids, 'dtype', getattr(ids, 'type', ''))}",
)
def test_string_ids(ids):
    table = Interactions.from_arrays(ids, [1, 2, 3])
    assert table.user_ids.tolist() == ["a", "b"] and table.user_ids.dtype.kind == "U"
    assert table.users.tolist() == [0, 0, 1] and table.item_ids[table.items].tolist() == [1, 3, 2]


@pytest.mark.parametrize(
    "ids",
    [
        [10**12, 5, 5],
        np.array([1e12, 5, 5]),
        np.array([10**12, 5, 5], np.uint64),
        pd.Series([10**12, 5, 5], dtype="Int64"),
        pa.array([10**12, 5, 5]),
    ],
    ids=lambda ids: f"{type(ids).__name__}-{getattr(ids, 'dtype', getattr(ids, 'type', ''))}",
)
def test_integer_ids(ids):
    table = Interactions.from_arrays(ids, ["x", "x", "y"])
    assert table.user_ids.tolist() == [5, 10**12] and table.user_ids.dtype == np.int64


@pytest.mark.parametrize("arguments, message", [
    (([], []), "no interactions: `users` is empty"),
    (([1, 2], [1]), "`items` has 1 entries, `users` has 2: they must be parallel"),
    (([1, 2], [1, 2], [1]), "`values` has 1 entries"),
    (([1, 2], [1, 2], None, [1]), "`times` has 1 entries"),
    ((["a", None], [1, 2]), "`users` holds no id at position 1"),
    ((["a", float("nan")], [1, 2]), "`users` holds no id at position 1"),
    ((np.array(["a", np.nan], object), [1, 2]), "`users` holds no id at position 1"),
    (([1.0, np.nan], [1, 2]), "`users` holds no id at position 1"),
    (([2**70, 1], [1, 2]), f"`users` holds the id {2**70}, which is no 64-bit integer: rename it"),
    (([1, 2], np.array([1, -(2**70)])), f"`items` holds the id {-(2**70)}, which is no 64-bit integer"),
    (([1, np.uint64(2**63)], [1, 2]), f"`users` holds the id {2**63}, which is no 64-bit integer"),
    (([1, 2], [1.5, 2.0]), "`items` holds an id that is no 64-bit integer"),
    (([1, 2], np.array([np.inf, 2.0])), "`items` holds an id that is no 64-bit integer"),
    ((np.array([2**63], np.uint64), [1]), "`users` holds an id that is no 64-bit integer"),
    (([1, "a"], [1, 2]), "mixes integers, strings"),
    (([True, False], [1, 2]), "must be integers or strings, not bool"),
    ((["a", ""], [1, 2]), "`users` holds the id '', which is taken for padding"),
    (([1, 2], [-1, 2]), "`items` holds the id -1, which is taken for padding"),
    (([1, 2], [1, 2], [1.0, np.nan]), "`values` holds nan at position 1"),
    (([1, 2], [1, 2], [np.inf, 1.0]), "`values` holds inf at position 0"),
    (([1, 2], [1, 2], [1, 1e300]), r"`values` holds 1e\+300 at position 1, which is .* too large for float32: drop"),
    (([1, 2], [1, 2], [1, 10**400]), "`values` must be numbers of at most 64 bits"),
    (([1, 2], [1, 2], ["x", "y"]), "`values` must be numbers"),
    (([1, 2], [1, 2], None, [1.0, np.nan]), "`times` holds nan at position 1"),
    (([1, 2], [1, 2], None, [1.0, 1e30]), r"`times` holds 1e\+30 at position 1, which is .* too large for int64: drop"),
    (([1, 2], [1, 2], None, [-1e30, 1.0]), r"`times` holds -1e\+30 at position 0"),
    (([1, 2], [1, 2], None, [1, 2**70]), r"`times` holds 1\.18\d+e\+21 at position 1"),
    (([1, 2], [1, 2], None, np.array([1, 2**63], np.uint64)), f"`times` holds {2**63} at position 1"),
    (([1, 2], [1, 2], None, np.array(["2001-01-01", "NaT"], "M8[D]")), "`times` holds nan at position 1"),
])  # fmt: skip
def test_bad_arrays(arguments, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_arrays(*arguments)


@pytest.mark.parametrize("times", [
    [2**63 - 1, -(2**63)], np.array([2**63 - 1, 0], np.uint64), np.array([255, 0], np.uint8), np.float16([9, -9.0]),
    [True, False], [np.nextafter(2.0**63, 0), -9.9],
], ids=str)  # fmt: skip
def test_times_that_just_fit(times):
    assert Interactions.from_arrays([1, 2], [1, 2], times=times).times.tolist() == [int(time) for time in times]


def test_dates_become_seconds():
    days = np.array(["1970-01-02", "2001-09-09"], "M8[D]")
    assert Interactions.from_arrays([1, 2], [1, 2], times=days).times.tolist() == [86_400, 999_993_600]
    frame = pd.DataFrame({"user": [1], "item": [2], "when": [datetime.datetime(1970, 1, 1, 0, 1)]})
    assert Interactions.from_frame(frame, time="when").times.tolist() == [60]


def test_from_frame():
    frame = pd.DataFrame({"u": ["x", "y"], "i": [1, 1], "r": [2.5, 4]})
    table = Interactions.from_frame(frame, "u", "i", "r")
    assert table.user_ids.tolist() == ["x", "y"] and table.values.tolist() == [2.5, 4]
    assert Interactions.from_frame(frame, "u", "i").is_binary
    with pytest.raises(DataError, match="the frame has no column of users .* its columns are u, i, r: name one"):
        Interactions.from_frame(frame)
    with pytest.raises(DataError, match="the frame has several columns 'user': rename all but one"):
        Interactions.from_frame(pd.DataFrame([[1, 2, 3]], columns=["user", "user", "item"]))
    with pytest.raises(DataError, match="a data frame is due, not dict"):
        Interactions.from_frame({"user": [1]})


def test_a_frame_is_read_as_a_file_is():
    frame = pd.DataFrame({"userId": [7, 8], "movieId": ["a", "b"], "rating": [2.5, 4], "other": ["?", "!"]})
    seconds = [1_000_000_000, 1_000_000_001]
    dates = pd.to_datetime(seconds, unit="s")
    for times in (dates, dates.tz_localize("UTC").tz_convert("Asia/Tokyo"), dates.astype(str)):
        table = Interactions.from_frame(frame.assign(timestamp=times))
        assert table.values.tolist() == [2.5, 4] and table.times.tolist() == seconds
    with pytest.raises(DataError, match="`time_unit` must be one of s, ms, us, ns, not 'h'"):
        Interactions.from_frame(frame, time_unit="h")
    milliseconds = Interactions.from_frame(frame.assign(timestamp=[s * 1000 for s in seconds]), time_unit="ms")
    assert milliseconds.times.tolist() == seconds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rating": ["good", "bad"]}, "the frame, row 1, column rating .value.: 'good' is not a number"),
        ({"timestamp": [10**12, 10**12]}, "row 1, column timestamp .time.: .* say time_unit='ms'"),
        ({"timestamp": pd.to_datetime(["2001-01-01", None])}, "row 2, column timestamp .time.: it is missing"),
        ({"userId": [7, None]}, "row 2, column userId .user.: it is missing"),
        ({"userId": [7, "x"]}, "the frame, column userId .user.: it mixes"),
    ],
)
def test_bad_content_of_a_frame_is_told_with_its_row(change, message):
    frame = pd.DataFrame({"userId": [7, 8], "movieId": ["a", "b"], "rating": [2.5, 4]})
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame.assign(**change))


@pytest.mark.parametrize("seed", range(3))
def test_time_order_is_stable_and_done_once(seed):
    table = Interactions.from_arrays(*random_arrays(seed))
    ordered = table.in_time_order()
    assert rows_of(ordered) == {u: sorted(row, key=lambda entry: entry[2]) for u, row in rows_of(table).items()}
    assert ordered.in_time_order() is ordered
    untimed = Interactions.from_arrays([1], [1])
    assert untimed.in_time_order() is untimed


def test_transpose():
    table = Interactions.from_arrays(*random_arrays(0))
    assert (table.T.matrix.toarray() == table.matrix.toarray().T).all()
    assert table.T.user_ids.tolist() == table.item_ids.tolist()
    assert (table.T.T.matrix != table.matrix).nnz == 0
    assert sorted(table.T.times.tolist()) == sorted(table.times.tolist())


def test_thresholds_and_likes():
    table = Interactions.from_arrays([1, 1, 2, 3], [5, 6, 5, 7], [4, 3, 5, 1])
    liked = table.at_least(4)
    assert rows_of(liked) == {1: [(5, 4, None)], 2: [(5, 5, None)]}
    assert liked.item_ids.tolist() == [5] and not liked.is_binary
    assert liked.likes().is_binary and liked.likes().likes().is_binary


def brute_core(pairs, users, items):
    while True:
        as_user_model = {u: sum(p[0] == u for p in pairs) for u, _ in pairs}
        by_item = {i: sum(p[1] == i for p in pairs) for _, i in pairs}
        kept = {(u, i) for u, i in pairs if as_user_model[u] >= users and by_item[i] >= items}
        if kept == pairs:
            return pairs
        pairs = kept


@pytest.mark.parametrize("seed", range(5))
def test_core_equals_a_loop(seed):
    rng = np.random.default_rng(seed)
    pairs = {(int(u), int(i)) for u, i in zip(rng.integers(0, 30, 90), rng.integers(0, 20, 90), strict=True)}
    users, items = zip(*sorted(pairs), strict=True)
    core = Interactions.from_arrays(users, items).core(3, 4)
    expected = brute_core(pairs, 3, 4)
    assert {(u, i) for u, row in rows_of(core).items() for i, _, _ in row} == expected
    assert core.n_users == len({u for u, _ in expected}) and core.n_items == len({i for _, i in expected})


def test_take_users_keeps_columns_and_order():
    table = Interactions.from_arrays([1, 1, 2, 3], [5, 6, 5, 7], titles={5: "five"})
    taken = table.take_users([2, 0, 2])
    assert taken.user_ids.tolist() == [3, 1, 3] and taken.n_items == 3
    assert [taken.row(u).tolist() for u in range(3)] == [[2], [0, 1], [2]]
    assert taken.item_titles.tolist() == ["five", "", ""]


def test_another_catalogue():
    table = Interactions.from_arrays([1, 1, 2, 3], [5, 6, 5, 7], [1, 2, 3, 4], [9, 8, 7, 6], {5: "five", 7: "seven"})
    other = table.with_catalogue(np.array([4, 5, 7]))
    assert rows_of(other) == {1: [(5, 1, 9)], 2: [(5, 3, 7)], 3: [(7, 4, 6)]}
    assert other.item_titles.tolist() == ["", "five", "seven"]
    bare = table.with_catalogue(np.array([6]))
    assert bare.counts.tolist() == [1, 0, 0], "users with nothing left keep an empty row"
    with pytest.raises(ValueError, match="`item_ids` must be ascending and distinct"):
        table.with_catalogue(np.array([7, 5]))


def test_select_with_and_without_bare_rows():
    table = Interactions.from_arrays([1, 1, 2], [5, 6, 7])
    keep = np.array([True, False, False])
    assert table.select(keep).shape == (1, 1)
    assert table.select(keep, compact=False).shape == (2, 3)
    assert "empty" in repr(table.select(np.zeros(3, bool), compact=False))


def test_lookup():
    assert lookup(np.array([3, 5, 9]), np.array([9, 4, 3, 10])).tolist() == [2, -1, 0, -1]
    assert lookup(np.array(["a", "c"]), np.array(["c", "b"])).tolist() == [1, -1]
    assert lookup(np.array([3, 5]), np.array(["3"])).tolist() == [-1]
    assert lookup(np.array([], np.int64), np.array([1])).tolist() == [-1]


def test_histories_of_another_kind_of_id_are_refused():
    numbered = Interactions.from_arrays([1, 1], [10, 20])
    with pytest.raises(ValueError, match="history 1 holds '10', but the item ids of this catalogue are integers"):
        Interactions.from_histories([[10], ["10"]], numbered)
    named = Interactions.from_arrays([1, 1], ["a", "b"])
    with pytest.raises(ValueError, match="history 0 holds 3, but the item ids of this catalogue are strings"):
        Interactions.from_histories([[3]], named)
    with pytest.raises(ValueError, match="history 1 is 20: give a list of item ids for each user"):
        Interactions.from_histories([[10], 20], numbered)


@pytest.mark.parametrize("values, message", [
    ([[3], [4, float("nan")]], r"`values\[1\]` holds nan at position 1, which is not finite"),
    ([[float("inf")], [4, 5]], r"`values\[0\]` holds inf at position 0"),
    ([["x"], [4, 5]], r"`values\[0\]` must be numbers"),
    ([[3]], "`values` has 1 entries for 2 histories: give one each"),
    ([[3], [4, 5], [6]], "`values` has 3 entries for 2 histories: give one each"),
    ([[3], [4]], "history 1 has 2 items but 1 values: give one each"),
])  # fmt: skip
def test_histories_with_bad_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_histories([[10], [20, 99]], Interactions.from_arrays([1, 1], [10, 20]), values)
