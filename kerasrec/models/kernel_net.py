"""kernelNet: an AutoRec whose weights are sparsified by kernels. https://proceedings.mlr.press/v80/muller18a.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.layers import KernelDense
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import build_in_sequence, hidden_widths
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.item_rows import OutputLayer, UserModel
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Choice, Range
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor


@public
class KernelNet(Recommender):
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

    Source: Muller, Martel and Indiveri, Kernelized Synaptic Weight Matrices, ICML 2018, and the authors' code
    (lorenzMuller/kernelNet_MovieLens).
    """

    feedback = "ratings"
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
        super().__init__(n_columns, seed=seed, **kwargs)
        if rows not in ("users", "items"):
            raise ValueError(f'`rows`: expected "users" or "items", got {rows!r}')
        self.rows = rows
        self.hidden_dims = hidden_widths(hidden_dims)
        self.kernel_dim = kernel_dim
        self.reg = reg
        self.similarity_reg = similarity_reg
        self.value_range = None if value_range is None else (value_range[0], value_range[1])

        self.dense = [self._dense(units, i) for i, units in enumerate(self.hidden_dims)]
        # The output is compared with ratings and ranked: float32 under any policy.
        self.dense.append(self._dense(n_columns, len(self.hidden_dims), activation=None, dtype="float32"))
        self.squared_error = MaskedMeanSquaredError(per="row")

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

    def build(self, input_shape: Any = None) -> None:
        build_in_sequence(self.dense, self.n_columns)

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The last hidden layer, `(batch, hidden_dims[-1])`."""
        hidden: Any = self.observed(inputs)
        for layer in self.dense[:-1]:
            hidden = layer(hidden, training=training)
        return hidden

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.dense[-1](self.encode(inputs, training), training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        ratings = self.observed(x if y is None else y)
        return self.squared_error(ratings, y_pred, sample_weight) + self.regularization_losses()

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        n_columns = train.n_users if arguments.get("rows") == "items" else train.n_items
        return {"n_columns": n_columns, "value_range": (float(train.values.min()), float(train.values.max()))}

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"rows": "items"}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam. In a planned run the rate falls from 0.003 to 0 as a cosine, otherwise it is 0.001."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(3e-3))

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """A user id for item rows, otherwise a history with ratings."""
        return ("history", "ratings") if self.rows == "users" else ("user_id",)

    def as_user_model(self, train: Interactions) -> Recommender:
        """For item rows, a model with users as rows. The items' codes are computed once, from `train`."""
        return super().as_user_model(train) if self.rows == "users" else UserModel.from_item_model(self, train)

    def output_layer(self, inputs: Any) -> OutputLayer:
        """The factors of the output for a batch."""
        last, codes = self.dense[-1], self.encode(inputs)
        kernel = last.kernel * last.similarities()
        return OutputLayer(codes, kernel, last.bias, last.activation, ops.zeros(ops.shape(codes)[:1], "float32"))

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        first, last = self.dense[0], self.dense[-1]
        inner = [(first.kernel, ("columns", None)), (first.input_vectors, ("columns", None))]
        return [
            *inner,
            (last.kernel, (None, "columns")),
            (last.bias, ("columns",)),
            (last.unit_vectors, ("columns", None)),
        ]

    def item_vectors(self, train: Interactions) -> FloatArray:
        if self.rows == "users":
            last = self.dense[-1]
            return np.ascontiguousarray(ops.convert_to_numpy(last.kernel * last.similarities()).T, np.float32)
        batches = self.batches(train)
        codes = [ops.convert_to_numpy(self.encode(batches[i][0])) for i in range(len(batches))]
        return np.concatenate(codes).astype(np.float32)

    @property
    def code_layer(self) -> str | None:
        """The narrowest hidden layer."""
        return f"dense_{int(np.argmin(self.hidden_dims))}"

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, values)
