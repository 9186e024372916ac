"""SVAE: a variational autoencoder of histories in time order. https://arxiv.org/abs/1811.09975."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.layers import GaussianSampling, NextItemLogits
from kerasrec.losses import MultinomialNLL, gaussian_kl
from kerasrec.models.base import Recommender
from kerasrec.optimizers import Adam
from kerasrec.types import Batch, Tensor
from kerasrec.validation import check_at_least


@public
class SVAE(Recommender):
    """Sequential variational autoencoder for likes: after each item of a history, what are the next `k`?

        h_t = GRU(item_1, …, item_t),   q(z_t | h_t) = N(μ(h_t), diag σ²(h_t)),   logits f(z_t)

    Minimises, averaged over users,

        Σ_t [ -1/k Σ_{j=1..k} log softmax(f(z_t))_{item_{t+j}} + β · KL(q(z_t | h_t) ‖ N(0, I)) ] + reg / 2 · ‖weights‖²

    over the steps t that are followed by an item, with β = min(beta, step / anneal_steps). z_t is
    drawn from q in training and is μ otherwise. The answer is that of the last step, so the order
    of a history matters; an empty one is answered from the GRU's zero state.

    Needs likes and a history in time order only: a user never seen in training is answered as well.

    Args:
        n_items: size of the catalogue.
        embedding_dim: width of an item's embedding (paper: 256).
        gru_units: width of the GRU (paper: 200).
        hidden_dims: widths of the encoder's hidden layers; the decoder has them in reverse (paper: (150,)).
        latent_dim: width of z (paper: 64).
        activation: of the hidden layers (paper: tanh).
        k: how many of the following items a step predicts (paper: 4).
        beta: the highest weight of the KL term of a step.
        anneal_steps: updates over which β would climb to 1 (reference code: 200,000).
            `for_interactions(train, epochs=…)` scales it to a run.
        reg: weight decay, as a term of the loss (paper: 0.005 to 0.01).
        seed: seeds weights and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`; no dense rows, which tell no order. Out: logits
        `(batch, n_items)`, float32.

    Example:
        >>> from kerasrec import SVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = SVAE(table.n_items, embedding_dim=16, gru_units=16, hidden_dims=(16,), latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Raises:
        ValueError: `beta` is below 0, or `k` or `anneal_steps` below 1.

    Differs from the paper in: β and its annealing. The reference code, one user a batch, caps β at
    0.2, but starts its annealing anew each epoch and divides the KL term, not the likelihood, by
    the number of steps: its β ends near 0.0002. Here both are summed over the steps, β climbs once
    over a run, and 0.02 did better on validation than 0.2. The reference code also reads one output
    as log σ where it draws z and as log σ² in the KL term, draws z at test time too, and leaves the
    last item of a history out of its answer. Here σ² is one and the same, the answer is that of μ,
    and it is based on the whole history. Like the reference code, the likelihood is divided by `k`.
    Trained on batches of many users, of about the same length, with a learning rate to match.

    Not to be confused with: other models called SVAE (supervised, or spherical, autoencoders).

    Source: Sachdeva, Manco, Ritacco and Pudi, Sequential Variational Autoencoders for
    Collaborative Filtering, WSDM 2019.
    """

    ordered = True
    default_epochs = 20
    default_batch_size = 32

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
        check_at_least(0, beta=beta)
        check_at_least(1, k=k, anneal_steps=anneal_steps)
        self.n_items = n_items
        self.embedding_dim = embedding_dim
        self.gru_units = gru_units
        self.hidden_dims = tuple(hidden_dims)
        self.latent_dim = latent_dim
        self.activation = activation
        self.k = k
        self.beta = beta
        self.anneal_steps = anneal_steps
        self.reg = reg

        decay = keras.regularizers.L2(reg / 2) if reg else None
        # As in the reference code: from the small embeddings that Keras would draw, learning starts much later.
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed_for("embedding"))
        self.embedding = keras.layers.Embedding(n_items, embedding_dim, normal, decay, name="embedding")
        self.gru = keras.layers.GRU(
            gru_units,
            kernel_initializer=keras.initializers.GlorotUniform(self.seed_for("gru")),
            recurrent_initializer=keras.initializers.Orthogonal(seed=self.seed_for("recurrent")),
            kernel_regularizer=decay,
            recurrent_regularizer=decay,
            bias_regularizer=decay,
            return_sequences=True,
            name="gru",
        )

        def dense(units: int, name: str, activation: str | None = None, kind: Any = keras.layers.Dense) -> Any:
            return kind(
                units,
                activation,
                kernel_initializer=keras.initializers.GlorotUniform(self.seed_for(name)),
                kernel_regularizer=decay,
                bias_regularizer=decay,
                name=name,
            )

        self.encoder = [dense(d, f"encoder_{i}", activation) for i, d in enumerate(self.hidden_dims)]
        self.mean = dense(latent_dim, "mean")
        self.log_var = dense(latent_dim, "log_var")
        self.sampling = GaussianSampling(self.seed_for("sampling"), name="sampling")
        self.decoder = [dense(d, f"decoder_{i}", activation) for i, d in enumerate(reversed(self.hidden_dims))]
        self.logits = dense(n_items, "logits", kind=NextItemLogits)
        self.nll = MultinomialNLL()

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        # As in Mult-VAE: the cap is reached when 6/7 of the run are done.
        cap = arguments.get("beta", 0.02)
        anneal = {} if steps is None or cap <= 0 else {"anneal_steps": max(1, round(steps * 6 / 7 / cap))}
        return {"n_items": train.n_items, **anneal, **arguments}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam, from 0.005 down to 0 as a cosine over the run that was planned; at 0.001 where none was."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(5e-3))

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
        # A weight, so that a run that is resumed goes on annealing where it stopped.
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")

    def encode(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the codes, each `(…, latent_dim)`, from states of the GRU `(…, gru_units)`."""
        for layer in self.encoder:
            states = layer(states)
        return self.mean(states), self.log_var(states)

    def hidden(self, code: Tensor) -> Tensor:
        """The decoder's last hidden layer, from codes `(…, latent_dim)`; the logits are linear in it."""
        for layer in self.decoder:
            code = layer(code)
        return code

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        ids = histories(inputs)
        states = self.gru(self.embedding(ops.maximum(ids, 0)))  # (batch, length, gru_units)
        if training:
            self.step.assign_add(1)
            self.add_loss(self.loss_of_steps(states, ids))
        mean, log_var = self.encode(last(states, ids))
        return self.decode(self.sampling(mean, log_var, training=training))

    def posterior(self, inputs: Batch) -> tuple[Tensor, Tensor]:
        """μ and log σ² of a history's code, each `(batch, latent_dim)`, as answers are made from it."""
        ids = histories(inputs)
        return self.encode(last(self.gru(self.embedding(ops.maximum(ids, 0))), ids))

    def decode(self, code: Tensor) -> Tensor:
        """Logits `(…, n_items)` of the items that come next, from codes `(…, latent_dim)`."""
        return self.logits(self.hidden(code))

    def current_beta(self) -> Tensor:
        """β at the current step."""
        return ops.minimum(self.beta, ops.cast(self.step, "float32") / self.anneal_steps)

    def loss_of_steps(self, states: Tensor, ids: Tensor) -> Tensor:
        """The loss but for the weight decay, from the GRU's states at all steps."""
        mean, log_var = self.encode(states)
        nll = self.logits(self.hidden(self.sampling(mean, log_var, training=True)), ids, k=self.k)
        followed = ops.pad(ids[:, 1:] >= 0, [[0, 0], [0, 1]])
        kl = ops.sum(ops.where(followed, gaussian_kl(mean, log_var), 0.0))
        return (nll / self.k + self.current_beta() * kl) / ops.cast(ops.shape(ids)[0], "float32")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training:
            if y is not None or sample_weight is not None:
                raise ValueError("SVAE predicts the next items of each row: give `fit` rows only, no `y`, no weights")
            return self.regularization_losses()
        return self.nll(self.dense_targets(x if y is None else y), y_pred, sample_weight) + self.regularization_losses()

    def get_config(self) -> dict[str, Any]:
        names = ("n_items", "embedding_dim", "gru_units", "hidden_dims", "latent_dim", "activation", "k", "beta")
        return {**super().get_config(), **{name: getattr(self, name) for name in (*names, "anneal_steps", "reg")}}


def histories(inputs: Batch) -> Tensor:
    """The ids `(batch, length)` of a batch with all padding behind, so that the GRU needs no mask; length ≥ 1."""
    if not isinstance(inputs, Mapping):
        raise ValueError("SVAE reads histories in time order, which dense rows do not tell: give it batches of ids")
    ids = ops.pad(ops.cast(inputs["ids"], "int32"), [[0, 0], [0, 1]], constant_values=-1)
    length = ops.shape(ids)[1]
    place = ops.arange(length, dtype="int32")
    order = ops.argsort(ops.where(ids < 0, length, 0) + place, axis=1)
    return ops.take_along_axis(ids, order, axis=1)


def last(states: Tensor, ids: Tensor) -> Tensor:
    """The state after the last item `(batch, gru_units)`; zeros where there is none."""
    length = ops.sum(ops.cast(ids >= 0, "int32"), axis=1)
    at = ops.reshape(ops.maximum(length - 1, 0), (-1, 1, 1))
    state = ops.squeeze(ops.take_along_axis(states, at, axis=1), axis=1)
    return ops.where(ops.expand_dims(length > 0, 1), state, ops.zeros_like(state))
