import numpy as np

from kerasrec.data.csr import indptr_of, order_by_row, positions_of_rows


def test_row_boundaries_add_up_the_counts():
    assert indptr_of(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
    assert indptr_of(np.array([], np.int64)).tolist() == [0]


def test_positions_of_rows_in_any_order_with_repetitions():
    positions, indptr = positions_of_rows(np.array([0, 2, 2, 5]), np.array([2, 1, 0, 2]))
    assert positions.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert indptr.tolist() == [0, 3, 3, 5, 8]


def test_order_by_row_is_the_stable_sort():
    rows = np.random.default_rng(0).integers(0, 7, 100)
    np.testing.assert_array_equal(order_by_row(rows, 9), np.argsort(rows, kind="stable"))
