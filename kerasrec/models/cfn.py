"""CFN: a denoising autoencoder of rating vectors with side information. https://arxiv.org/abs/1606.07659."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.losses import squared_errors
from kerasrec.models.auto_rec import AutoRec, LastLayer
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, observed_rows
from kerasrec.types import FloatArray, Tensor


@public
class CFN(AutoRec):
    """Collaborative filtering network: a denoising AutoRec that can read what is known of users or items.

    Ratings are scaled to [-1, 1] and a row's mean is taken from its entries, which gives x, and put
    back on the answer. In training a share of a row's entries, C, is hidden (set to 0, the mean), and
    being right about those counts another weight than being right about the rest:

        minimise  1/m Σ_rows [ α Σ_{i ∈ C} (x_i - f(x̃)_i)² + β Σ_{i observed, ∉ C} (x_i - f(x̃)_i)² ]
                  + reg / 2 · ‖weights‖²

    Each layer is g(W · input + S · side + b): the side information s of the row joins the input of
    every layer, not only of the first.

    Needs ratings; side information is optional (`CFN.for_interactions(train, side=…)`).

    Args:
        n_columns: width of a row: items for `rows="users"`, users for `rows="items"`.
        rows: `"users"` or `"items"` (the paper's better one).
        hidden_dims: widths of the hidden layers (paper, ML-1M items: (700,); its deep variant has 500 more, see
            `kerasrec.models.pretraining`).
        activation: g of the hidden layers (paper: tanh).
        output_activation: g of the last layer (paper: tanh).
        reg: weight decay per row (reference code: 0.025, with stochastic gradient descent).
        dropout: share of a row's entries that is hidden in training (paper, ML-1M items: 0.138).
        alpha: weight of the hidden entries' errors (paper, ML-1M items: 1.1078).
        beta: weight of the other entries' errors (paper, ML-1M items: 0.7203).
        value_range: lowest and highest rating, which become -1 and 1.
        centre_input: whether the input is without its row's mean, as in the paper. If not, it is the rating over half
            the width of the range, so that every observed entry differs from an unknown one and the input also tells
            who rated, which on ML-1M is worth an RMSE of .01. What is predicted is centred either way.
        side_shape: (rows, features) of the side information; none where absent.
        seed: seeds weights and corruption.

    Shapes:
        In: a batch of `kerasrec.data.batches`; dense `(batch, n_columns)`, 0 where not observed, to
        answer from but not to train on. Out: predicted ratings `(batch, n_columns)`, float32.

    Example:
        >>> import numpy as np
        >>> from kerasrec import CFN, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> taste = np.eye(10)[table.item_ids % 10]  # one feature for each taste that an item can be of
        >>> model = CFN.for_interactions(table, rows="items", side=taste, hidden_dims=(16,), seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: trained by Adam (the paper: mini-batch SGD), hence another `reg`; no greedy
    pre-training of a second layer unless asked for. The reference code also lets biases decay, and quotes the best
    epoch on test.

    Source: Strub, Gaudel and Mary, Hybrid Recommender System based on Autoencoders, DLRS 2016, and the authors'
    code (Autoencoders_cf).
    """

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
        self.side_shape = None if side_shape is None else tuple(side_shape)
        self.hiding = keras.random.SeedGenerator(self.seed_for("hiding"))
        self.functions = [layer.activation for layer in self.dense]
        for layer in self.dense:
            layer.activation = keras.activations.linear  # applied once side information has joined
        decay = keras.regularizers.L2(reg / 2) if reg else None
        self.side_layers = [
            keras.layers.Dense(
                layer.units,
                use_bias=False,
                kernel_initializer=keras.initializers.GlorotUniform(self.seed_for(f"side_{i}")),
                kernel_regularizer=decay,
                dtype=layer.dtype_policy,
                name=f"side_{i}",
            )
            for i, layer in enumerate(self.dense if side_shape else [])
        ]

    @classmethod
    def for_interactions(
        cls,
        train: Interactions,
        epochs: int | None = None,
        batch_size: int | None = None,
        side: FloatArray | None = None,
        **arguments: Any,
    ) -> CFN:
        """The model sized for `train`, as of any recommender.

        Args:
            train: the training table.
            epochs: of the `fit` to come.
            batch_size: of that `fit`, if not the default.
            side: `(n_items, features)` for `rows="items"`, `(n_users, features)` for `rows="users"`,
                in the order of the table's ids; see `kerasrec.data.side_information`.
            **arguments: of the constructor.

        Raises:
            ValueError: `side` has another number of rows than the table.
        """
        rows = train.n_items if arguments.get("rows") == "items" else train.n_users
        if side is None:
            return super().for_interactions(train, epochs, batch_size, **arguments)
        if len(side) != rows:
            raise ValueError(f"`side` has {len(side):,} rows, the table {rows:,}: give one for each row in its order")
        model = super().for_interactions(train, epochs, batch_size, side_shape=side.shape, **arguments)
        model.build()
        model.side.assign(side)
        return model

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if self.side_shape is not None:
            # A weight, so that it is saved and served with the model.
            self.side = self.add_weight(
                self.side_shape, "zeros", "float32", trainable=False, autocast=False, name="side_information"
            )
            for layer in self.side_layers:
                layer.build((None, self.side_shape[1]))

    def side_of(self, inputs: Any) -> Tensor | None:
        """The side information of a batch's rows, `(batch, features)`; 0 for strangers, `None` where there is none."""
        if self.side_shape is None:
            return None
        if not (isinstance(inputs, Mapping) and "row" in inputs):
            return ops.zeros((1, self.side_shape[1]))
        row = ops.cast(inputs["row"], "int32")
        return ops.where(ops.expand_dims(row >= 0, 1), ops.take(self.side, ops.maximum(row, 0), axis=0), 0.0)

    def prepared(self, inputs: Any) -> tuple[SparseRows | DenseRows, SparseRows | DenseRows, Tensor]:
        """What the first layer reads of a batch, what it is to rebuild, and the rows' means, `(batch,)`.

        A mean is on the scale of the ratings, the middle of their range for an empty row; what is to be rebuilt is
        scaled and without it.
        """
        rated = observed_rows(inputs, use_values=True)
        low, high = self.value_range or (1.0, 5.0)
        mean = rated.row_sums(rated.values) / ops.maximum(rated.counts, 1.0)
        mean = ops.where(rated.counts > 0, mean, (low + high) / 2)
        centred = rated.with_values(rated.known * (rated.values - rated.broadcast_to_entries(mean)) / self.half_range())
        whole = rated.with_values(rated.known * rated.values / self.half_range())
        return centred if self.centre_input else whole, centred, mean

    def half_range(self) -> float:
        """Half the width of the ratings' range, which becomes 1."""
        low, high = self.value_range or (1.0, 5.0)
        return (high - low) / 2

    def layer(self, place: int, side: Tensor | None, inputs: Any) -> Tensor:
        """The output of the layer at a place, side information joined."""
        output = self.dense[place](inputs)
        if side is not None:
            output = output + self.side_layers[place](side)
        return self.functions[place](output)

    def hidden(self, seen: SparseRows | DenseRows, side: Tensor | None) -> Tensor:
        """The last hidden layer, from what is read."""
        hidden: Any = seen
        for place in range(len(self.dense) - 1):
            hidden = self.layer(place, side, hidden)
        return hidden

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        return self.hidden(self.prepared(inputs)[0], self.side_of(inputs))

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        (seen, scaled, mean), side = self.prepared(inputs), self.side_of(inputs)
        if training:
            if isinstance(scaled, DenseRows):
                raise ValueError(
                    "CFN learns from batches of ids and values, which tell a rating from none; not dense rows"
                )
            hide = keras.random.uniform(ops.shape(scaled.values), seed=self.hiding) < self.dropout
            seen = seen.with_values(ops.where(hide, 0.0, seen.values))
        output = self.layer(len(self.dense) - 1, side, self.hidden(seen, side))
        if training:
            self.add_loss(ops.mean(squared_errors(scaled, output, ops.where(hide, self.alpha, self.beta))))
        return ops.expand_dims(mean, 1) + self.half_range() * output

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training:
            if y is not None or sample_weight is not None:
                raise ValueError("CFN rebuilds its own rows: give `fit` rows only, no `y`, no weights")
            return self.regularization_losses()
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        both, n = super().layer_pairs(), len(self.side_layers)
        return [[*pair, *(self.side_layers[i] for i in (place, n - 1 - place) if n)] for place, pair in enumerate(both)]

    def truncated(self, depth: int) -> AutoRec:
        stage: Any = super().truncated(depth)
        if self.side_shape is not None:
            stage.side.assign(self.side)
        return stage

    def last_layer(self, inputs: Any) -> LastLayer:
        codes, kernel, bias, _, _ = super().last_layer(inputs)
        side = self.side_of(inputs)
        if side is not None:
            codes = ops.concatenate([codes, side], axis=1)
            kernel = ops.concatenate([kernel, self.side_layers[-1].kernel], axis=0)
        _, _, mean = self.prepared(inputs)
        half, activation = self.half_range(), self.functions[-1]
        return LastLayer(codes, kernel, bias, lambda product: half * activation(product), mean)

    @property
    def n_known_rows(self) -> int | None:
        return None if self.side_shape is None else self.side_shape[0]

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """What a served request must tell: of users with side information, who they are."""
        asked = super().serving_inputs
        return asked if self.side_shape is None or self.rows == "items" else (*asked, "user_id")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in ("alpha", "beta", "centre_input", "side_shape")},
        }
