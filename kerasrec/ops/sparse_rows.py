"""What the rows of a batch observe, entry by entry.

A row of 20,000 columns observes about 70 of them, and the longest row of a batch ten times as many
as the mean one. Whatever acts on a row entry by entry (a norm, dropout, an error) is therefore done
on the entries, one after the other, past the zeros of a dense row and past the padding of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.hardware import has_gpu, in_xla
from kerasrec.types import Batch, Tensor


class SparseRows(NamedTuple):
    """The entries of some rows, row after row.

    Padding is left out on TensorFlow (`lists_entries`); XLA and JAX want shapes that do not depend
    on the data, and have it as entries of column 0 that are not `known`.

    Attributes:
        values: float32 `(n,)`, 0 for padding.
        rows: int32 `(n,)`, in ascending order.
        columns: int32 `(n,)`.
        known: float32 `(n,)`, 0 for padding and 1 otherwise.
        counts: float32 `(n_rows,)`, how many entries each row has.
    """

    values: Tensor
    rows: Tensor
    columns: Tensor
    known: Tensor
    counts: Tensor

    @property
    def n_rows(self) -> Tensor:
        """How many rows there are, those without an entry among them."""
        return ops.shape(self.counts)[0]

    def with_values(self, values: Tensor) -> SparseRows:
        """The same entries with other values `(n,)`."""
        return self._replace(values=values)

    def row_sums(self, values: Tensor) -> Tensor:
        """Σ of the values `(n, …)` of each row, `(n_rows, …)`."""
        if keras.backend.backend() == "tensorflow":
            return ops.segment_sum(values, self.rows, num_segments=self.n_rows)
        # With their padding all rows are of one length: no scattering, which a GPU is slow at.
        return ops.sum(ops.reshape(values, (self.n_rows, self._length(), *values.shape[1:])), axis=1)

    def broadcast_to_entries(self, of_rows: Tensor) -> Tensor:
        """What each entry's row has, `(n, …)`, from what the rows have, `(n_rows, …)`."""
        if keras.backend.backend() == "tensorflow":
            return ops.take(of_rows, self.rows, axis=0)
        return ops.repeat(of_rows, self._length(), axis=0)

    def gather(self, dense: Tensor) -> Tensor:
        """`dense` `(n_rows, n_columns)` at the entries, `(n,)`."""
        if keras.backend.backend() != "tensorflow":
            return dense[self.rows, self.columns]
        import tensorflow as tf

        return tf.gather_nd(dense, self._places())

    def scatter_add(self, dense: Tensor, values: Tensor) -> Tensor:
        """`dense` `(n_rows, n_columns)` with the values `(n,)` added at the entries."""
        values = ops.where(self.known > 0, values, 0.0)
        if keras.backend.backend() != "tensorflow":
            return dense.at[self.rows, self.columns].add(values)
        import tensorflow as tf

        return tf.tensor_scatter_nd_add(dense, self._places(), values)

    def dense(self, n_columns: int, fill: float = 0.0, dtype: str = "float32") -> Tensor:
        """Dense rows `(n_rows, n_columns)` of the values at the entries and of `fill` elsewhere.

        A column that stands twice in a row keeps one of its values; one of `n_columns` or more is an
        error on TensorFlow's CPU, and is left out elsewhere.
        """
        values = ops.cast(self.values, dtype)
        if lists_entries():
            import tensorflow as tf

            shape, rest = (self.n_rows, n_columns), ops.cast(fill, dtype)
            return tf.raw_ops.SparseToDense(
                sparse_indices=self._places(),
                output_shape=shape,
                sparse_values=values,
                default_value=rest,
                validate_indices=False,  # a column may stand twice, and rows need not be in the order of their columns
            )
        # Padding lands in one more column, dropped below; ids beyond the catalogue fall outside even that.
        beyond = self.columns + ops.cast(self.columns >= n_columns, "int32")
        index = ops.stack([self.rows, ops.where(self.known > 0, beyond, n_columns)], axis=1)
        blank = ops.full((self.n_rows, n_columns + 1), fill, dtype=dtype)
        return ops.scatter_update(blank, index, values)[:, :n_columns]

    def matmul(self, kernel: Tensor, dtype: str | None = None) -> Tensor:
        """Rows of the interaction matrix times a kernel: Σ_j values_j · kernel[columns_j] for each row.

        On a CPU under TensorFlow it costs by the entries other than 0 where they are few: for 500 rows of ML-20M's
        shape under dropout, with its gradient, two fifths of a product of dense rows. XLA, JAX and a GPU always take
        dense rows.

        Args:
            kernel: `(n_columns, units)`.
            dtype: of the numbers that are multiplied where rows are dense; the kernel's where absent.

        Returns:
            `(n_rows, units)`, of the kernel's dtype, summed in float32.
        """
        factors = dtype or keras.backend.standardize_dtype(kernel.dtype)

        def by_row() -> Tensor:
            product = ops.matmul(self.dense(kernel.shape[0], dtype=factors), ops.cast(kernel, factors))
            return ops.cast(product, kernel.dtype)

        if not lists_entries():
            return by_row()
        import tensorflow as tf

        # Dropout leaves half of them. A column that the kernel lacks stays in, for the product to refuse.
        kept = tf.where((self.values != 0.0) | (self.columns >= kernel.shape[0]))[:, 0]
        values, rows, columns = (tf.gather(part, kept) for part in (self.values, self.rows, self.columns))
        values = tf.cast(values, tf.float32)
        # Likes are all of one value in a row, with dropout and a norm as well: rows of the kernel are added up then.
        alike = tf.reduce_all(values == tf.gather(tf.math.unsorted_segment_max(values, rows, self.n_rows), rows))

        def by_entry() -> Tensor:
            return tf.cast(_sums_of_rows(values, rows, columns, self.n_rows, tf.cast(kernel, tf.float32)), kernel.dtype)

        def by_weighed_entry() -> Tensor:
            places = tf.cast(tf.stack([rows, columns], axis=1), tf.int64)
            sparse = tf.SparseTensor(places, values, (tf.cast(self.n_rows, tf.int64), kernel.shape[0]))
            return tf.cast(tf.sparse.sparse_dense_matmul(sparse, tf.cast(kernel, tf.float32)), kernel.dtype)

        # How many multiplications of dense matrices take as long as that of one entry, and of one weighed. A product
        # of a few rows is bound by reading the kernel, and takes as long as one of eight.
        cost = tf.where(alike, 110 if factors == "bfloat16" else 40, 150)
        dense = tf.maximum(tf.cast(self.n_rows, tf.int64), 8) * kernel.shape[0]
        fewer = tf.cast(cost, tf.int64) * tf.size(values, tf.int64) < dense
        way = tf.where(fewer, tf.where(alike, 1, 2), 0)
        return tf.switch_case(way, [by_row, by_entry, by_weighed_entry])

    def _length(self) -> int:
        return int(self.rows.shape[0]) // max(self.n_rows, 1)

    def _places(self) -> Tensor:
        return ops.stack([self.rows, self.columns], axis=1)


