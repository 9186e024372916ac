"""The first layer of an autoencoder, whose input is rows of the interaction matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.ops.indexing import gather_rows
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, observed_rows
from kerasrec.types import Batch, Tensor
from kerasrec.validation import as_int_at_least


@public
class RowDense(keras.layers.Dense):
    """A dense layer over rows of the interaction matrix: activation(x · kernel + bias).

    On a CPU its cost grows with the number of observed entries, not with the number of columns.

    Args:
        units: width of the output.
        activation: as in `keras.layers.Dense`.
        sparse: for large catalogues: read only those rows of the kernel that a batch observes. The gradient then
            holds only these rows (`tf.IndexedSlices`; on JAX and under XLA it is dense). Use it with
            `kerasrec.optimizers.Adam`, because Keras' Adam squares each part of a row's gradient before adding them.
        n_columns: width of the rows. Required for lists of ids, unless `build` gets the shape of dense rows.
        product_dtype: dtype of the factors of x · kernel in training, for example `"bfloat16"` on hardware that
            multiplies it fast. The default follows the dtype policy.
        **kwargs: as in `keras.layers.Dense`.

    Shapes:
        In: a batch of `kerasrec.data.batches`, dense rows `(batch, n_columns)`, or `SparseRows`.
        Out: `(batch, units)`.

    Raises:
        ValueError: rows have another number of columns than the kernel, or `n_columns` is missing for lists of ids.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import RowDense
        >>> layer = RowDense(2, n_columns=4, kernel_initializer="ones")
        >>> np.asarray(layer({"ids": np.array([[2, 0, 3], [3, -1, -1]])}))
        array([[3., 3.],
               [1., 1.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        sparse: bool = False,
        n_columns: int | None = None,
        product_dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.sparse = sparse
        self.n_columns = None if n_columns is None else as_int_at_least(1, n_columns=n_columns)
        self.product_dtype = product_dtype
        self.input_spec = None  # `keras.layers.Dense` expects one tensor, and a batch is a dictionary of several

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        # Mixed precision would cast the whole kernel before its rows are taken.
        return super().add_weight(*args, **{**kwargs, **({"autocast": False} if self.sparse else {})})

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, Mapping):
            if self.n_columns is None:
                raise ValueError("`n_columns` of RowDense: expected the number of columns for lists of ids, got None")
            input_shape = (None, self.n_columns)
        elif self.n_columns is not None:
            self._check_width(input_shape[-1])
        super().build(input_shape)
        self.n_columns = self.kernel.shape[0]
        self.input_spec = None  # lists of ids are as wide as the longest row, not as the kernel

    def _check_width(self, width: int | None) -> None:
        if width not in (None, self.n_columns):
            raise ValueError(
                f"expected rows with {self.n_columns} columns, got {width}. "
                'Fix: pass lists of column ids as `{"ids": lists}`'
            )

    def call(self, inputs: Batch | Tensor | SparseRows | DenseRows, training: bool = False) -> Tensor:
        rows = inputs if isinstance(inputs, (SparseRows, DenseRows)) else observed_rows(inputs, use_values=True)
        if isinstance(rows, DenseRows):
            self._check_width(rows.values.shape[-1])
        if self.sparse and isinstance(rows, SparseRows) and keras.backend.backend() == "tensorflow":
            values = ops.expand_dims(ops.cast(rows.values, "float32"), 1)
            hidden = rows.row_sums(values * ops.cast(gather_rows(self.kernel, rows.columns), "float32"))
        else:
            hidden = rows.matmul(self.product_kernel(), self.product_dtype if training else None)
        hidden = ops.cast(hidden, self.compute_dtype)
        if self.use_bias:
            hidden = hidden + ops.cast(self.bias, self.compute_dtype)
        return self.activation(hidden)

    def product_kernel(self) -> Tensor:
        """The matrix that rows are multiplied by, `(n_columns, units)`."""
        return ops.convert_to_tensor(self.kernel)

    def get_config(self) -> dict[str, Any]:
        config = {"sparse": self.sparse, "n_columns": self.n_columns, "product_dtype": self.product_dtype}
        return {**super().get_config(), **config}

    def compute_output_spec(self, inputs: Any, training: bool = False) -> keras.KerasTensor:
        """The output as a symbolic tensor."""
        if isinstance(inputs, (SparseRows, DenseRows)):
            rows = inputs.counts.shape
        else:
            rows = (inputs["ids"] if isinstance(inputs, Mapping) else inputs).shape[:-1]
        return keras.KerasTensor((*rows, self.units), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = input_shape["ids"] if isinstance(input_shape, Mapping) else input_shape
        return (*shape[:-1], self.units)
