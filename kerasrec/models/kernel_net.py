"""kernelNet: an AutoRec whose weights are sparsified by kernels. https://proceedings.mlr.press/v80/muller18a.html."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec._registry import public
from kerasrec.layers import KernelDense
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import input_axes, output_axes
from kerasrec.models.precision import product_dtype
from kerasrec.models.rating_autoencoder import RatingAutoencoder
from kerasrec.models.search_space import Choice, Range
from kerasrec.types import Tensor


@public
class KernelNet(RatingAutoencoder):
    """Autoencoder of rating vectors whose weights are multiplied by kernels of learned vectors.

    Every layer is a `kerasrec.layers.KernelDense`, h_l = σ(h_{l-1} · (W_l ∘ K_l) + b_l), and the last one is linear.
    K is large where the vectors of an input and of a unit are near each other:

        K_ij = max(0, 1 - ‖u_i - v_j‖²)
        minimise  1/m Σ_rows Σ_{i observed} (r_i - h(r)_i)² + reg Σ_l ‖W_l‖² + similarity_reg Σ_l ‖K_l‖²

    m is the number of rows; `reg` and `similarity_reg` are λ₂ / m and λ_s / m of the paper. The loss contains only
    observed entries, and unobserved inputs are 0.

    Needs ratings.

    Args:
        n_columns: width of a row: the number of items for `rows="users"`, of users for `rows="items"`.
        rows: `"users"` or `"items"` (paper: items). `for_interactions` sets `"items"`.
        hidden_dims: widths of the hidden layers (paper: (500, 500)).
        kernel_dim: width of the vectors u and v (paper: 5).
        reg: λ₂ / m (authors' code for MovieLens 1M: 60 / 3,706).
        similarity_reg: λ_s / m (authors' code for MovieLens 1M: 0.013 / 3,706).
        value_range: lowest and highest rating, to which metrics clip predictions.
        seed: seed of the weights.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_columns)`, 0 where not observed.
        Out: predicted ratings `(batch, n_columns)`, float32.

    Raises:
        ValueError: `rows` is unknown, `hidden_dims` is empty, `kernel_dim` is below 1, or `similarity_reg` is negative.

    Example:
        >>> from kerasrec import KernelNet, generate
        >>> ratings = generate(n_users=100, n_items=40, seed=1)
        >>> model = KernelNet.for_interactions(ratings, hidden_dims=(16,), seed=1)
        >>> model.compile()
        >>> _ = model.fit(ratings, epochs=1, verbose=0)
        >>> model.recommend(ratings, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: trained by Adam on mini-batches; the paper uses L-BFGS on all rows at once.

    Not to be confused with GLocal-K (Han et al. 2021), whose first stage is this model. Its second stage convolves the
    rating matrix with a 3 × 3 kernel. It is not included: the result depends on the order of the user and item ids, and
    the prediction of a row depends on the rows beside it.

    Source: Muller, Martel and Indiveri, Kernelized Synaptic Weight Matrices, ICML 2018, and the authors' code
    (lorenzMuller/kernelNet_MovieLens).
    """

    search_space = {
        "hidden_dims": Choice(((500,), (500, 500))),
        "reg": Range(1e-3, 1.0, log=True),
        "similarity_reg": Range(1e-7, 1e-3, log=True),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

    def __init__(
        self,
        n_columns: int,
        rows: str = "users",
        hidden_dims: tuple[int, ...] = (500, 500),
        kernel_dim: int = 5,
        reg: float = 0.016,
        similarity_reg: float = 3.5e-6,
        value_range: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_columns, rows, hidden_dims, value_range, seed, **kwargs)
        self.kernel_dim = kernel_dim
        self.reg = reg
        self.similarity_reg = similarity_reg

        self.dense = [self._dense(units, i) for i, units in enumerate(self.hidden_dims)]
        # The output is compared with ratings and ranked: float32 under any policy.
        self.dense.append(self._dense(n_columns, len(self.hidden_dims), activation=None, dtype="float32"))

    def _dense(self, units: int, number: int, activation: str | None = "sigmoid", dtype: Any = None) -> KernelDense:
        name = f"dense_{number}"
        return KernelDense(
            units,
            activation,
            self.kernel_dim,
            self.similarity_reg,
            self.seed_for(f"vectors_{number}"),
            kernel_initializer=keras.initializers.GlorotUniform(self.seed_for(name)),
            kernel_regularizer=keras.regularizers.L2(self.reg) if self.reg else None,
            product_dtype=product_dtype(self.product_dtype),
            dtype=dtype or self.dtype_policy,
            name=name,
        )

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        hidden: Any = self.observed(inputs)
        for layer in self.dense[:-1]:
            hidden = layer(hidden, training=training)
        return hidden

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.dense[-1](self.encode(inputs, training), training=training)

    def output_kernel(self) -> Tensor:
        return self.dense[-1].kernel * self.dense[-1].similarities()

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        first, last = self.dense[0], self.dense[-1]
        vectors: list[tuple[keras.Variable, Axes]] = [
            (layer_vectors, ("columns", None)) for layer_vectors in (first.input_vectors, last.unit_vectors)
        ]
        return [*input_axes(first), *output_axes(last), *vectors]
