"""Large arrays as the values of variables, without copies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kerasrec.types import FloatArray, Tensor

ALIGNMENT = 64
"""The address of a TensorFlow tensor is a multiple of this many bytes; TensorFlow crashes on other addresses."""

ROWS_AT_ONCE = 1000
"""Rows that `aligned_copy` reads at a time."""


def aligned_empty(*shape: int, dtype: Any = np.float32) -> Any:
    """An uninitialised array in C order, at an address that TensorFlow can use (`ALIGNMENT`)."""
    return _aligned(shape, dtype, np.empty)


def _aligned(shape: Sequence[int], dtype: Any, create: Callable[..., Any]) -> Any:
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = create(n_bytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def unallocated_zeros(shape: Sequence[int], dtype: str) -> Tensor:
    """Initializer of weights that are assigned before they are read: zeros that take no memory until then.

    TensorFlow allocates the zeros of Keras' initializer, and keeps their memory when the variable gets another value.
    """
    return as_tensor_without_copy(_aligned(shape, dtype, np.zeros), dtype)


def aligned_copy(stored: Any) -> Any:
    """A copy of an array, or of a data set of an HDF5 file, as by `aligned_empty`."""
    result = aligned_empty(*stored.shape, dtype=stored.dtype)
    if result.ndim == 0:
        result[()] = stored[()]
    for start in range(0, len(result) if result.ndim else 0, ROWS_AT_ONCE):  # a file makes a copy of what it reads
        result[start : start + ROWS_AT_ONCE] = stored[start : start + ROWS_AT_ONCE]
    return result


def assign_without_copy(array: FloatArray, variable: keras.Variable) -> None:
    """Assigns an array, which must not be used afterwards, to a variable.

    TensorFlow's own assignment makes two copies on the way. This one makes none if `as_tensor_without_copy` makes none.

    Args:
        array: of the variable's shape.
        variable: a built variable.

    Raises:
        ValueError: `array` does not have the variable's shape.
    """
    variable.assign(as_tensor_without_copy(array, variable.dtype))


def as_tensor_without_copy(array: FloatArray, dtype: str) -> Tensor:
    """A tensor with the memory of an array, which must not be used afterwards.

    On TensorFlow, it is a copy if a tensor of `dtype` cannot use that memory (`shares_memory_with_tensorflow`).
    """
    if keras.backend.backend() != "tensorflow" or not shares_memory_with_tensorflow(array, dtype):
        return keras.ops.convert_to_tensor(array, dtype)
    import tensorflow as tf

    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def as_array_without_copy(variable: keras.Variable) -> Any:
    """The value of a variable as an array, which must not be changed; on TensorFlow, `numpy()` would copy it."""
    if keras.backend.backend() != "tensorflow":
        return keras.ops.convert_to_numpy(variable)
    import tensorflow as tf

    return np.asarray(memoryview(tf.convert_to_tensor(variable.value)))


def shares_memory_with_tensorflow(array: FloatArray, dtype: str) -> bool:
    """Whether a tensor of `dtype` can use the memory of `array` as it is.

    True if the array has that dtype in native byte order, has at least one element, is writable and C-contiguous, and
    starts at a multiple of `ALIGNMENT` bytes, as `aligned_empty` does.
    """
    same_dtype = array.dtype.name == dtype and array.dtype.isnative
    usable = same_dtype and array.size > 0 and array.flags.writeable and array.flags.c_contiguous
    return usable and array.ctypes.data % ALIGNMENT == 0
