"""AutoRec: an autoencoder of rating vectors. https://doi.org/10.1145/2740908.2742726."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.layers import RowDense
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender, widths
from kerasrec.optimizers import Adam
from kerasrec.types import Array, Tensor


@public
class AutoRec(Recommender):
    """Autoencoder that fills in the ratings of a user's (U-AutoRec) or an item's row (I-AutoRec).

        h(r) = f(W · g(V · r + μ) + b)
        minimise  1/m Σ_rows Σ_{i observed} (r_i - h(r)_i)² + reg / 2 · (‖W‖² + ‖V‖²)

    with m rows; `reg` is λ / m of the paper. Biases are free. Only observed entries are in the
    loss, and the input is 0 where nothing was observed.

    Needs ratings.

    Args:
        n_columns: width of a row: items for `rows="users"`, users for `rows="items"`.
        rows: `"users"` or `"items"`.
        hidden_dims: widths of the hidden layers (paper: (500,); its deep variant (500, 250, 500)).
        activation: g, of the hidden layers (paper: sigmoid).
        output_activation: f (paper: the identity, None, is best).
        reg: λ / m (the paper tunes λ from 0.001 to 1000; 0.06 suits both sides of MovieLens 1M).
        dropout: share of the code that is dropped in training (paper: 0).
        value_range: lowest and highest rating, to which predictions are clipped when measured.
        seed: seeds weights and dropout.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_columns)`, 0 where not observed.
        Out: predicted ratings `(batch, n_columns)`, float32.

    Differs from the paper in: trained by Adam on mini-batches (the paper uses resilient
    propagation and L-BFGS on all rows at once), hence `reg` is per row.

    Source: Sedhain, Menon, Sanner and Xie, AutoRec: Autoencoders Meet Collaborative Filtering,
    WWW 2015.
    """

    feedback = "ratings"
    default_epochs = 100

    def __init__(
        self,
        n_columns: int,
        rows: str = "users",
        hidden_dims: tuple[int, ...] = (500,),
        activation: str = "sigmoid",
        output_activation: str | None = None,
        reg: float = 0.06,
        dropout: float = 0.0,
        value_range: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_columns, seed=seed, **kwargs)
        if rows not in ("users", "items"):
            raise ValueError(f'`rows` must be "users" or "items", not {rows!r}')
        self.rows = rows
        self.hidden_dims = widths(hidden_dims)
        self.activation = activation
        self.output_activation = output_activation
        self.reg = reg
        self.dropout = dropout
        self.value_range = None if value_range is None else tuple(value_range)

        decay = keras.regularizers.L2(reg / 2) if reg else None
        dims = (*self.hidden_dims, n_columns)
        last = len(dims) - 1
        self.dense = [
            (keras.layers.Dense if i else RowDense)(
                width,
                output_activation if i == last else activation,
                kernel_initializer=keras.initializers.GlorotUniform(self.seed_for(f"dense_{i}")),
                kernel_regularizer=decay,
                # The output is compared with ratings and ranked: float32 under any policy.
                dtype="float32" if i == last else self.dtype_policy,
                name=f"dense_{i}",
            )
            for i, width in enumerate(dims)
        ]
        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        self.squared_error = MaskedMeanSquaredError(per="row")

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        n_columns = train.n_users if arguments.get("rows") == "items" else train.n_items
        value_range = (float(train.values.min()), float(train.values.max()))
        return {"n_columns": n_columns, "value_range": value_range, **arguments}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam, from 0.003 down to 0 as a cosine over the run that was planned; at 0.001 where none was."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(3e-3))

    def build(self, input_shape: Any = None) -> None:
        width = self.n_columns
        for layer in self.dense:
            layer.build((None, width))
            width = layer.units

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The last hidden layer, `(batch, hidden_dims[-1])`."""
        first, *others = self.dense[:-1]
        hidden = first(inputs)
        for layer in others:
            hidden = layer(hidden)
        return self.drop(hidden, training=training)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.dense[-1](self.encode(inputs, training))

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        if self.hidden_dims != self.hidden_dims[::-1] or len(self.hidden_dims) % 2 == 0:
            raise ValueError(f"`hidden_dims` must be the same backwards, as (500, 250, 500), not {self.hidden_dims}")
        return [list(pair) for pair in zip(self.dense, reversed(self.dense), strict=True)][: len(self.dense) // 2]

    def truncated(self, depth: int) -> AutoRec:
        dims = (*self.hidden_dims[:depth], *reversed(self.hidden_dims[: depth - 1]))
        stage: AutoRec = self.from_config({**self.get_config(), "hidden_dims": dims})
        stage.build()
        return stage

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        return (
            self.squared_error(self.observed_entries(x if y is None else y), y_pred, sample_weight)
            + self.regularization_losses()
        )

    @property
    def output_kernel(self) -> Tensor:
        """The last layer's weights, `(n_columns, hidden_dims[-1])`: of user rows one vector an item."""
        return ops.transpose(self.dense[-1].kernel)

    def last_layer(self, inputs: Any) -> LastLayer:
        """What the output of a batch is made of."""
        last, codes = self.dense[-1], self.encode(inputs)
        return LastLayer(codes, last.kernel, last.bias, last.activation, ops.zeros(ops.shape(codes)[:1]))

    def as_user_model(self, train: Interactions) -> Recommender:
        """I-AutoRec as a model that is asked by user: the items' codes are computed once, from `train`."""
        return super().as_user_model(train) if self.rows == "users" else _AskedByUser.of(self, train)

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """What a served request must tell."""
        return ("history", "ratings") if self.rows == "users" else ("user_id",)

    def get_config(self) -> dict[str, Any]:
        names = ("n_columns", "rows", "hidden_dims", "activation", "output_activation", "reg", "dropout", "value_range")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class LastLayer(NamedTuple):
    """What a batch of rows is rebuilt from: activation(codes · kernel + bias) + offsets.

    Attributes:
        codes: `(batch, units)`, the input of the last layer.
        kernel: `(units, n_columns)`.
        bias: `(n_columns,)`.
        activation: f.
        offsets: `(batch,)`, what is added to each row.
    """

    codes: Tensor
    kernel: Tensor
    bias: Tensor
    activation: Callable[[Tensor], Tensor]
    offsets: Tensor


class _AskedByUser(Recommender):
    """I-AutoRec turned around: one user's predicted ratings of all items.

    Column u of the reconstructed items × users matrix is f(H · w_u + b_u) + o, with H the items' codes,
    o their offsets and w_u the user's output weights: a product of `(n_items, units)` and `(units,)` instead of a
    pass over every item's row. A user without weights (row -1) gets the mean user's.
    """

    feedback = "ratings"
    serving_inputs = ("user_id",)

    def __init__(self, codes: Array, offsets: Array, kernel: Array, bias: Array, activation: Any) -> None:
        super().__init__(len(codes), name="auto_rec_by_user")
        self.offsets = self.add_weight(shape=offsets.shape, trainable=False, dtype="float32", name="offsets")
        self.offsets.assign(offsets)
        self.codes = self.add_weight(shape=codes.shape, trainable=False, dtype="float32", name="codes")
        weights = np.concatenate([kernel.T, kernel.T.mean(0, keepdims=True)])
        self.users = self.add_weight(shape=weights.shape, trainable=False, dtype="float32", name="users")
        self.bias = self.add_weight(shape=(len(weights),), trainable=False, dtype="float32", name="bias")
        self.codes.assign(codes)
        self.users.assign(weights)
        self.bias.assign(np.append(bias, bias.mean()))
        self.output_activation = activation
        self.built = True

    @classmethod
    def of(cls, model: AutoRec, train: Interactions) -> _AskedByUser:
        items = model.batches(train)
        parts = [model.last_layer(items[i][0]) for i in range(len(items))]
        codes = np.concatenate([ops.convert_to_numpy(part.codes) for part in parts])
        offsets = np.concatenate([ops.convert_to_numpy(part.offsets) for part in parts])
        last = parts[0]
        kernel, bias = ops.convert_to_numpy(last.kernel), ops.convert_to_numpy(last.bias)
        return cls(codes.astype(np.float32), offsets, kernel, bias, last.activation)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        row = ops.cast(inputs["row"], "int32")
        row = ops.where(row < 0, self.users.shape[0] - 1, row)
        scores = ops.matmul(ops.take(self.users, row, axis=0), ops.transpose(self.codes))
        return self.output_activation(scores + ops.expand_dims(ops.take(self.bias, row), 1)) + self.offsets
