"""Mult-DAE: a denoising autoencoder with a multinomial likelihood. https://arxiv.org/abs/1802.05814."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.layers import ends, xavier_dense
from kerasrec.losses import MultinomialNLL
from kerasrec.models.base import Recommender
from kerasrec.ops.sampled_softmax import sum_of_squares
from kerasrec.ops.sparse_rows import l2_normalize_rows, observed_rows, padded_ids
from kerasrec.optimizers import Adam
from kerasrec.types import Tensor


@public
class MultDAE(Recommender):
    """Denoising autoencoder for likes.

    Minimises, averaged over users,

        -Σ_i x_ui log softmax(f(x̃_u))_i + reg · Σ W²

    where x̃_u is the L2-normalised row, corrupted by dropout (masking) or by Gaussian noise, f a stack
    of dense layers, and the decay is on weights, not on biases. With `hidden_dims` it is a stacked
    denoising autoencoder, which `kerasrec.models.pretraining.pretrain` can start layer by layer.

    Needs likes and a history only: a user never seen in training is answered as well.

    Args:
        n_items: size of the catalogue.
        hidden_dims: widths of the encoder's layers before the code; the decoder has them in reverse
            (paper: none, which makes the network n_items → 200 → n_items).
        latent_dim: width of the code (paper: 200).
        activation: of all layers but the last (paper: tanh).
        dropout: share of the input that is dropped in training (paper: 0.5).
        noise: standard deviation of the Gaussian noise on each entry of the normalised row, zeros
            too, in training (paper: 0; `dropout=0` makes it the only corruption).
        reg: λ of the decay, on the whole Σ W² (reference code: 0.01 / 500). TensorFlow's `l2_loss`
            is half of that sum, which the reference code makes up for by a factor of 2.
        n_sampled: for large catalogues, how many items are sampled for each training batch in place of
            all (paper: all): see `kerasrec.layers.SampledLogits`. The first and the last layer's
            Σ W² is then estimated from the same sample, and a training step costs the same for any
            size of the catalogue on TensorFlow's CPU.
        seed: seeds weights and dropout.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits
        `(batch, n_items)`, float32.

    Example:
        >>> from kerasrec import MultDAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultDAE(table.n_items, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Raises:
        ValueError: `n_sampled` is below 2, or there is `noise` as well, which falls on all items.

    Differs from the paper in: nothing known. Also known as Multi-DAE.

    Source: Liang, Krishnan, Hoffman and Jebara, Variational Autoencoders for Collaborative
    Filtering, WWW 2018, and its reference code; Gaussian corruption: Vincent et al., JMLR 2010.
    """

    default_epochs = 200

    def __init__(
        self,
        n_items: int,
        hidden_dims: tuple[int, ...] = (),
        latent_dim: int = 200,
        activation: str = "tanh",
        dropout: float = 0.5,
        noise: float = 0.0,
        reg: float = 0.01 / 500,
        n_sampled: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if n_sampled is not None and noise:
            raise ValueError("`noise` falls on every item of the catalogue: leave it or `n_sampled` out")
        self.n_items = n_items
        self.hidden_dims = tuple(hidden_dims)
        self.latent_dim = latent_dim
        self.activation = activation
        self.dropout = dropout
        self.noise = noise
        self.reg = reg
        self.n_sampled = n_sampled

        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        self.blur = keras.layers.GaussianNoise(noise, seed=self.seed_for("noise"), dtype="float32", name="blur")
        (first, *encoder), decoder = (*self.hidden_dims, latent_dim), tuple(reversed(self.hidden_dims))
        rows, logits = ends(n_sampled, self.seed_for("sample"))
        self.encoder = [self._dense(first, activation, "encoder_0", kind=rows, at_end=True)]
        self.encoder += [self._dense(d, activation, f"encoder_{i}") for i, d in enumerate(encoder, 1)]
        self.decoder = [self._dense(d, activation, f"decoder_{i}") for i, d in enumerate(decoder)]
        self.logits = self._dense(n_items, None, "logits", kind=logits, at_end=True)
        self.nll = MultinomialNLL()

    def _dense(
        self, units: int, activation: str | None, name: str, at_end: bool = False, **kwargs: Any
    ) -> keras.layers.Layer:
        if self.reg and not (at_end and self.n_sampled):
            kwargs["kernel_regularizer"] = keras.regularizers.L2(self.reg)  # Keras' L2 is the whole sum of squares
        return xavier_dense(units, activation, self.seed_for(name), name, **kwargs)

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.001, or where items are sampled lazy and at 0.002, which makes up for a noisier gradient."""
        return Adam(1e-3) if self.n_sampled is None else Adam(2e-3, lazy=True)

    def build(self, input_shape: Any = None) -> None:
        width = self.n_items
        for layer in [*self.encoder, *self.decoder, self.logits]:
            layer.build((None, width))
            width = layer.units

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        decoder = [self.logits, *reversed(self.decoder)]
        return [list(pair) for pair in zip(self.encoder, decoder, strict=True)]

    def truncated(self, depth: int) -> MultDAE:
        *hidden_dims, latent_dim = (*self.hidden_dims, self.latent_dim)[:depth]
        stage: MultDAE = self.from_config({**self.get_config(), "hidden_dims": hidden_dims, "latent_dim": latent_dim})
        stage.build()
        return stage

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The code, `(batch, latent_dim)`."""
        liked = observed_rows(inputs)
        if training and self.noise:
            liked = observed_rows(self.dense_inputs(inputs))  # noise falls on what was not observed, too
        row = l2_normalize_rows(liked)
        corrupted = self.blur(self.drop(row.values, training=training), training=training)
        first, *others = self.encoder
        code = first(row.with_values(corrupted))
        for layer in others:
            code = layer(code)
        return code

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        hidden = self.encode(inputs, training)
        for layer in self.decoder:
            hidden = layer(hidden)
        if training and self.n_sampled is not None:
            self.add_loss(self.sampled_loss(hidden, padded_ids(inputs)))
            return hidden
        return self.logits(hidden, training=training)

    def sampled_loss(self, hidden: Tensor, ids: Tensor | None) -> Tensor:
        """The loss, with the decay of the first and the last layer but not of those between, from a sample of items."""
        sample = self.logits.draw(ids)
        decay = sum(sum_of_squares(layer.kernel, sample) for layer in (self.encoder[0], self.logits)) if self.reg else 0
        return ops.mean(self.logits(hidden, ids, sample)) + self.reg * decay

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training and self.n_sampled is not None:
            return self.loss_from_call(y, sample_weight)
        return (
            self.nll(self.observed_entries(x if y is None else y), y_pred, sample_weight) + self.regularization_losses()
        )

    def get_config(self) -> dict[str, Any]:
        names = ("n_items", "hidden_dims", "latent_dim", "activation", "dropout", "noise", "reg", "n_sampled")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
