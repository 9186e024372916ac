"""`SparseRows.matmul` on a CPU under TensorFlow: three algorithms, of which a cost model chooses the fastest.

| algorithm | works on | chosen if |
|---|---|---|
| `dense_product` | all cells of the dense rows | many entries |
| `product_of_equal_entries` | entries, if all values of a row are equal | few entries of likes |
| `product_of_entries` | entries | few entries of ratings |

The unit of cost is one cell of a dense row: `units` multiplications and additions of a dense matrix product. Dense rows
cost `n_rows · n_columns` cells, and n entries cost n times one of the constants below. `benchmarks/sparse_matmul.py`
measures the constants, forward and gradient together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from kerasrec.ops.gradients import custom_gradient
from kerasrec.types import Tensor

if TYPE_CHECKING:
    from kerasrec.ops.sparse_rows import SparseRows

EQUAL_ENTRY_COST_FLOAT32 = 40
"""Cells of a float32 product that take as long as one entry in rows of equal values."""

EQUAL_ENTRY_COST_BFLOAT16 = 110
"""Cells of a bfloat16 product that take as long as one entry in rows of equal values."""

ENTRY_COST = 150
"""Cells of a dense product that take as long as one entry of any value."""

MIN_DENSE_ROWS = 8
"""Rows of a dense product that take as long as one row, because reading the kernel limits both."""


def cheapest_product(observed: SparseRows, kernel: Tensor, factors: str) -> Tensor:
    """`observed` times a kernel `(n_columns, units)` by the fastest of the three algorithms, `(n_rows, units)`.

    Args:
        observed: the entries, without padding.
        kernel: float of any precision.
        factors: dtype of the factors of a dense product.
    """
    import tensorflow as tf

    n_columns = kernel.shape[0]
    # Dropout sets half of the values to 0. A column beyond the kernel remains, so that the product raises an error.
    nonzero = tf.where((observed.values != 0.0) | (observed.columns >= n_columns))[:, 0]
    values, rows, columns = (tf.gather(part, nonzero) for part in (observed.values, observed.rows, observed.columns))
    values = tf.cast(values, tf.float32)
    # The likes of a row have one value, also after dropout and division by the norm.
    largest = tf.math.unsorted_segment_max(values, rows, observed.n_rows)
    equal = tf.reduce_all(values == tf.gather(largest, rows))

    def dense() -> Tensor:
        return dense_product(observed.dense(n_columns, dtype=factors), kernel, factors)

    def equal_entries() -> Tensor:
        product = product_of_equal_entries(values, rows, columns, observed.n_rows, tf.cast(kernel, tf.float32))
        return tf.cast(product, kernel.dtype)

    def entries() -> Tensor:
        product = product_of_entries(values, rows, columns, observed.n_rows, tf.cast(kernel, tf.float32))
        return tf.cast(product, kernel.dtype)

    equal_cost = EQUAL_ENTRY_COST_BFLOAT16 if factors == "bfloat16" else EQUAL_ENTRY_COST_FLOAT32
    cost = tf.cast(tf.where(equal, equal_cost, ENTRY_COST), tf.int64) * tf.size(values, tf.int64)
    dense_cost = tf.maximum(tf.cast(observed.n_rows, tf.int64), MIN_DENSE_ROWS) * n_columns
    algorithm = tf.where(cost < dense_cost, tf.where(equal, 1, 2), 0)
    return tf.switch_case(algorithm, [dense, equal_entries, entries])


def dense_product(rows: Tensor, kernel: Tensor, factors: str) -> Tensor:
    """Dense rows `(n_rows, n_columns)` times a kernel, with factors of one dtype and a result of the kernel's."""
    return ops.cast(ops.matmul(ops.cast(rows, factors), ops.cast(kernel, factors)), kernel.dtype)


def product_of_equal_entries(values: Tensor, rows: Tensor, columns: Tensor, n_rows: Tensor, kernel: Tensor) -> Tensor:
    """The product if all values of a row are equal: sums of rows of the kernel, each sum times its row's value.

    Takes a fifth of the time of `product_of_entries`, and its gradient two thirds.

    Args:
        values: float32 `(n,)`.
        rows: int32 `(n,)`, ascending.
        columns: int32 `(n,)`.
        n_rows: number of rows of the result.
        kernel: float32 `(n_columns, units)`.

    Returns:
        float32 `(n_rows, units)`.
    """
    import tensorflow as tf

    @custom_gradient
    def product(values: Tensor, kernel: Tensor) -> tuple[Tensor, Any]:
        scale = tf.expand_dims(tf.math.unsorted_segment_mean(values, rows, n_rows), 1)
        sums = tf.raw_ops.SparseSegmentSumWithNumSegments(
            data=kernel, indices=columns, segment_ids=rows, num_segments=n_rows
        )

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            order = tf.argsort(columns)
            by_kernel = tf.raw_ops.SparseSegmentSumWithNumSegments(
                data=scale * upstream,
                indices=tf.gather(rows, order),
                segment_ids=tf.gather(columns, order),
                num_segments=kernel.shape[0],
            )
            # TensorFlow prunes this from the graph if the gradient by the values is not used.
            by_values = tf.reduce_sum(tf.gather(upstream, rows) * tf.gather(kernel, columns), axis=1)
            return by_values, by_kernel

        return scale * sums, gradient

    return product(values, kernel)


def product_of_entries(values: Tensor, rows: Tensor, columns: Tensor, n_rows: Tensor, kernel: Tensor) -> Tensor:
    """The product for any values, by TensorFlow's sparse matrix; arguments as in `product_of_equal_entries`."""
    import tensorflow as tf

    indices = tf.cast(tf.stack([rows, columns], axis=1), tf.int64)
    matrix = tf.SparseTensor(indices, values, (tf.cast(n_rows, tf.int64), kernel.shape[0]))
    return tf.sparse.sparse_dense_matmul(matrix, kernel)
