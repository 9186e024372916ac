"""Reads and writes by index, against numpy."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasrec.ops.indexing import add_to_entries, dense_from_entries, gather_entries, gather_rows

DENSE = np.arange(12, dtype=np.float32).reshape(3, 4)
ROWS, COLUMNS = np.array([2, 0, 2], np.int32), np.array([1, 3, 1], np.int32)


def test_gather_entries():
    np.testing.assert_array_equal(gather_entries(ops.convert_to_tensor(DENSE), ROWS, COLUMNS), DENSE[ROWS, COLUMNS])


def test_add_to_entries_adds_twice_if_an_entry_occurs_twice():
    expected = DENSE.copy()
    np.add.at(expected, (ROWS, COLUMNS), [1.0, 2.0, 3.0])
    values = np.array([1.0, 2.0, 3.0], np.float32)
    np.testing.assert_array_equal(add_to_entries(ops.convert_to_tensor(DENSE), ROWS, COLUMNS, values), expected)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "bfloat16"])
def test_dense_from_entries(dtype):
    values = ops.cast(np.array([5.0, 6.0, 5.0]), dtype)
    dense = dense_from_entries(ROWS, COLUMNS, values, 3, 4, fill=1.0)
    expected = np.ones((3, 4))
    expected[ROWS, COLUMNS] = [5.0, 6.0, 5.0]
    np.testing.assert_array_equal(ops.cast(dense, "float32"), expected)
    assert keras.backend.standardize_dtype(dense.dtype) == dtype


def test_gather_rows_has_a_gradient_of_these_rows_only():
    tf = pytest.importorskip("tensorflow")
    weight = keras.Variable(DENSE)
    with tf.GradientTape() as tape:
        rows = gather_rows(weight, ROWS)
        total = tf.reduce_sum(rows)
    gradient = tape.gradient(total, weight.value)
    np.testing.assert_array_equal(rows, DENSE[ROWS])
    assert isinstance(gradient, tf.IndexedSlices)
    assert gradient.values.shape == (3, 4)
