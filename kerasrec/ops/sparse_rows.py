"""The observed entries of a batch of rows, one `(row, column, value)` per entry.

A row of 20,000 columns observes about 70 of them, and the longest row of a batch ten times as many as the mean row.
Operations on entries (a norm, dropout, an error) therefore run on a flat list of entries. This skips the zeros of dense
rows and the padding of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from kerasrec.ops.hardware import has_gpu, in_xla
from kerasrec.ops.indexing import add_to_entries, dense_from_entries, gather_entries
from kerasrec.ops.padded_product import padded_product
from kerasrec.ops.sparse_matmul import cheapest_product, dense_product
from kerasrec.types import Batch, Tensor

MAX_DENSE_CELLS = 2**26
"""Cells of the largest dense rows that JAX multiplies, 256 MiB of float32."""


class SparseRows(NamedTuple):
    """The n entries of some rows, in the order of the rows.

    Whether the n entries include the padding of the batch depends on the backend (`omits_padding`). TensorFlow on a CPU
    omits it. XLA and JAX need shapes that do not depend on the data, so there the padding stays, as entries of column 0
    whose `mask` is 0.

    Attributes:
        values: float32 `(n,)`, 0 for padding.
        rows: int32 `(n,)`, ascending.
        columns: int32 `(n,)`.
        mask: float32 `(n,)`, 1 for entries and 0 for padding.
        counts: float32 `(n_rows,)`, number of entries of each row.
    """

    values: Tensor
    rows: Tensor
    columns: Tensor
    mask: Tensor
    counts: Tensor

    @property
    def n_rows(self) -> Tensor:
        """Number of rows, including those without entries; an int or an int32 scalar."""
        return ops.shape(self.counts)[0]

    def with_values(self, values: Tensor) -> SparseRows:
        """The same entries with other values `(n,)`."""
        return self._replace(values=values)

    def row_sums(self, values: Tensor) -> Tensor:
        """Sum over the entries of each row: `(n, …)` → `(n_rows, …)`."""
        if keras.backend.backend() == "tensorflow":
            return ops.segment_sum(values, self.rows, num_segments=self.n_rows)
        # Padded rows have one length. A reshape avoids a scatter, which is slow on GPUs.
        return ops.sum(ops.reshape(values, (self.n_rows, self._padded_length(), *values.shape[1:])), axis=1)

    def broadcast_to_entries(self, of_rows: Tensor) -> Tensor:
        """The value of each entry's row: `(n_rows, …)` → `(n, …)`."""
        if keras.backend.backend() == "tensorflow":
            return ops.take(of_rows, self.rows, axis=0)
        return ops.repeat(of_rows, self._padded_length(), axis=0)

    def gather(self, dense: Tensor) -> Tensor:
        """The cells of dense rows at the entries: `(n_rows, n_columns)` → `(n,)`."""
        return gather_entries(dense, self.rows, self.columns)

    def scatter_add(self, dense: Tensor, values: Tensor) -> Tensor:
        """Dense rows `(n_rows, n_columns)` with `values` `(n,)` added at the entries; padding adds nothing."""
        values = ops.cast(values, dense.dtype)  # a number would have the dtype of `keras.config.floatx`
        return add_to_entries(dense, self.rows, self.columns, ops.where(self.mask > 0, values, ops.zeros_like(values)))

    def dense(self, n_columns: int, fill: float = 0.0, dtype: str = "float32") -> Tensor:
        """Dense rows `(n_rows, n_columns)`: the values at the entries, `fill` elsewhere.

        If a column occurs twice in a row, one of its values remains. A column of `n_columns` or more raises an error on
        TensorFlow's CPU, and is dropped elsewhere.
        """
        values = ops.cast(self.values, dtype)
        if omits_padding():
            return dense_from_entries(self.rows, self.columns, values, self.n_rows, n_columns, fill)
        # Padding goes to an extra column, which is dropped; columns beyond the catalogue, to the right of that one.
        beyond = self.columns + ops.cast(self.columns >= n_columns, "int32")
        index = ops.stack([self.rows, ops.where(self.mask > 0, beyond, n_columns)], axis=1)
        blank = ops.full((self.n_rows, n_columns + 1), fill, dtype=dtype)
        return ops.scatter_update(blank, index, values)[:, :n_columns]

    def matmul(self, kernel: Tensor, dtype: str | None = None) -> Tensor:
        """The rows times a kernel: Σ_j values_j · kernel[columns_j] for each row.

        On a CPU under TensorFlow the cost grows with the nonzero entries if these are few. For 500 rows of ML-20M's
        shape under dropout, forward and gradient take two fifths of the time of dense rows. XLA, JAX and GPUs always
        multiply dense rows. On
        JAX, rows with more than `MAX_DENSE_CELLS` cells are multiplied entry by entry, so that the memory does not
        grow with the number of columns.

        Args:
            kernel: `(n_columns, units)`.
            dtype: of the factors of a dense product; the kernel's if omitted.

        Returns:
            `(n_rows, units)`, of the kernel's dtype, summed in float32.
        """
        factors = dtype or keras.backend.standardize_dtype(kernel.dtype)
        if omits_padding():
            return cheapest_product(self, kernel, factors)
        if keras.backend.backend() == "jax" and self.n_rows * kernel.shape[0] > MAX_DENSE_CELLS:
            return padded_product(self.values, self.columns, self.n_rows, kernel)
        return dense_product(self.dense(kernel.shape[0], dtype=factors), kernel, factors)

    def _padded_length(self) -> int:
        return int(self.rows.shape[0]) // max(self.n_rows, 1)


