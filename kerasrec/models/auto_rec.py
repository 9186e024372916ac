"""AutoRec: an autoencoder of rating vectors. https://doi.org/10.1145/2740908.2742726."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec._registry import public
from kerasrec.layers import RowDense
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import input_axes, output_axes
from kerasrec.models.precision import product_dtype
from kerasrec.models.rating_autoencoder import RatingAutoencoder
from kerasrec.models.search_space import Choice, Range
from kerasrec.types import Tensor


@public
class AutoRec(RatingAutoencoder):
    """Autoencoder that predicts the missing ratings of a user's row (U-AutoRec) or an item's row (I-AutoRec).

        h(r) = f(W · g(V · r + μ) + b)
        minimise  1/m Σ_rows Σ_{i observed} (r_i - h(r)_i)² + reg / 2 · (‖W‖² + ‖V‖²)

    m is the number of rows, and `reg` is λ / m of the paper. Biases are not regularised. The loss contains only
    observed entries, and unobserved inputs are 0.

    Needs ratings.

    Args:
        n_columns: width of a row: the number of items for `rows="users"`, of users for `rows="items"`.
        rows: `"users"` or `"items"`. `for_interactions` sets `"items"`, which is better in the paper.
        hidden_dims: widths of the hidden layers (paper: (500,); its deep variant (500, 250, 500)).
        activation: g, of the hidden layers (paper: sigmoid).
        output_activation: f (paper: the identity, None, is best).
        reg: λ / m (the paper tunes λ from 0.001 to 1000; 0.06 suits both sides of MovieLens 1M).
        dropout: share of the code that is dropped in training (paper: 0).
        value_range: lowest and highest rating, to which metrics clip predictions.
        seed: seed of weights and dropout.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_columns)`, 0 where not observed.
        Out: predicted ratings `(batch, n_columns)`, float32.

    Raises:
        ValueError: `rows` is unknown, or `hidden_dims` is empty.

    Differs from the paper in: trained by Adam on mini-batches (the paper uses resilient propagation and L-BFGS on all
    rows at once), therefore `reg` is per row.

    Source: Sedhain, Menon, Sanner and Xie, AutoRec: Autoencoders Meet Collaborative Filtering, WWW 2015.
    """

    search_space = {
        "hidden_dims": Choice(((200,), (500,), (500, 250, 500))),
        "reg": Range(1e-3, 1.0, log=True),
        "dropout": Range(0.0, 0.6),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

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
        super().__init__(n_columns, rows, hidden_dims, value_range, seed, **kwargs)
        self.activation = activation
        self.output_activation = output_activation
        self.reg = reg
        self.dropout = dropout

        first, *others = self.hidden_dims
        hidden = {"activation": activation, "dtype": self.dtype_policy}
        self.dense = [
            self._dense(RowDense, first, "dense_0", product_dtype=product_dtype(self.product_dtype), **hidden)
        ]
        self.dense += [
            self._dense(keras.layers.Dense, units, f"dense_{i}", **hidden) for i, units in enumerate(others, 1)
        ]
        # The output is compared with ratings and ranked: float32 under any policy.
        name = f"dense_{len(self.hidden_dims)}"
        output = self._dense(keras.layers.Dense, n_columns, name, activation=output_activation, dtype="float32")
        self.dense.append(output)
        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")

    def _dense(self, layer: Any, units: int, name: str, **kwargs: Any) -> keras.layers.Layer:
        return layer(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(self.seed_for(name)),
            kernel_regularizer=keras.regularizers.L2(self.reg / 2) if self.reg else None,
            name=name,
            **kwargs,
        )

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        first, *others = self.dense[:-1]
        hidden = first(self.observed(inputs), training=training)
        for layer in others:
            hidden = layer(hidden)
        return self.drop(hidden, training=training)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.dense[-1](self.encode(inputs, training))

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [*input_axes(self.dense[0]), *output_axes(self.dense[-1])]

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        if self.hidden_dims != self.hidden_dims[::-1] or len(self.hidden_dims) % 2 == 0:
            raise ValueError(
                f"`hidden_dims`: expected a palindrome, for example (500, 250, 500), got {self.hidden_dims}"
            )
        return [list(pair) for pair in zip(self.dense, reversed(self.dense), strict=True)][: len(self.dense) // 2]

    def truncated(self, depth: int) -> AutoRec:
        hidden_dims = (*self.hidden_dims[:depth], *reversed(self.hidden_dims[: depth - 1]))
        model: AutoRec = self.from_config({**self.get_config(), "hidden_dims": hidden_dims})
        return model
