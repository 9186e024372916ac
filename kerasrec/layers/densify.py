"""From padded id lists to dense rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.ops.sparse_rows import SparseRows, from_padded_ids
from kerasrec.types import Batch, Tensor
from kerasrec.validation import as_int_at_least


@public
class Densify(keras.layers.Layer):
    """Converts padded lists of column ids to dense rows, inside the graph.

    Args:
        n_columns: width of the rows.
        use_values: whether entries carry their values. If False, each observed entry is 1.
        missing: value of the entries that were not observed. `nan` distinguishes a rating of 0 from no rating.
        **kwargs: as in `keras.layers.Layer`. The default `dtype` is float32, because bfloat16 cannot represent most
            ids and ratings.

    Shapes:
        In: `{"ids": (batch, length), "values": (batch, length)}`, padded with -1 (`values` is optional, 1 each), or a
        dense `(batch, n_columns)` array in which 0 is not observed. Out: `(batch, n_columns)`.

    Raises:
        ValueError: `n_columns` is not a positive integer, or dense rows have another number of columns.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import Densify
        >>> rows = Densify(4)({"ids": np.array([[2, 0], [3, -1]])})
        >>> np.asarray(rows)
        array([[1., 0., 1., 0.],
               [0., 0., 0., 1.]], dtype=float32)
    """

    def __init__(self, n_columns: int, use_values: bool = False, missing: float = 0.0, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        self.n_columns = as_int_at_least(1, n_columns=n_columns)
        self.use_values = use_values
        self.missing = missing
        self.built = True

    def call(self, inputs: Batch | Tensor) -> Tensor:
        if isinstance(inputs, Mapping):
            values = inputs["values"] if self.use_values and "values" in inputs else 1.0
            inputs = from_padded_ids(inputs["ids"], values)
        if isinstance(inputs, SparseRows):
            return ops.cast(inputs.dense(self.n_columns, self.missing), self.compute_dtype)
        dense = ops.cast(inputs, "float32")
        if dense.shape[-1] not in (None, self.n_columns):
            raise ValueError(
                f"expected rows with {self.n_columns} columns, got {dense.shape[-1]}. "
                'Fix: pass lists of column ids as `{"ids": lists}`'
            )
        return ops.cast(ops.where(dense == 0, self.missing, dense if self.use_values else 1.0), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        shape = input_shape["ids"] if isinstance(input_shape, Mapping) else input_shape
        return (shape[0], self.n_columns)

    def get_config(self) -> dict[str, Any]:
        config = {"n_columns": self.n_columns, "use_values": self.use_values, "missing": self.missing}
        return {**super().get_config(), **config}