class DenseRows(NamedTuple):
    """Dense rows with the methods of `SparseRows`: each cell is an entry, and `mask` marks the observed ones.

    Attributes:
        values: float32 `(batch, n_columns)`.
        mask: float32 `(batch, n_columns)`, 1 for observed cells and 0 for others.
        counts: float32 `(batch,)`, number of observed cells of each row.
    """

    values: Tensor
    mask: Tensor
    counts: Tensor

    def with_values(self, values: Tensor) -> DenseRows:
        """The same rows with other values `(batch, n_columns)`."""
        return self._replace(values=values)

    def row_sums(self, values: Tensor) -> Tensor:
        """Sum over the cells of each row: `(batch, n_columns)` → `(batch,)`."""
        return ops.sum(values, axis=1)

    def broadcast_to_entries(self, of_rows: Tensor) -> Tensor:
        """The value of each row, to be broadcast over its cells: `(batch,)` → `(batch, 1)`."""
        return ops.expand_dims(of_rows, 1)

    def gather(self, dense: Tensor) -> Tensor:
        """`dense` `(batch, n_columns)` itself, as every cell is an entry."""
        return dense

    def matmul(self, kernel: Tensor, dtype: str | None = None) -> Tensor:
        """The rows times a kernel `(n_columns, units)`: `(batch, units)`; `dtype` as in `SparseRows.matmul`."""
        return dense_product(self.values, kernel, dtype or keras.backend.standardize_dtype(kernel.dtype))


def observed_rows(inputs: Batch | Tensor, use_values: bool = False) -> SparseRows | DenseRows:
    """The observed entries of a batch.

    Args:
        inputs: `{"ids": (batch, length), "values": (batch, length)}`, or rows `(batch, n_columns)`, dense or a
            sparse tensor, in which 0 is not observed.
        use_values: whether entries have the values of the batch; 1 each otherwise.

    Raises:
        TypeError: `inputs` is a ragged tensor.
        ValueError: a batch has no ids, or dense rows have another rank than 2.
    """
    if isinstance(inputs, Mapping):
        if "ids" not in inputs:
            raise ValueError(f"`x`: expected a batch with `ids`, got {', '.join(map(str, inputs)) or 'an empty one'}")
        return from_padded_ids(inputs["ids"], inputs["values"] if use_values and "values" in inputs else 1.0)
    refuse_ragged(inputs)
    dense = ops.cast(ops.convert_to_tensor(inputs, sparse=False), "float32")
    rank = dense.shape.rank if hasattr(dense.shape, "rank") else len(dense.shape)
    if rank not in (2, None):  # TensorFlow may not know it
        raise ValueError(
            f"`x`: expected dense rows of shape (batch, n_columns), got a tensor of rank {rank}. Fix: pass inputs and "
            "targets as two arguments, and one row as `x[None]`"
        )
    mask = ops.cast(dense != 0, "float32")
    return DenseRows(dense if use_values else mask, mask, ops.sum(mask, axis=1))


def refuse_ragged(x: Any) -> None:
    """Refuses a ragged tensor, whose numbers can be columns or values.

    Raises:
        TypeError: `x` is a ragged tensor.
    """
    if type(x).__name__ == "RaggedTensor":
        raise TypeError(
            "`x`: expected Interactions, a sparse matrix, padded ids or dense rows, got a RaggedTensor. Fix: "
            '`{"ids": x.to_tensor(-1)}` for lists of column numbers, `Interactions.from_arrays(users, items)` for ids'
        )


def from_padded_ids(ids: Tensor, values: Tensor = 1.0) -> SparseRows:
    """The entries of padded id lists.

    Args:
        ids: `(batch, length)`, -1 for padding, integers of any dtype.
        values: a number, or an array that broadcasts to `ids`.

    Raises:
        ValueError: `ids` is a symbolic tensor, whose number of entries is unknown.
    """
    if isinstance(ids, keras.KerasTensor):
        raise ValueError(
            "expected dense rows as symbolic inputs of a part of a model, got lists of ids. "
            "Fix: `keras.Input((n_columns,))`"
        )
    ids = ops.cast(ids, "int32")  # MirroredStrategy passes float32 ids, because it averages its first batch
    n_rows, length = ops.shape(ids)
    flat, counts = ops.reshape(ids, (-1,)), ops.sum(ops.cast(ids >= 0, "float32"), axis=1)
    values = ops.cast(ops.convert_to_tensor(values), "float32")
    is_scalar = len(values.shape) == 0
    if not is_scalar:
        values = ops.reshape(ops.broadcast_to(values, ops.shape(ids)), (-1,))
    if omits_padding():
        (places,) = ops.nonzero(flat >= 0)
        columns = ops.take(flat, places, axis=0)
        mask = ops.ones_like(columns, "float32")
        values = values * mask if is_scalar else ops.take(values, places, axis=0)
        return SparseRows(values, places // length, columns, mask, counts)
    mask = ops.cast(flat >= 0, "float32")
    rows = ops.repeat(ops.arange(n_rows, dtype="int32"), length)
    return SparseRows(values * mask, rows, ops.maximum(flat, 0), mask, counts)


def padded_ids(inputs: Batch | Tensor) -> Tensor | None:
    """The id lists `(batch, length)` of a batch; `None` for dense rows."""
    return inputs["ids"] if isinstance(inputs, Mapping) else None


def l2_normalize_rows(observed: SparseRows | DenseRows) -> SparseRows | DenseRows:
    """Each row divided by its L2 norm; a row without entries stays 0."""
    squares = observed.row_sums(ops.square(observed.values))
    return observed.with_values(observed.values * observed.broadcast_to_entries(ops.rsqrt(ops.maximum(squares, 1e-12))))


def omits_padding() -> bool:
    """Whether `SparseRows` omits the padding: on TensorFlow, except under XLA or on a GPU."""
    return keras.backend.backend() == "tensorflow" and not in_xla() and not has_gpu()
