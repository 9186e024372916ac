import numpy as np
import pytest

from kerasrec.data import Interactions
from kerasrec.data.arrays import as_finite, check_parallel, read_only


def test_a_read_only_view_leaves_the_original_writable():
    array = np.array([1, 2])
    view = read_only(array, np.float32)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 9
    array[0] = 7
    assert view.tolist() == [1, 2]


def test_parallel_arrays_have_one_length():
    check_parallel("users", [1, 2], items=[3, 4], values=None)
    with pytest.raises(ValueError, match="expected `items` with 2 entries, one for each of `users`, got 1. Fix: "):
        check_parallel("users", [1, 2], items=[3])


@pytest.mark.parametrize("numbers, dtype, message", [
    ([1.0, np.nan], np.float32, "the range of float32 in `x`, got nan at position 1. Fix: correct that interaction or"),
    ([np.inf, 1.0], np.float32, "got inf at position 0"),
    ([1, 1e300], np.float32, r"the range of float32 in `x`, got 1e\+300 at position 1"),
    ([1, 10**400], np.float32, "expected numbers of at most 64 bits in `x`, got object. Fix: convert the numbers"),
    (["x", "y"], np.float32, "expected numbers of at most 64 bits in `x`, got <U1"),
    ([1.0, np.nan], np.int64, "got nan at position 1"),
    ([1.0, 1e30], np.int64, r"the range of int64 in `x`, got 1e\+30 at position 1"),
    ([-1e30, 1.0], np.int64, r"got -1e\+30 at position 0"),
    ([1, 2**70], np.int64, r"got 1\.18\d+e\+21 at position 1"),
    (np.array([1, 2**63], np.uint64), np.int64, f"got {2**63} at position 1"),
    (np.array(["2001-01-01", "NaT"], "M8[D]"), np.int64, "got nan at position 1"),
])  # fmt: skip
def test_numbers_that_are_not_finite_or_too_large_are_an_error(numbers, dtype, message):
    with pytest.raises(ValueError, match=message):
        as_finite(numbers, "x", dtype)


@pytest.mark.parametrize("numbers", [
    [2**63 - 1, -(2**63)], np.array([2**63 - 1, 0], np.uint64), np.array([255, 0], np.uint8), np.float16([9, -9.0]),
    [True, False], [np.nextafter(2.0**63, 0), -9.9],
], ids=str)  # fmt: skip
def test_the_largest_numbers_in_range_are_converted(numbers):
    assert as_finite(numbers, "x", np.int64).tolist() == [int(number) for number in numbers]


def test_dates_become_seconds():
    assert as_finite(np.array(["1970-01-02", "2001-09-09"], "M8[D]"), "x", np.int64).tolist() == [86_400, 999_993_600]


@pytest.mark.parametrize("rows", [np.array([True, False]), [0.7], [[0]], [-1], [3]])
def test_rows_that_do_not_exist_and_masks_are_refused(rows):
    table = Interactions.from_arrays([1, 2, 3], [5, 6, 7])
    with pytest.raises(ValueError, match="expected row numbers"):
        table.take_users(rows)
    assert table.take_users(range(2)).n_users == table.take_users(np.array([0, 2], np.uint8)).n_users == 2


@pytest.mark.parametrize("mask", [np.ones(2, bool), np.ones(3, int), [[True] * 3]])
def test_a_mask_has_one_boolean_for_each_interaction(mask):
    with pytest.raises(ValueError, match=r"expected `mask` of type bool and shape \(3,\)"):
        Interactions.from_arrays([1, 2, 3], [5, 6, 7]).select(mask)


def test_a_catalogue_may_be_a_list():
    assert Interactions.from_arrays([1, 2], [5, 6]).with_catalogue([5]).shape == (2, 1)
