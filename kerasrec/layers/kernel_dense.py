"""A dense layer whose weights are multiplied by a kernel of learned vectors of its inputs and outputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.layers.row_dense import RowDense
from kerasrec.types import Tensor
from kerasrec.validation import as_int_at_least, check_at_least


@public
class KernelDense(RowDense):
    """A dense layer with kernelised weights: activation(x · (W ∘ K) + bias).

    Each input i has a vector u_i and each unit j a vector v_j, which are learned. The kernel is a finite-support bump,

        K_ij = max(0, 1 - ‖u_i - v_j‖²)

    so W ∘ K is sparse if the vectors move apart. The layer adds `similarity_reg` · ‖K‖² to the loss, which moves them.

    Args:
        units: width of the output.
        activation: as in `keras.layers.Dense`.
        kernel_dim: width of u and v (paper: 5).
        similarity_reg: weight of ‖K‖² in the loss.
        vectors_seed: seed of u and v.
        **kwargs: as in `RowDense`, without `sparse`.

    Shapes:
        In: a batch of `kerasrec.data.batches`, dense rows `(batch, n_columns)`, or `SparseRows`.
        Out: `(batch, units)`.

    Raises:
        ValueError: `kernel_dim` is below 1, or `similarity_reg` is negative.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import KernelDense
        >>> layer = KernelDense(3, "sigmoid", kernel_dim=2)
        >>> layer(np.ones((4, 8), np.float32)).shape
        TensorShape([4, 3])

    Source: Muller, Martel and Indiveri, Kernelized Synaptic Weight Matrices, ICML 2018.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        kernel_dim: int = 5,
        similarity_reg: float = 0.0,
        vectors_seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, **kwargs)
        check_at_least(0, similarity_reg=similarity_reg)
        self.kernel_dim = as_int_at_least(1, kernel_dim=kernel_dim)
        self.similarity_reg = similarity_reg
        self.vectors_seed = vectors_seed

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_vectors = self._vectors("input_vectors", int(self.kernel.shape[0]), 0)
        self.unit_vectors = self._vectors("unit_vectors", self.units, 1)

    def _vectors(self, name: str, n: int, offset: int) -> keras.Variable:
        seed = None if self.vectors_seed is None else self.vectors_seed + offset
        initializer = keras.initializers.TruncatedNormal(stddev=1e-3, seed=seed)
        return self.add_weight((n, self.kernel_dim), initializer, "float32", autocast=False, name=name)

    def similarities(self) -> Tensor:
        """K, float32 `(n_columns, units)`."""
        u, v = ops.convert_to_tensor(self.input_vectors), ops.convert_to_tensor(self.unit_vectors)
        squared_norms = ops.sum(ops.square(u), axis=1, keepdims=True) + ops.sum(ops.square(v), axis=1)
        return ops.relu(1.0 - squared_norms + 2.0 * ops.matmul(u, ops.transpose(v)))

    def product_kernel(self) -> Tensor:
        """W ∘ K, `(n_columns, units)`."""
        similarities = self.similarities()
        if self.similarity_reg:
            self.add_loss(self.similarity_reg * ops.sum(ops.square(similarities)))
        kernel = ops.convert_to_tensor(self.kernel)
        return kernel * ops.cast(similarities, kernel.dtype)

    def save_own_variables(self, store: Any) -> None:
        keras.layers.Layer.save_own_variables(self, store)  # that of `Dense` omits the vectors

    def load_own_variables(self, store: Any) -> None:
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self) -> dict[str, Any]:
        names = ("kernel_dim", "similarity_reg", "vectors_seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
