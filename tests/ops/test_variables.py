"""Assignment of arrays of every memory layout to a variable."""

import h5py
import keras
import numpy as np
import pytest

from kerasrec.ops.variables import (
    ALIGNMENT,
    aligned_copy,
    aligned_empty,
    as_array_without_copy,
    assign_without_copy,
    shares_memory_with_tensorflow,
    unallocated_zeros,
)


def aligned():
    """A matrix that TensorFlow can use as it is."""
    matrix = aligned_empty(5, 5)
    matrix[:] = np.arange(25, dtype=np.float32).reshape(5, 5)
    return matrix


def shifted(n_bytes):
    """The same numbers, at an address that is `n_bytes` beyond a multiple of ALIGNMENT."""
    memory = np.empty(100 + 2 * ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT + n_bytes
    matrix = memory[start : start + 100].view(np.float32).reshape(5, 5)
    matrix[:] = aligned()
    return matrix


def read_only():
    matrix = aligned()
    matrix.flags.writeable = False
    return matrix


def every_second_row():
    matrix = np.zeros((10, 5), np.float32)
    matrix[::2] = aligned()
    return matrix[::2]


COPIED = {
    "Fortran order": lambda: aligned().T.copy().T,
    "aligned Fortran order": lambda: aligned().T,
    "reversed columns": lambda: aligned()[:, ::-1],
    "strided rows": every_second_row,
    "broadcast": lambda: np.broadcast_to(aligned()[0], (5, 5)),
    "read-only": read_only,
    "unaligned by 4 bytes": lambda: shifted(4),
    "unaligned by 32 bytes": lambda: shifted(32),
    "float64": lambda: aligned().astype(np.float64),
    "int64": lambda: aligned().astype(np.int64),
    "big-endian": lambda: aligned().astype(">f4"),
    "no elements": lambda: np.empty((0, 5), np.float32),
}


@pytest.mark.parametrize("layout", COPIED)
def test_an_array_of_any_layout_is_assigned(layout):
    array = COPIED[layout]()
    expected = array.astype(np.float32)
    variable = keras.Variable(np.full(array.shape, -1.0, np.float32))
    assert not shares_memory_with_tensorflow(array, "float32")
    for _ in range(3):
        assign_without_copy(array, variable)
    np.testing.assert_array_equal(variable, expected)


def test_an_aligned_array_in_c_order_is_not_copied():
    pytest.importorskip("tensorflow")
    array = aligned()
    variable = keras.Variable(np.zeros((5, 5), np.float32))
    assert shares_memory_with_tensorflow(array, "float32")
    assign_without_copy(array, variable)
    np.testing.assert_array_equal(variable, np.arange(25).reshape(5, 5))
    array[0, 0] = 99.0  # only to prove that the memory is shared
    assert float(np.asarray(variable)[0, 0]) == 99.0


def test_the_variable_outlives_the_array():
    variable = keras.Variable(np.zeros((5, 5), np.float32))
    assign_without_copy(aligned(), variable)
    other_arrays = [np.ones((5, 5), np.float32) for _ in range(100)]
    np.testing.assert_array_equal(variable, np.arange(25).reshape(5, 5))
    assert len(other_arrays) == 100


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_a_variable_of_another_dtype_converts_the_array(dtype):
    variable = keras.Variable(np.zeros((5, 5)), dtype=dtype)
    assign_without_copy(aligned(), variable)
    np.testing.assert_array_equal(keras.ops.cast(variable, "float32"), np.arange(25).reshape(5, 5))


def test_an_array_of_another_shape_raises_an_error():
    with pytest.raises(ValueError, match="shape"):
        assign_without_copy(aligned(), keras.Variable(np.zeros((5, 4), np.float32)))


@pytest.mark.parametrize(("shape", "dtype"), [((3, 4), "float32"), ((0, 2), "float32"), ((5,), "int32")])
def test_unallocated_zeros_are_zeros(shape, dtype):
    variable = keras.Variable(unallocated_zeros, shape=shape, dtype=dtype)
    np.testing.assert_array_equal(variable, np.zeros(shape, dtype))


@pytest.mark.parametrize("shape", [(3, 4), (0, 2), ()])
def test_a_copy_of_a_data_set_of_a_file_is_aligned(shape, tmp_path):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        for stored in (array, file.create_dataset("a", data=array)):
            copy = aligned_copy(stored)
            np.testing.assert_array_equal(copy, array)
            assert copy.size == 0 or copy.ctypes.data % ALIGNMENT == 0


def test_the_value_of_a_variable_is_not_copied():
    pytest.importorskip("tensorflow")
    array = aligned()
    variable = keras.Variable(np.zeros((5, 5), np.float32))
    assign_without_copy(array, variable)
    value = as_array_without_copy(variable)
    np.testing.assert_array_equal(value, np.arange(25).reshape(5, 5))
    assert value.ctypes.data == array.ctypes.data
