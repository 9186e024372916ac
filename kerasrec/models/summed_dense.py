"""A stack of dense layers, each with the sum of all earlier ones added."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec.layers import BFloat16Dense, xavier_dense
from kerasrec.ops.gradients import duplicate
from kerasrec.ops.sparse_rows import DenseRows, SparseRows
from kerasrec.types import Tensor


class SummedDense(keras.layers.Layer):
    """Dense layers h_l = norm(swish(W_l h_{l-1} + b_l + h_1 + … + h_{l-1})), from rows or tensors to the last of them.

    Args:
        units: width of each layer.
        depth: number of layers.
        seed: seed of the weights.
        product_dtype: dtype of the products of training, see `BFloat16Dense`.
        first: class of the first layer: `RowDense` if the input is rows of the interaction matrix.
        epsilon: added to the variance in the layer normalisation.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        depth: int,
        seed: int | None,
        product_dtype: str | None,
        first: type[keras.layers.Dense] = BFloat16Dense,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.units = units
        arguments = {"dtype": self.dtype_policy, "product_dtype": product_dtype}
        self.dense = [
            xavier_dense(
                units,
                None,
                None if seed is None else seed + i,
                f"dense_{i}",
                layer=BFloat16Dense if i else first,
                **arguments,
            )
            for i in range(depth)
        ]
        self.norms = [
            keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name=f"norm_{i}")
            for i in range(depth)
        ]

    def build(self, input_shape: Any) -> None:
        for dense, norm in zip(self.dense, self.norms, strict=True):
            dense.build(input_shape)
            input_shape = (None, self.units)
            norm.build(input_shape)

    def call(self, inputs: SparseRows | DenseRows | Tensor, training: bool = False) -> Tensor:
        hidden = self.norms[0](ops.silu(self.dense[0](inputs, training=training)))
        hidden, earlier = duplicate(hidden)  # three uses: their gradients would be added in a random order
        for dense, norm in zip(self.dense[1:], self.norms[1:], strict=True):
            hidden = norm(ops.silu(dense(hidden, training=training) + earlier))
            earlier = earlier + hidden
        return hidden
