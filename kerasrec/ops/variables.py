"""Assignment of large arrays to variables."""

from __future__ import annotations

import keras

from kerasrec.types import FloatArray

ALIGNMENT = 64
"""The address of a TensorFlow tensor is a multiple of this many bytes; TensorFlow crashes on other addresses."""


def assign_without_copy(array: FloatArray, variable: keras.Variable) -> None:
    """Assigns an array, which must not be used afterwards, to a variable.

    TensorFlow's own assignment makes two copies on the way. This one makes none on TensorFlow if the variable can use
    the array's memory (`shares_memory_with_tensorflow`), and is `variable.assign(array)` otherwise.

    Args:
        array: of the variable's shape.
        variable: a built variable.

    Raises:
        ValueError: `array` does not have the variable's shape.
    """
    if keras.backend.backend() != "tensorflow" or not shares_memory_with_tensorflow(array, variable.dtype):
        variable.assign(array)
        return
    import tensorflow as tf

    variable.assign(tf.experimental.dlpack.from_dlpack(array.__dlpack__()))


def shares_memory_with_tensorflow(array: FloatArray, dtype: str) -> bool:
    """Whether a tensor of `dtype` can use the memory of `array` as it is.

    True if the array has that dtype in native byte order, has at least one element, is writable and C-contiguous, and
    starts at a multiple of `ALIGNMENT` bytes, as `kerasrec.ops.inverse.aligned_matrix` does.
    """
    same_dtype = array.dtype.name == dtype and array.dtype.isnative
    usable = same_dtype and array.size > 0 and array.flags.writeable and array.flags.c_contiguous
    return usable and array.ctypes.data % ALIGNMENT == 0
