"""CFN: a denoising autoencoder of rating vectors with side information. https://arxiv.org/abs/1606.07659."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.losses import RowMean
from kerasrec.losses.ratings import squared_errors
from kerasrec.models.auto_rec import AutoRec
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.item_rows import OutputLayer
from kerasrec.models.search_space import Choice, Range
from kerasrec.models.stored_side import StoredSide
from kerasrec.ops.sparse_rows import DenseRows, SparseRows
from kerasrec.types import Tensor


@public
class CFN(StoredSide, AutoRec):
    """Collaborative filtering network: a denoising AutoRec that can read side information about users or items.

    Ratings are scaled to [-1, 1]. The mean of a row is subtracted from its entries, which gives x, and added to the
    output. In training a share of a row's entries, C, is hidden (set to 0, the mean). Hidden and other entries have
    different weights in the loss:

        minimise  1/m Σ_rows [ α Σ_{i ∈ C} (x_i - f(x̃)_i)² + β Σ_{i observed, ∉ C} (x_i - f(x̃)_i)² ]
                  + reg / 2 · ‖weights‖²

    Each layer is g(W · input + S · side + b): the side information of the row joins the input of every layer, not
    only of the first.

    Needs ratings. Side information is optional (`CFN.for_interactions(train, side=…)`).

    Args:
        n_columns: width of a row: the number of items for `rows="users"`, of users for `rows="items"`.
        rows: `"users"` or `"items"` (better in the paper).
        hidden_dims: widths of the hidden layers (paper, ML-1M items: (700,); its deep variant has 500 more, see
            `kerasrec.models.pretraining`).
        activation: g of the hidden layers (paper: tanh).
        output_activation: g of the output layer (paper: tanh).
        reg: weight decay per row (reference code: 0.025, with stochastic gradient descent).
        dropout: share of a row's entries that is hidden in training (paper, ML-1M items: 0.138).
        alpha: α, weight of the errors of hidden entries (paper, ML-1M items: 1.1078).
        beta: β, weight of the errors of other entries (paper, ML-1M items: 0.7203).
        value_range: lowest and highest rating, which are scaled to -1 and 1.
        centre_input: whether the row's mean is subtracted from the input, as in the paper. If False, the input is the
            rating over half the width of the range. Then every observed entry differs from an unobserved one, so that
            the input also shows who rated, which improves the RMSE on ML-1M by .01. The target is centred either way.
        side_shape: (rows, features) of the side information, or None.
        seed: seed of weights and corruption.

    Shapes:
        In: a batch of `kerasrec.data.batches`; outside training also dense `(batch, n_columns)`, 0 where not
        observed. Out: predicted ratings `(batch, n_columns)`, float32.

    Raises:
        ValueError: `fit` receives `y`, or dense rows, in which a missing rating cannot be distinguished from 0.

    Example:
        >>> import numpy as np
        >>> from kerasrec import CFN, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> taste = np.eye(10)[table.item_ids % 10]  # one feature per taste of the generated items
        >>> model = CFN.for_interactions(table, rows="items", side=taste, hidden_dims=(16,), seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: the optimizer is Adam, the paper uses mini-batch SGD. Therefore `reg` has another value.
    Greedy pre-training of a second layer is optional. The reference code also regularises biases, and it reports the
    epoch that is best on test.

    Source: Strub, Gaudel and Mary, Hybrid Recommender System based on Autoencoders, DLRS 2016, and the authors'
    code (Autoencoders_cf).
    """

    search_space = {
        "hidden_dims": Choice(((300,), (700,), (700, 500))),
        "reg": Range(1e-3, 1.0, log=True),
        "dropout": Range(0.0, 0.6),
        "alpha": Range(0.5, 2.0),
        "beta": Range(0.2, 1.5),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

    def __init__(
        self,
        n_columns: int,
        rows: str = "users",
        hidden_dims: tuple[int, ...] = (700,),
        activation: str = "tanh",
        output_activation: str | None = "tanh",
        reg: float = 0.08,
        dropout: float = 0.138,
        alpha: float = 1.1078,
        beta: float = 0.7203,
        value_range: tuple[float, float] = (1.0, 5.0),
        centre_input: bool = True,
        side_shape: tuple[int, int] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            n_columns, rows, hidden_dims, activation, output_activation, reg, dropout, value_range, seed, **kwargs
        )
        self.alpha = alpha
        self.beta = beta
        self.centre_input = centre_input
        self.side_shape = None if side_shape is None else (side_shape[0], side_shape[1])
        self.corruption = keras.random.SeedGenerator(self.seed_for("hiding"))
        self.activations = [layer.activation for layer in self.dense]
        for layer in self.dense:
            layer.activation = keras.activations.linear  # applied after side information is added
        self.side_layers = [
            self._dense(keras.layers.Dense, layer.units, f"side_{i}", use_bias=False, dtype=layer.dtype_policy)
            for i, layer in enumerate(self.dense if side_shape else [])
        ]

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The variant that is best on MovieLens 1M; the paper's has an RMSE that is higher by .01."""
        better = {"activation": "sigmoid", "output_activation": None, "centre_input": False, "reg": 0.015}
        return {**super().defaults_for(train, validation, arguments), **better}

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if self.side_shape is not None:
            self.add_side()
            for layer in self.side_layers:
                layer.build((None, self.side_shape[1]))

    @property
    def half_range(self) -> float:
        """Half the width of the ratings' range, which is scaled to 1."""
        low, high = self.value_range or (1.0, 5.0)
        return (high - low) / 2

    def side_of(self, inputs: Any) -> Tensor | None:
        """The side information of a batch's rows, `(batch, features)`, 0 for unknown rows; None without any."""
        if self.side_shape is None:
            return None
        if not (isinstance(inputs, Mapping) and "row" in inputs):
            return ops.zeros((1, self.side_shape[1]))
        row = ops.cast(inputs["row"], "int32")
        return ops.where(ops.expand_dims(row >= 0, 1), ops.take(self.side, ops.maximum(row, 0), axis=0), 0.0)

    def scaled(self, inputs: Any) -> tuple[SparseRows | DenseRows, SparseRows | DenseRows, Tensor]:
        """The input of the first layer, the target, and the mean of each row, `(batch,)`.

        The target is centred and scaled to [-1, 1]. The mean has the scale of the ratings; for an empty row it is the
        middle of their range.
        """
        ratings = self.observed(inputs)
        low, high = self.value_range or (1.0, 5.0)
        mean = ratings.row_sums(ratings.values) / ops.maximum(ratings.counts, 1.0)
        mean = ops.where(ratings.counts > 0, mean, (low + high) / 2)
        centred_values = ratings.mask * (ratings.values - ratings.broadcast_to_entries(mean)) / self.half_range
        centred = ratings.with_values(centred_values)
        uncentred = ratings.with_values(ratings.mask * ratings.values / self.half_range)
        return centred if self.centre_input else uncentred, centred, mean

    def apply_layer(self, number: int, inputs: Any, side: Tensor | None, **kwargs: Any) -> Tensor:
        """The output of a layer, with side information joined to its input."""
        output = self.dense[number](inputs, **kwargs)
        if side is not None:
            output = output + self.side_layers[number](side)
        return self.activations[number](output)

    def hidden(self, rows: SparseRows | DenseRows, side: Tensor | None, training: bool = False) -> Tensor:
        """The last hidden layer."""
        hidden = self.apply_layer(0, rows, side, training=training)
        for number in range(1, len(self.dense) - 1):
            hidden = self.apply_layer(number, hidden, side)
        return hidden

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        return self.hidden(self.scaled(inputs)[0], self.side_of(inputs), training)

    def call(self, inputs: Any, training: bool = False) -> Any:
        (rows, target, mean), side = self.scaled(inputs), self.side_of(inputs)
        last = len(self.dense) - 1
        if not training:
            output = self.apply_layer(last, self.hidden(rows, side), side)
            return ops.expand_dims(mean, 1) + self.half_range * output
        if isinstance(target, DenseRows):
            raise ValueError(
                "CFN: expected batches of ids and values, got dense rows, which cannot distinguish a rating from no "
                "rating. Fix: pass `Interactions` to `fit`"
            )
        hide = keras.random.uniform(ops.shape(target.values), seed=self.corruption) < self.dropout
        corrupted = rows.with_values(ops.where(hide, 0.0, rows.values))
        output = self.apply_layer(last, self.hidden(corrupted, side, training=True), side)
        weights = ops.where(hide, ops.convert_to_tensor(self.alpha, "float32"), self.beta)
        return {"output": output, "target": target, "weights": weights}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        self.refuse_targets(y)
        errors = squared_errors(y_pred["target"], y_pred["output"], y_pred["weights"])
        return RowMean()(errors, errors, sample_weight) + self.regularization_losses()

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        pairs, n = super().layer_pairs(), len(self.side_layers)
        return [[*pair, *(self.side_layers[j] for j in (i, n - 1 - i) if n)] for i, pair in enumerate(pairs)]

    def truncated(self, depth: int) -> AutoRec:
        model: Any = super().truncated(depth)
        if self.side_shape is not None:
            model.side.assign(self.side)
        return model

    def output_layer(self, inputs: Any) -> OutputLayer:
        codes, kernel, bias, _, _ = super().output_layer(inputs)
        side = self.side_of(inputs)
        if side is not None:
            codes = ops.concatenate([codes, side], axis=1)
            kernel = ops.concatenate([kernel, self.side_layers[-1].kernel], axis=0)
        _, _, mean = self.scaled(inputs)
        scale, activation = self.half_range, self.activations[-1]
        return OutputLayer(codes, kernel, bias, lambda product: scale * activation(product), mean)

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        if self.side_shape is None:
            return super().weight_axes()
        return [*super().weight_axes(), (self.side_layers[-1].kernel, (None, "columns")), (self.side, ("rows", None))]

    @property
    def n_known_rows(self) -> int | None:
        return None if self.side_shape is None else self.side_shape[0]

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The inputs of `AutoRec`, plus `user_id` if the model has side information about users."""
        inputs = super().serving_inputs
        return inputs if self.side_shape is None or self.rows == "items" else (*inputs, "user_id")