class DenseRows(NamedTuple):
    """Rows whose every column is an entry, where a caller has dense ones; as `SparseRows`, but for the shapes.

    Attributes:
        values: float32 `(batch, n_columns)`.
        known: likewise, 1 for what was observed.
        counts: float32 `(batch,)`, how many columns of each row were observed.
    """

    values: Tensor
    known: Tensor
    counts: Tensor

    def with_values(self, values: Tensor) -> DenseRows:
        """The same rows with other values."""
        return self._replace(values=values)

    def row_sums(self, values: Tensor) -> Tensor:
        """Σ of the values of each row, `(batch,)`."""
        return ops.sum(values, axis=1)

    def broadcast_to_entries(self, of_rows: Tensor) -> Tensor:
        """What each entry's row has, `(batch, 1)`, from what the rows have, `(batch,)`."""
        return ops.expand_dims(of_rows, 1)

    def gather(self, dense: Tensor) -> Tensor:
        """`dense` `(batch, n_columns)` at the entries: itself."""
        return dense

    def matmul(self, kernel: Tensor, dtype: str | None = None) -> Tensor:
        """The rows times a kernel `(n_columns, units)`."""
        factors = dtype or kernel.dtype
        return ops.cast(ops.matmul(ops.cast(self.values, factors), ops.cast(kernel, factors)), kernel.dtype)


