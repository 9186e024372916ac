import datetime

import numpy as np
import pandas as pd
import pytest

from kerasrec.data import DataError, Interactions


def random_arrays(seed, n=400, n_users=20, n_items=15, n_times=8):
    """Arrays with many repeated pairs and equal times."""
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
    latest = {}
    for position, (user, item, time) in enumerate(zip(users, items, times, strict=True)):
        if (user, item) not in latest or not timed or time >= times[latest[user, item]]:
            latest[user, item] = position
    expected = {}
    for position in sorted(latest.values()):
        time = int(times[position]) if timed else None
        expected.setdefault(int(users[position]), []).append((int(items[position]), float(values[position]), time))

    table = Interactions.from_arrays(users, items, values, times if timed else None)
    assert rows_of(table) == expected
    assert table.row_counts.merged == len(users) - len(latest)
    assert table.user_ids.tolist() == sorted(set(users.tolist()))
    assert table.item_ids.tolist() == sorted(set(items.tolist()))


def test_shapes_counts_and_types():
    table = Interactions.from_arrays(["b", "a", "b"], [9, 9, 4], [5, 0, 3], [30, 20, 10], {9: "Nine"})
    assert table.shape == (2, 2)
    assert len(table) == 3
    assert table.user_ids.tolist() == ["a", "b"]
    assert table.item_ids.tolist() == [4, 9]
    assert table.row(1).tolist() == [1, 0], "rows have the order of the input, not of time or id"
    assert table.counts.tolist() == [1, 2]
    assert table.item_counts.tolist() == [1, 2]
    assert table.users.tolist() == [0, 1, 1]
    assert table.places.tolist() == [0, 0, 1]
    assert table.item_titles.tolist() == ["", "Nine"]
    assert table.density == 0.75
    assert (table.items.dtype, table.values.dtype, table.times.dtype) == (np.int32, np.float32, np.int64)
    assert table.matrix.nnz == 3, "a rating of 0 is a rating"


def test_a_table_is_immutable_and_independent_of_the_arrays_it_was_created_from():
    values = np.array([1.0, 2.0], np.float32)
    table = Interactions.from_arrays([1, 2], [1, 1], values)
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 9
    values[0] = 7
    assert table.values.tolist() == [1, 2]


def test_user_and_item_ids_can_have_different_types():
    table = Interactions.from_arrays(["a", "b", "a"], [1, 2, 3])
    assert table.user_ids.tolist() == ["a", "b"]
    assert table.users.tolist() == [0, 0, 1]
    assert table.item_ids[table.items].tolist() == [1, 3, 2]


@pytest.mark.parametrize("arguments, message", [
    (([], []), "expected at least one interaction, got empty arrays. Fix: "),
    (([1, 2], [1]), "expected `items` with 2 entries, one for each of `users`, got 1. Fix: "),
    (([1, 2], [1, 2], [1]), "expected `values` with 2 entries"),
    (([1, 2], [1, 2], None, [1]), "expected `times` with 2 entries"),
    ((["a", None], [1, 2]), "expected an id in `users` at position 1"),
    (([1, 2], [1.5, 2.0]), "expected 64-bit integers in `items`"),
    (([1, 2], [1, 2], [1.0, np.nan]), "in `values`, got nan at position 1"),
    (([1, 2], [1, 2], None, [1.0, np.nan]), "in `times`, got nan at position 1"),
])  # fmt: skip
def test_invalid_arrays_are_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_arrays(*arguments)


def test_dates_become_seconds():
    days = np.array(["1970-01-02", "2001-09-09"], "M8[D]")
    assert Interactions.from_arrays([1, 2], [1, 2], times=days).times.tolist() == [86_400, 999_993_600]
    frame = pd.DataFrame({"user": [1], "item": [2], "when": [datetime.datetime(1970, 1, 1, 0, 1)]})
    assert Interactions.from_frame(frame, time="when").times.tolist() == [60]


def test_from_frame_with_named_columns():
    frame = pd.DataFrame({"u": ["x", "y"], "i": [1, 1], "r": [2.5, 4]})
    table = Interactions.from_frame(frame, "u", "i", "r")
    assert table.user_ids.tolist() == ["x", "y"]
    assert table.values.tolist() == [2.5, 4]
    assert Interactions.from_frame(frame, "u", "i").is_binary
    with pytest.raises(DataError, match="the frame: expected a column of user ids .*, got the columns u, i, r. Fix"):
        Interactions.from_frame(frame)
    with pytest.raises(DataError, match="the frame: expected one column 'user', got 2. Fix: rename all but one"):
        Interactions.from_frame(pd.DataFrame([[1, 2, 3]], columns=["user", "user", "item"]))
    with pytest.raises(DataError, match="expected a data frame, got dict. Fix: pass arrays to `Interactions.from"):
        Interactions.from_frame({"user": [1]})


