"""SVAE: a variational autoencoder of histories in time order. https://arxiv.org/abs/1811.09975."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.layers import GaussianSampling, NextItemLogits
from kerasrec.losses import MultinomialNLL, RowMean, gaussian_kl
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import output_axes, output_vectors
from kerasrec.models.latent import AnnealedVAE
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Range
from kerasrec.optimizers import Adam
from kerasrec.types import Batch, FloatArray, Tensor
from kerasrec.validation import check_at_least


@public
class SVAE(AnnealedVAE):
    """Sequential variational autoencoder of likes: it predicts the next `k` items after each item of a history.

        h_t = GRU(item_1, …, item_t),   q(z_t | h_t) = N(μ(h_t), diag σ²(h_t)),   logits f(z_t)

    Minimises, averaged over users,

        Σ_t [ -1/k Σ_{j=1..k} log softmax(f(z_t))_{item_{t+j}} + β · KL(q(z_t | h_t) ‖ N(0, I)) ] + reg / 2 · ‖weights‖²

    over the steps t that are followed by an item, with β = min(beta, step / anneal_steps). z_t is drawn from q in
    training and is μ otherwise. The scores are those of the last step, so the order of a history matters. The scores
    of an empty history are those of the GRU's zero state.

    Needs likes and a history in time order only: users that were not in training are scored as well.

    Args:
        n_items: size of the catalogue.
        embedding_dim: width of an item's embedding (paper: 256).
        gru_units: width of the GRU (paper: 200).
        hidden_dims: widths of the encoder's hidden layers; the decoder has them in reverse (paper: (150,)).
        latent_dim: width of z (paper: 64).
        activation: of the hidden layers (paper: tanh).
        k: number of next items that each step predicts (paper: 4).
        beta: the highest weight of the KL term of a step.
        anneal_steps: number of steps in which β would rise from 0 to 1 (reference code: 200,000).
            `for_interactions(train, epochs=…)` scales it to the run.
        reg: weight decay, as a term of the loss (paper: 0.005 to 0.01).
        seed: seed of weights and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`, but no dense rows, which have no order. Out: logits
        `(batch, n_items)`, float32.

    Raises:
        ValueError: `beta` is negative, `k` or `anneal_steps` is below 1, the input is dense rows, or `fit` gets `y`.

    Example:
        >>> from kerasrec import SVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = SVAE(table.n_items, embedding_dim=16, gru_units=16, hidden_dims=(16,), latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: β and its annealing. The reference code, with one user per batch, caps β at 0.2, but
    restarts the annealing each epoch and divides the KL term, not the likelihood, by the number of steps, so that its
    β ends near 0.0002. Here both terms are summed over the steps, β rises once per run, and 0.02 was better on
    validation than 0.2. The reference code also reads one output as log σ when it draws z and as log σ² in the KL
    term, draws z at test time, and omits the last item of a history at test time. Here it is log σ² in both, and the
    scores are those of μ after the whole history. As in the reference code, the likelihood is divided by `k`. Batches
    contain many users with histories of similar length, and the learning rate is adapted to them.

    Not to be confused with other models called SVAE (supervised or spherical variational autoencoders).

    Source: Sachdeva, Manco, Ritacco and Pudi, Sequential Variational Autoencoders for
    Collaborative Filtering, WSDM 2019.
    """

    ordered = True
    default_epochs = 20
    default_batch_size = 32
    default_beta = 0.02

    @classmethod
    def batch_size_for(cls, n_rows: int) -> int:
        return cls.default_batch_size  # the learning rate was chosen with it

    search_space = {
        "embedding_dim": Range(64, 256, log=True),
        "gru_units": Range(64, 400, log=True),
        "latent_dim": Range(32, 128, log=True),
        "beta": Range(0.005, 0.5, log=True),
        "reg": Range(1e-4, 1e-1, log=True),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

    def __init__(
        self,
        n_items: int,
        embedding_dim: int = 256,
        gru_units: int = 200,
        hidden_dims: tuple[int, ...] = (150,),
        latent_dim: int = 64,
        activation: str = "tanh",
        k: int = 4,
        beta: float = 0.02,
        anneal_steps: int = 200_000,
        reg: float = 0.005,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_at_least(1, k=k)
        self.set_annealing(beta, anneal_steps)
        self.n_items = n_items
        self.embedding_dim = embedding_dim
        self.gru_units = gru_units
        self.hidden_dims = tuple(hidden_dims)
        self.latent_dim = latent_dim
        self.activation = activation
        self.k = k
        self.reg = reg

        decay = keras.regularizers.L2(reg / 2) if reg else None
        # As in the reference code. With Keras' small embeddings, the loss starts to fall much later.
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed_for("embedding"))
        self.embedding = keras.layers.Embedding(
            n_items, embedding_dim, normal, decay, dtype=self.dtype_policy, name="embedding"
        )
        self.gru = keras.layers.GRU(
            gru_units,
            kernel_initializer=keras.initializers.GlorotUniform(self.seed_for("gru")),
            recurrent_initializer=Float32Orthogonal(seed=self.seed_for("recurrent")),
            kernel_regularizer=decay,
            recurrent_regularizer=decay,
            bias_regularizer=decay,
            return_sequences=True,
            dtype=self.dtype_policy,
            name="gru",
        )
        self.encoder = [self._dense(units, f"encoder_{i}", activation) for i, units in enumerate(self.hidden_dims)]
        self.mean = self._dense(latent_dim, "mean")
        self.log_var = self._dense(latent_dim, "log_var")
        self.sampling = GaussianSampling(self.seed_for("sampling"), dtype=self.dtype_policy, name="sampling")
        decoder = enumerate(reversed(self.hidden_dims))
        self.decoder = [self._dense(units, f"decoder_{i}", activation) for i, units in decoder]
        self.logits = self._dense(
            n_items, "logits", layer=NextItemLogits, dtype="float32", product_dtype=product_dtype(self.product_dtype)
        )
        self.nll = MultinomialNLL()

    def _dense(
        self, units: int, name: str, activation: str | None = None, layer: Any = keras.layers.Dense, **kwargs: Any
    ) -> keras.layers.Layer:
        decay = keras.regularizers.L2(self.reg / 2) if self.reg else None
        return layer(
            units,
            activation,
            kernel_initializer=keras.initializers.GlorotUniform(self.seed_for(name)),
            kernel_regularizer=decay,
            bias_regularizer=decay,
            name=name,
            **{"dtype": self.dtype_policy, **kwargs},
        )

    def build(self, input_shape: Any = None) -> None:
        self.embedding.build((None, None))
        self.gru.build((None, None, self.embedding_dim))
        width = self.gru_units
        for layer in self.encoder:
            layer.build((None, None, width))
            width = layer.units
        self.mean.build((None, None, width))
        self.log_var.build((None, None, width))
        width = self.latent_dim
        for layer in [*self.decoder, self.logits]:
            layer.build((None, None, width))
            width = layer.units
        super().build(input_shape)

    def encode(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the codes, each `(…, latent_dim)`, from states of the GRU `(…, gru_units)`."""
        for layer in self.encoder:
            states = layer(states)
        return self.mean(states), self.log_var(states)

    def hidden(self, code: Tensor) -> Tensor:
        """The last hidden layer of the decoder, from codes `(…, latent_dim)`; the logits are linear in it."""
        for layer in self.decoder:
            code = layer(code)
        return code

    def call(self, inputs: Batch, training: bool = False) -> Any:
        ids = padded_at_end(inputs)
        states = self.gru(self.embedding(ops.maximum(ids, 0)))  # (batch, length, gru_units)
        if not training:
            mean, _ = self.encode(last_state(states, ids))
            return self.decode(mean)
        self.step.assign_add(1)
        mean, log_var = self.encode(states)
        hidden = self.hidden(self.sampling(mean, log_var, training=True))
        return {"hidden": hidden, "mean": mean, "log_var": log_var, "ids": ids}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if not training:
            likes = self.observed(x if y is None else y)
            return self.nll(likes, y_pred, sample_weight) + self.regularization_losses()
        self.refuse_targets(y)
        ids = y_pred["ids"]
        has_next = ops.pad(ids[:, 1:] >= 0, [[0, 0], [0, 1]])
        kl = ops.sum(ops.where(has_next, gaussian_kl(y_pred["mean"], y_pred["log_var"]), 0.0), axis=1)
        kl = self.current_beta() * kl
        nll = self.logits.nll(ops.cast(y_pred["hidden"], "float32"), ids, self.k, sample_weight)  # of all rows together
        mean_nll = ops.ones_like(kl) * nll / (self.k * ops.cast(ops.shape(ids)[0], "float32"))
        return RowMean()(mean_nll, mean_nll) + RowMean()(kl, kl, sample_weight) + self.regularization_losses()

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam. In a planned run the rate falls from 0.005 to 0 as a cosine, otherwise it is 0.001."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(5e-3))

    def posterior(self, inputs: Batch) -> tuple[Tensor, Tensor]:
        ids = padded_at_end(inputs)
        return self.encode(last_state(self.gru(self.embedding(ops.maximum(ids, 0))), ids))

    def decode(self, code: Tensor, training: bool = False) -> Tensor:
        """Logits `(…, n_items)` of the next items, from codes `(…, latent_dim)`."""
        return self.logits(self.hidden(code))

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [(self.embedding.embeddings, ("columns", None)), *output_axes(self.logits)]

    def item_vectors(self, train: Any) -> FloatArray:
        return output_vectors(self.logits)


class Float32Orthogonal(keras.initializers.Orthogonal):
    """Keras' initializer, computed in float32: TensorFlow has no QR decomposition of bfloat16 matrices."""

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return ops.cast(super().__call__(shape, "float32"), dtype or keras.config.floatx())


def padded_at_end(inputs: Batch) -> Tensor:
    """The ids `(batch, length)` of a batch with all padding at the end, so that the GRU needs no mask; length ≥ 1.

    Raises:
        ValueError: `inputs` are dense rows.
    """
    if not isinstance(inputs, Mapping):
        raise ValueError("SVAE: expected batches of ids in time order, got dense rows, which have no order")
    ids = ops.pad(ops.cast(inputs["ids"], "int32"), [[0, 0], [0, 1]], constant_values=-1)
    length = ops.shape(ids)[1]
    place = ops.arange(length, dtype="int32")
    order = ops.argsort(length * ops.cast(ids < 0, "int32") + place, axis=1)
    return ops.take_along_axis(ids, order, axis=1)


def last_state(states: Tensor, ids: Tensor) -> Tensor:
    """The state after the last item, `(batch, gru_units)`; zeros for an empty history."""
    length = ops.sum(ops.cast(ids >= 0, "int32"), axis=1)
    index = ops.reshape(ops.maximum(length - 1, 0), (-1, 1, 1))
    state = ops.squeeze(ops.take_along_axis(states, index, axis=1), axis=1)
    return ops.where(ops.expand_dims(length > 0, 1), state, ops.zeros_like(state))