def observed_rows(inputs: Batch | Tensor, use_values: bool = False) -> SparseRows | DenseRows:
    """What a batch observes.

    Args:
        inputs: `{"ids": (batch, length), "values": (batch, length)}`, or dense rows `(batch, n_columns)`.
        use_values: whether entries carry their values; each is 1 otherwise. In dense rows 0 is not observed.
    """
    if isinstance(inputs, Mapping):
        return from_padded_ids(inputs["ids"], inputs["values"] if use_values and "values" in inputs else 1.0)
    dense = ops.cast(inputs, "float32")
    known = ops.cast(dense != 0, "float32")
    return DenseRows(dense if use_values else known, known, ops.sum(known, axis=1))


def from_padded_ids(ids: Tensor, values: Tensor = 1.0) -> SparseRows:
    """The entries of padded rows.

    Args:
        ids: `(batch, length)`, -1 for padding.
        values: broadcastable to `ids`.
    """
    ids = ops.cast(ids, "int32")  # MirroredStrategy averages its first batch and so hands out floats
    n_rows, length = ops.shape(ids)
    flat, counts = ops.reshape(ids, (-1,)), ops.sum(ops.cast(ids >= 0, "float32"), axis=1)
    values = ops.cast(ops.convert_to_tensor(values), "float32")
    one_for_all = len(values.shape) == 0
    if not one_for_all:
        values = ops.reshape(ops.broadcast_to(values, ops.shape(ids)), (-1,))
    if lists_entries():
        import tensorflow as tf

        at = tf.where(flat >= 0)[:, 0]
        columns = tf.gather(flat, at)
        known = tf.ones_like(columns, tf.float32)
        values = values * known if one_for_all else tf.gather(values, at)
        return SparseRows(values, tf.cast(at, tf.int32) // length, columns, known, counts)
    known = ops.cast(flat >= 0, "float32")
    rows = ops.repeat(ops.arange(n_rows, dtype="int32"), length)
    return SparseRows(values * known, rows, ops.maximum(flat, 0), known, counts)


def padded_ids(inputs: Batch | Tensor) -> Tensor | None:
    """The lists of ids `(batch, length)` of a batch; `None` for dense rows."""
    return inputs["ids"] if isinstance(inputs, Mapping) else None


def l2_normalize_rows(observed: SparseRows | DenseRows) -> SparseRows | DenseRows:
    """Each row divided by its L2 norm; a row of nothing stays 0."""
    squares = observed.row_sums(ops.square(observed.values))
    return observed.with_values(observed.values * observed.broadcast_to_entries(ops.rsqrt(ops.maximum(squares, 1e-12))))


def _sums_of_rows(values: Tensor, rows: Tensor, columns: Tensor, n_rows: Tensor, kernel: Tensor) -> Tensor:
    """`SparseRows.matmul` on TensorFlow for values `(n,)` that are one number a row: rows of the kernel are added up.

    A fifth of the time of TensorFlow's product with a sparse matrix, and its gradient two thirds.
    """
    import tensorflow as tf

    @custom_gradient
    def product(values: Tensor, kernel: Tensor) -> tuple[Tensor, Any]:
        scale = tf.expand_dims(tf.math.unsorted_segment_mean(values, rows, n_rows), 1)
        sums = tf.raw_ops.SparseSegmentSumWithNumSegments(
            data=kernel, indices=columns, segment_ids=rows, num_segments=n_rows
        )

        def gradient(above: Tensor) -> tuple[Tensor, Tensor]:
            order = tf.argsort(columns)
            of_kernel = tf.raw_ops.SparseSegmentSumWithNumSegments(
                data=scale * above,
                indices=tf.gather(rows, order),
                segment_ids=tf.gather(columns, order),
                num_segments=kernel.shape[0],
            )
            # Left out of a graph in which nobody asks for it.
            of_values = tf.reduce_sum(tf.gather(above, rows) * tf.gather(kernel, columns), axis=1)
            return of_values, of_kernel

        return scale * sums, gradient

    return product(values, kernel)


def lists_entries() -> bool:
    """Whether entries are listed without their padding: on TensorFlow, but not under XLA nor on a GPU."""
    return keras.backend.backend() == "tensorflow" and not in_xla() and not has_gpu()
