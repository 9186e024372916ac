import numpy as np
import pytest
import scipy.sparse as sp

from kerasrec.data import Interactions

DENSE = np.array([[0, 2.5, 0], [0, 0, 0], [1, 0, 4]])


@pytest.mark.parametrize("convert", [
    sp.csr_matrix, sp.csc_array, sp.coo_array, sp.lil_array, sp.dok_array, sp.bsr_array, np.asarray,
])  # fmt: skip
def test_a_matrix_of_any_format_becomes_a_table(convert):
    table = Interactions.from_matrix(convert(DENSE))
    assert table.user_ids.tolist() == table.item_ids.tolist() == [0, 1, 2]
    assert (table.matrix.toarray() == DENSE).all()
    assert table.counts.tolist() == [1, 0, 2], "users without an interaction keep an empty row"


def test_ids_in_any_order_name_the_rows_and_columns():
    table = Interactions.from_matrix(sp.csr_array(DENSE), user_ids=["c", "a", "b"], item_ids=[30, 10, 20])
    assert table.user_ids.tolist() == ["a", "b", "c"]
    assert table.item_ids.tolist() == [10, 20, 30]
    assert table.matrix.toarray().tolist() == [[0, 0, 0], [0, 4, 1], [2.5, 0, 0]]


def test_the_matrix_of_a_table_becomes_the_same_table():
    table = Interactions.from_arrays(["b", "a", "b"], [1, 2, 3], [3, 4, 5])
    assert Interactions.from_matrix(table.matrix, table.user_ids, table.item_ids) == table


def test_stored_zeros_are_counted_and_repeated_elements_are_added():
    matrix = sp.coo_array(([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    table = Interactions.from_matrix(matrix)
    assert table.matrix.toarray().tolist() == [[0, 3], [0, 0]]
    assert str(table.row_counts) == "2 rows read = 1 kept + 1 dropped (1 zero)"
    assert matrix.nnz == 3, "the matrix is not changed"


@pytest.mark.parametrize("arguments, message", [
    ((np.ones(3),), r"expected a matrix \(n_users, n_items\), got the shape \(3,\)\. Fix: "),
    ((np.array([[1, np.nan]]),), "expected finite numbers .* in `matrix`, got nan"),
    ((DENSE, [1, 2]), "expected `user_ids` with 3 entries, one for each of `matrix`, got 2"),
    ((DENSE, None, ["a", "b", "a"]), "expected distinct `item_ids`, got 'a' repeatedly"),
    ((DENSE, [1, 2, -1]), "expected ids other than -1"),
])  # fmt: skip
def test_an_invalid_matrix_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_matrix(*arguments)
