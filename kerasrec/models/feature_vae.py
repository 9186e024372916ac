"""Mult-VAE with features of items, trained by DropoutNet's item dropout. https://doi.org/10.5555/3295222.3295249."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.layers import xavier_dense
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.mult_vae import MultVAE
from kerasrec.models.search_space import Range
from kerasrec.models.stored_side import StoredSide
from kerasrec.ops.sparse_rows import DenseRows, SparseRows
from kerasrec.types import FloatArray, Tensor

NOT_TRAINED = -1e9
"""Logit of items without interactions in the training softmax, which would push their scores down."""


@public
class FeatureVAE(StoredSide, MultVAE):
    """Mult-VAE that also scores items without any interaction, from their features.

    The weights of item i are its own, w_i and e_i, plus a linear function of its features f_i. With h as the last
    hidden layer of the decoder, and x as the normalised row

        logit_i = d_i (h · w_i + b_i) + (V h + c) · f_i
        first hidden layer = tanh(Σ_i x_i (e_i + U f_i) + a)

    d_i is 0 for an item without training interactions, whose w_i, b_i and e_i do not count. In training, d_i is also 0
    for a random share `item_dropout` of all items in each batch, so that the features alone have to explain likes.
    Items without interactions are left out of the training softmax. Everything else is that of `MultVAE`.

    Needs likes, a history and features of the items: `FeatureVAE.for_interactions(train, side=…)`, where `train` has
    the new items in its catalogue (`Interactions.with_catalogue`). `kerasrec train feature_vae --item-features FILE`
    adds the items of the file to the catalogue. Without features it is `MultVAE`.

    Args:
        n_items: size of the catalogue, with new items.
        hidden_dims: widths of the encoder's hidden layers, as in `MultVAE`.
        latent_dim: width of z, as in `MultVAE`.
        activation: of the hidden layers, as in `MultVAE`.
        dropout: share of the input that is dropped in training, as in `MultVAE`.
        item_dropout: share of the items that only their features describe in a training batch (paper: 0.5).
        beta: the highest weight of the KL term, as in `MultVAE`.
        anneal_steps: as in `MultVAE`.
        side_shape: (items, features) of the features, or None.
        seed: seed of weights, dropout and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits `(batch, n_items)`, float32.

    Raises:
        ValueError: an argument is invalid, or `side` has another number of rows than there are items.

    Example:
        >>> import numpy as np
        >>> from kerasrec import FeatureVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> train = table.with_catalogue(np.append(table.item_ids, [900, 901]))  # two items are new
        >>> taste = np.eye(10)[train.item_ids % 10]
        >>> model = FeatureVAE.for_interactions(train, 1, side=taste, hidden_dims=(32,), latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(train, epochs=1, verbose=0)
        >>> sorted(set(model.recommend(train, k=2, candidates=[900, 901]).item_ids.ravel().tolist()))
        [900, 901]

    Differs from the paper in: DropoutNet maps the vectors of a factorisation and the features by a network; here the
    features join the first and the last layer of Mult-VAE, and only items are dropped, not users.

    Source: Volkovs, Yu and Poutanen, DropoutNet: Addressing Cold Start in Recommender Systems, NeurIPS 2017.
    """

    side_axis = "columns"
    search_space = {**MultVAE.search_space, "item_dropout": Range(0.0, 0.9)}

    def __init__(
        self,
        n_items: int,
        hidden_dims: tuple[int, ...] = (600,),
        latent_dim: int = 200,
        activation: str = "tanh",
        dropout: float = 0.5,
        item_dropout: float = 0.5,
        beta: float = 0.2,
        anneal_steps: int = 200_000,
        side_shape: tuple[int, int] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            n_items,
            hidden_dims,
            latent_dim,
            activation,
            dropout,
            beta=beta,
            anneal_steps=anneal_steps,
            seed=seed,
            **kwargs,
        )
        if not 0 <= item_dropout < 1:
            raise ValueError(f"`item_dropout`: expected a number from 0 to below 1, got {item_dropout}")
        self.item_dropout = item_dropout
        self.side_shape = None if side_shape is None else (side_shape[0], side_shape[1])
        if side_shape is not None:
            self.item_drop = keras.random.SeedGenerator(self.seed_for("item_dropout"))
            self.first_activation = self.encoder[0].activation
            self.encoder[0].activation = keras.activations.linear  # applied after the features are added
            n_features = side_shape[1]
            self.of_features = self._dense(self.hidden_dims[0], None, "of_features", use_bias=False)
            self.to_features = xavier_dense(
                n_features, None, self.seed_for("to_features"), "to_features", product_dtype=None, dtype="float32"
            )

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if self.side_shape is not None:
            self.add_side()
            self.is_known = self.add_weight(
                (self.n_items,), "ones", "float32", trainable=False, autocast=False, name="is_known"
            )
            self.of_features.build((None, self.side_shape[1]))
            self.to_features.build((None, self.hidden_dims[0]))

    def count_items(self, rows: Any) -> None:
        super().count_items(rows)
        counts = None if self.item_popularity is None else self.item_popularity.counts
        if self.side_shape is not None and counts is not None:
            self.is_known.assign((counts > 0).astype(np.float32))

    def first_hidden(self, row: SparseRows | DenseRows, training: bool = False) -> Tensor:
        if self.side_shape is None:
            return super().first_hidden(row, training)
        side, is_known = ops.convert_to_tensor(self.side), ops.convert_to_tensor(self.is_known)
        known = ops.take(is_known, row.columns) if isinstance(row, SparseRows) else is_known
        by_item = super().first_hidden(row.with_values(row.values * ops.cast(known, row.values.dtype)), training)
        return self.first_activation(by_item + self.of_features(row.matmul(side), training=training))

    def output_logits(self, hidden: Tensor, training: bool = False) -> Tensor:
        if self.side_shape is None:
            return super().output_logits(hidden, training)
        side, is_known = ops.convert_to_tensor(self.side), ops.convert_to_tensor(self.is_known)
        counts = is_known
        if training:
            stays = keras.random.uniform((self.n_items,), seed=self.item_drop) >= self.item_dropout
            counts = is_known * ops.cast(stays, "float32")
        by_features = ops.matmul(self.to_features(hidden), ops.transpose(side))
        logits = counts * super().output_logits(hidden, training) + by_features
        return ops.where(is_known > 0, logits, NOT_TRAINED) if training else logits

    def item_vectors(self, train: Any) -> FloatArray:
        own = super().item_vectors(train)
        if self.side_shape is None:
            return own
        is_known, side = (ops.convert_to_numpy(weight) for weight in (self.is_known, self.side))
        return own * is_known[:, None] + side @ ops.convert_to_numpy(self.to_features.kernel).T

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        if self.side_shape is None:
            return super().weight_axes()
        return [*super().weight_axes(), (self.side, ("columns", None)), (self.is_known, ("columns",))]
