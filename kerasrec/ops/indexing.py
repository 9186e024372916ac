"""Reads and writes by index that `keras.ops` lacks, or for which TensorFlow has a faster operation."""

from __future__ import annotations

import keras
from keras import ops

from kerasrec.types import Tensor


def gather_entries(dense: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`dense[rows, columns]` `(n,)`, from dense `(n_rows, n_columns)` and int32 indices `(n,)` each."""
    if keras.backend.backend() != "tensorflow":
        return dense[rows, columns]
    import tensorflow as tf

    return tf.gather_nd(dense, ops.stack([rows, columns], axis=1))


def add_to_entries(dense: Tensor, rows: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """A copy of dense `(n_rows, n_columns)` with `values` `(n,)` added at `[rows, columns]`, int32 `(n,)` each."""
    if keras.backend.backend() != "tensorflow":
        return dense.at[rows, columns].add(values)
    import tensorflow as tf

    return tf.tensor_scatter_nd_add(dense, ops.stack([rows, columns], axis=1), values)


def add_to_rows(dense: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """A copy of dense `(n_rows, dim)` with `values` `(n, dim)` added at its rows `[rows]`, int32 `(n,)`."""
    if keras.backend.backend() != "tensorflow":
        return dense.at[rows].add(values)
    import tensorflow as tf

    return tf.tensor_scatter_nd_add(dense, ops.expand_dims(rows, 1), values)


def dense_from_entries(
    rows: Tensor, columns: Tensor, values: Tensor, n_rows: Tensor, n_columns: int, fill: float
) -> Tensor:
    """A dense matrix `(n_rows, n_columns)`: `values` `(n,)` at `[rows, columns]`, int32 `(n,)` each, `fill` elsewhere.

    Only on TensorFlow and outside XLA. If an entry occurs twice, one of its values remains.
    """
    import tensorflow as tf

    return tf.raw_ops.SparseToDense(
        sparse_indices=ops.stack([rows, columns], axis=1),
        output_shape=(n_rows, n_columns),
        sparse_values=values,
        default_value=ops.cast(fill, values.dtype),
        validate_indices=False,  # an entry may occur twice, and columns need not ascend within a row
    )


def gather_rows(weight: keras.Variable, rows: Tensor) -> Tensor:
    """`weight[rows]` `(n, …)`, from a weight `(n_rows, …)` and int32 `(n,)`.

    On TensorFlow the cost, and the size of the gradient (`tf.IndexedSlices`), grow with `rows` only.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.take(weight, rows, axis=0)
    import tensorflow as tf

    # `ops.take` would read the whole weight, and copy it once an optimizer has updated it by rows.
    return tf.gather(weight.value, rows)
