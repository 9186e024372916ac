"""Mult-DAE: a denoising autoencoder with a multinomial likelihood. https://arxiv.org/abs/1802.05814."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.layers import Logits, RowDense, SampledLogits, xavier_dense
from kerasrec.losses import MultinomialNLL, RowMean
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import build_in_sequence, input_axes, output_axes, output_vectors
from kerasrec.models.entry_losses import EntryLosses, negative_log_softmax
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Range
from kerasrec.ops.sampled_softmax import sampled_sum_of_squares
from kerasrec.ops.sparse_rows import l2_normalize_rows, observed_rows
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor


@public
class MultDAE(Recommender):
    """Denoising autoencoder of a user's likes.

    Minimises, averaged over users,

        -Σ_i x_ui log softmax(f(x̃_u))_i + reg · Σ W²

    x̃_u is the L2-normalised row, corrupted by dropout (masking) or by Gaussian noise, and f is a stack of dense
    layers. The decay is on weights, not on biases. With `hidden_dims` the model is a stacked denoising autoencoder,
    which `kerasrec.models.pretraining.pretrain` can train layer by layer.

    Needs likes and a history only: users that were not in training are scored as well.

    Args:
        n_items: size of the catalogue.
        hidden_dims: widths of the encoder's layers before the code; the decoder has them in reverse (paper: none,
            which makes the network n_items → 200 → n_items).
        latent_dim: width of the code (paper: 200).
        activation: of all layers but the last (paper: tanh).
        dropout: share of the input that is dropped in training (paper: 0.5).
        noise: standard deviation of the Gaussian noise that training adds to each entry of the normalised row, zeros
            included (paper: 0). With `dropout=0` it is the only corruption.
        reg: λ of the decay, on the whole Σ W² (reference code: 0.01 / 500). TensorFlow's `l2_loss` is half of that
            sum, for which the reference code compensates by a factor of 2.
        n_sampled: for large catalogues, the number of items to sample for each training batch instead of using all
            (paper: all), see `kerasrec.layers.SampledLogits`. Σ W² of the first and the last layer is estimated from
            the same sample. On TensorFlow's CPU the cost of a training step then does not depend on the size of the
            catalogue.
        seed: seed of weights, dropout and noise.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits `(batch, n_items)`, float32.

    Raises:
        ValueError: `n_sampled` is below 2, or combined with `noise`, which changes all items.

    Example:
        >>> from kerasrec import MultDAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultDAE(table.n_items, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: nothing known. Also known as Multi-DAE.

    Source: Liang, Krishnan, Hoffman and Jebara, Variational Autoencoders for Collaborative
    Filtering, WWW 2018, and its reference code; Gaussian corruption: Vincent et al., JMLR 2010.
    """

    default_epochs = 200
    default_learning_rate = 2e-3
    search_space = {
        "latent_dim": Range(50, 600, log=True),
        "dropout": Range(0.2, 0.8),
        "reg": Range(1e-7, 1e-3, log=True),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

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
            raise ValueError(f"`noise`: expected 0 with `n_sampled`, got {noise:g}, because it changes all items")
        self.n_items = n_items
        self.hidden_dims = tuple(hidden_dims)
        self.latent_dim = latent_dim
        self.activation = activation
        self.dropout = dropout
        self.noise = noise
        self.reg = reg
        self.n_sampled = n_sampled

        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        self.gaussian_noise = keras.layers.GaussianNoise(
            noise, seed=self.seed_for("noise"), dtype="float32", name="noise"
        )
        decay = keras.regularizers.L2(reg) if reg else None  # Keras' L2 is the whole sum of squares
        inner = {"kernel_regularizer": decay, "product_dtype": product_dtype(self.product_dtype)}
        first, *others = (*self.hidden_dims, latent_dim)
        if n_sampled is None:
            self.encoder = [self._dense(first, activation, "encoder_0", layer=RowDense, **inner)]
            self.logits = self._dense(n_items, None, "logits", layer=Logits, **{**inner, "dtype": "float32"})
        else:  # `sampled_loss` estimates the decay of these two
            self.encoder = [self._dense(first, activation, "encoder_0", layer=RowDense, sparse=True)]
            sampled_logits = partial(SampledLogits, n_sampled=n_sampled, seed=self.seed_for("sample"))
            self.logits = self._dense(n_items, None, "logits", layer=sampled_logits, dtype="float32")
        self.encoder += [self._dense(units, activation, f"encoder_{i}", **inner) for i, units in enumerate(others, 1)]
        decoder = enumerate(reversed(self.hidden_dims))
        self.decoder = [self._dense(units, activation, f"decoder_{i}", **inner) for i, units in decoder]
        self.nll = MultinomialNLL()

    def _dense(self, units: int, activation: str | None, name: str, **kwargs: Any) -> keras.layers.Layer:
        return xavier_dense(units, activation, self.seed_for(name), name, **{"dtype": self.dtype_policy, **kwargs})

    def build(self, input_shape: Any = None) -> None:
        build_in_sequence([*self.encoder, *self.decoder, self.logits], self.n_items)

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The code, `(batch, latent_dim)`."""
        likes = self.observed(inputs)
        if training and self.noise:
            likes = observed_rows(self.dense_inputs(inputs))  # the noise changes unobserved entries as well
        row = l2_normalize_rows(likes)
        corrupted = self.gaussian_noise(self.drop(row.values, training=training), training=training)
        first, *others = self.encoder
        code = first(row.with_values(corrupted), training=training)
        for layer in others:
            code = layer(code, training=training)
        return code

    def call(self, inputs: Any, training: bool = False) -> Any:
        hidden = self.encode(inputs, training)
        for layer in self.decoder:
            hidden = layer(hidden, training=training)
        if training and self.n_sampled is not None:
            return {"hidden": hidden}
        return self.logits(hidden) if self.n_sampled is not None else self.logits(hidden, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        likes = self.observed(x if y is None else y)
        if not (training and self.n_sampled is not None):
            return self.nll(likes, y_pred, sample_weight) + self.regularization_losses()
        sample = self.logits.draw(likes)
        rows = self.logits.nll(y_pred["hidden"], likes, sample)
        decayed = (self.encoder[0], self.logits) if self.reg else ()
        decay = sum(self.reg * sampled_sum_of_squares(layer.kernel, sample) for layer in decayed)
        decay = ops.ones_like(rows) * decay  # in every row, so that the mean over rows adds it once
        return RowMean()(rows, rows, sample_weight) + RowMean()(decay, decay) + self.regularization_losses()

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.001; with `n_sampled` lazy Adam at 0.002, which compensates for the noisier gradient."""
        return Adam(1e-3) if self.n_sampled is None else Adam(2e-3, lazy=True)

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [*input_axes(self.encoder[0]), *output_axes(self.logits)]

    def item_vectors(self, train: Any) -> FloatArray:
        return output_vectors(self.logits)

    @property
    def code_layer(self) -> str | None:
        """The last layer of the encoder."""
        return self.encoder[-1].name

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return negative_log_softmax(scores, columns)

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        decoder = [self.logits, *reversed(self.decoder)]
        return [list(pair) for pair in zip(self.encoder, decoder, strict=True)]

    def truncated(self, depth: int) -> MultDAE:
        *hidden_dims, latent_dim = (*self.hidden_dims, self.latent_dim)[:depth]
        model: MultDAE = self.from_config({**self.get_config(), "hidden_dims": hidden_dims, "latent_dim": latent_dim})
        return model