def test_a_frame_is_read_like_a_file():
    frame = pd.DataFrame({"userId": [7, 8], "movieId": ["a", "b"], "rating": [2.5, 4], "other": ["?", "!"]})
    seconds = [1_000_000_000, 1_000_000_001]
    dates = pd.to_datetime(seconds, unit="s")
    for times in (dates, dates.tz_localize("UTC").tz_convert("Asia/Tokyo"), dates.astype(str)):
        table = Interactions.from_frame(frame.assign(timestamp=times))
        assert table.values.tolist() == [2.5, 4]
        assert table.times.tolist() == seconds
    with pytest.raises(DataError, match="expected `time_unit` to be one of s, ms, us, ns, got 'h'"):
        Interactions.from_frame(frame, time_unit="h")
    milliseconds = Interactions.from_frame(frame.assign(timestamp=[s * 1000 for s in seconds]), time_unit="ms")
    assert milliseconds.times.tolist() == seconds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rating": ["good", "bad"]}, "the frame, row 1, column rating .value.: expected a number, got 'good'"),
        ({"timestamp": [10**9, 10**12]}, "row 2, column timestamp .time.: .* pass time_unit='ms'"),
        ({"timestamp": pd.to_datetime(["2001-01-01", None])}, "row 2, column timestamp .time.: .* got a missing one"),
        ({"userId": [7, None]}, "row 2, column userId .user.: expected an id, got a missing one"),
        ({"userId": [7, "x"]}, "the frame, column userId .user.: expected one type .*, got a mixture of types"),
    ],
)
def test_an_error_in_a_frame_states_the_row_and_the_column(change, message):
    frame = pd.DataFrame({"userId": [7, 8], "movieId": ["a", "b"], "rating": [2.5, 4]})
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame.assign(**change))


@pytest.mark.parametrize("seed", range(3))
def test_time_order_is_stable(seed):
    table = Interactions.from_arrays(*random_arrays(seed))
    ordered = table.in_time_order()
    assert rows_of(ordered) == {u: sorted(row, key=lambda entry: entry[2]) for u, row in rows_of(table).items()}
    assert ordered.in_time_order() is ordered, "an ordered table is not copied"
    untimed = Interactions.from_arrays([1], [1])
    assert untimed.in_time_order() is untimed


def test_the_transposed_table_has_items_as_rows():
    table = Interactions.from_arrays(*random_arrays(0))
    assert (table.T.matrix.toarray() == table.matrix.toarray().T).all()
    assert table.T.user_ids.tolist() == table.item_ids.tolist()
    assert (table.T.T.matrix != table.matrix).nnz == 0
    assert sorted(table.T.times.tolist()) == sorted(table.times.tolist())


def test_at_least_drops_low_values_and_likes_sets_all_values_to_one():
    table = Interactions.from_arrays([1, 1, 2, 3], [5, 6, 5, 7], [4, 3, 5, 1])
    high = table.at_least(4)
    assert rows_of(high) == {1: [(5, 4, None)], 2: [(5, 5, None)]}
    assert high.item_ids.tolist() == [5]
    assert not high.is_binary
    assert high.likes().is_binary
    assert high.likes().likes().is_binary


def core_of_pairs(pairs, users, items):
    while True:
        items_of_user = {u: sum(p[0] == u for p in pairs) for u, _ in pairs}
        users_of_item = {i: sum(p[1] == i for p in pairs) for _, i in pairs}
        remaining = {(u, i) for u, i in pairs if items_of_user[u] >= users and users_of_item[i] >= items}
        if remaining == pairs:
            return pairs
        pairs = remaining


@pytest.mark.parametrize("seed", range(5))
def test_core_equals_a_loop(seed):
    rng = np.random.default_rng(seed)
    pairs = {(int(u), int(i)) for u, i in zip(rng.integers(0, 30, 90), rng.integers(0, 20, 90), strict=True)}
    users, items = zip(*sorted(pairs), strict=True)
    core = Interactions.from_arrays(users, items).core(3, 4)
    expected = core_of_pairs(pairs, 3, 4)
    assert {(u, i) for u, row in rows_of(core).items() for i, _, _ in row} == expected
    assert core.n_users == len({u for u, _ in expected})
    assert core.n_items == len({i for _, i in expected})


def test_take_users_keeps_the_catalogue_and_the_order_of_the_rows():
    table = Interactions.from_arrays([1, 1, 2, 3], [5, 6, 5, 7], titles={5: "five"})
    taken = table.take_users([2, 0, 2])
    assert taken.user_ids.tolist() == [3, 1, 3]
    assert taken.n_items == 3
    assert [taken.row(u).tolist() for u in range(3)] == [[2], [0, 1], [2]]
    assert taken.item_titles.tolist() == ["five", "", ""]


def test_another_catalogue_drops_items_and_adds_empty_columns():
    table = Interactions.from_arrays([1, 1, 2, 3], [5, 6, 5, 7], [1, 2, 3, 4], [9, 8, 7, 6], {5: "five", 7: "seven"})
    other = table.with_catalogue(np.array([4, 5, 7]))
    assert rows_of(other) == {1: [(5, 1, 9)], 2: [(5, 3, 7)], 3: [(7, 4, 6)]}
    assert other.item_titles.tolist() == ["", "five", "seven"]
    assert other.without_bare_items().item_ids.tolist() == [5, 7]
    bare = table.with_catalogue(np.array([6]))
    assert bare.counts.tolist() == [1, 0, 0], "users without an interaction keep an empty row"
    with pytest.raises(ValueError, match="expected ascending, distinct `item_ids`, got .* Fix: pass numpy.unique"):
        table.with_catalogue(np.array([7, 5]))


def test_select_with_and_without_empty_rows():
    table = Interactions.from_arrays([1, 1, 2], [5, 6, 7])
    mask = np.array([True, False, False])
    assert table.select(mask).shape == (1, 1)
    assert table.select(mask, compact=False).shape == (2, 3)
