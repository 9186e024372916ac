import numpy as np
import pytest

from kerasrec.data import Interactions, csr
from kerasrec.data.csr import (
    column_counts,
    entries_of_rows,
    indptr_of,
    order_by_row,
    positions_of_rows,
    time_order,
    true_counts,
)
from kerasrec.data.rows import DUPLICATES


def test_row_boundaries_add_up_the_counts():
    assert indptr_of(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
    assert indptr_of(np.array([], np.int64)).tolist() == [0]


def test_positions_of_rows_in_any_order_with_repetitions():
    positions, indptr = positions_of_rows(np.array([0, 2, 2, 5]), np.array([2, 1, 0, 2]))
    assert positions.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert indptr.tolist() == [0, 3, 3, 5, 8]


@pytest.mark.parametrize("rows", [[0, 2], [2, 0], [0, 1, 2], [1, 1], [], [2]])
def test_entries_of_rows_are_the_same_by_mask_and_by_position(rows):
    rows, indptr = np.array(rows, np.int64), np.array([0, 2, 2, 5])
    positions, expected = positions_of_rows(indptr, rows)
    entries, new_indptr = entries_of_rows(indptr, rows)
    assert np.arange(5)[entries].tolist() == positions.tolist()
    assert new_indptr.tolist() == expected.tolist()


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_blocks_give_the_same_counts_and_orders(monkeypatch, block):
    monkeypatch.setattr(csr, "BLOCK", block)
    rng = np.random.default_rng(0)
    counts = np.array([0, 3, 0, 0, 20, 1, 0])
    indptr, rows = indptr_of(counts), np.repeat(np.arange(7), counts)
    mask, columns, times = rng.random(24) < 0.5, rng.integers(0, 4, 24), rng.integers(0, 9, 24)
    assert true_counts(indptr, mask).tolist() == np.bincount(rows[mask], minlength=7).tolist()
    assert true_counts(np.zeros(4, np.int64), np.zeros(0, bool)).tolist() == [0, 0, 0]
    assert column_counts(columns, 6).tolist() == np.bincount(columns, minlength=6).tolist()
    order = time_order(indptr, times)
    assert order.tolist() == np.lexsort((times, rows)).tolist()
    assert time_order(indptr, times[order]) is None


def test_order_by_row_is_the_stable_sort():
    rows = np.random.default_rng(0).integers(0, 7, 100)
    np.testing.assert_array_equal(order_by_row(rows, 9), np.argsort(rows, kind="stable"))


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("how", DUPLICATES)
@pytest.mark.parametrize("has_times", [False, True])
def test_pairs_are_merged_as_by_a_dictionary(monkeypatch, block, how, has_times):
    monkeypatch.setattr(csr, "BLOCK", block)
    rng = np.random.default_rng(0)
    users, items, times = rng.integers(0, 6, 200), rng.integers(0, 9, 200), rng.integers(0, 50, 200)
    values = rng.integers(1, 6, 200)
    entries = {}
    for user, item, value, time in zip(users, items, values, times, strict=True):
        entries.setdefault((user, item), []).append((time if has_times else 0, value))
    latest = {
        pair: max(enumerate(group), key=lambda entry: (entry[1][0], entry[0]))[1] for pair, group in entries.items()
    }
    merge = {
        "last": lambda pair, _: latest[pair][1],
        "sum": lambda _, group: sum(value for _, value in group),
        "count": lambda _, group: len(group),
        "max": lambda _, group: max(value for _, value in group),
    }[how]
    table = Interactions.from_arrays(users, items, values, times if has_times else None, duplicates=how)
    found = dict(zip(zip(table.users.tolist(), table.items.tolist(), strict=True), table.values.tolist(), strict=True))
    assert found == {pair: merge(pair, group) for pair, group in entries.items()}
    assert table.row_counts.merged == 200 - len(entries)
    if has_times:
        found_times = zip(table.users.tolist(), table.items.tolist(), table.times.tolist(), strict=True)
        assert sorted(found_times) == sorted((*pair, time) for pair, (time, _) in latest.items())
