"""RecVAE: Mult-VAE with a deeper encoder, a composite prior and parts that learn apart. https://arxiv.org/abs/1912.11160."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.layers import BFloat16Dense, GaussianSampling, Logits, RowDense, xavier_dense
from kerasrec.losses import MultinomialNLL
from kerasrec.models.base import Recommender
from kerasrec.models.sampled import Sampled
from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, l2_normalize_rows, observed_rows
from kerasrec.optimizers import Adam
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


@public
class RecVAE(Recommender):
    """Variational autoencoder for likes whose encoder is held near to what it was a while ago.

    The decoder is linear, the encoder q = N(μ, diag σ²) dense layers with sums of all before them:

        h_l = norm(swish(W_l h_{l-1} + b_l + h_1 + … + h_{l-1})),   μ and log σ² linear in the last

    Each part minimises a loss of its own, averaged over users, as if the other were given:

        encoder   -Σ_i x_ui log softmax(f(z_u))_i + gamma · |x_u| · (log q(z_u) - log p(z_u)),   input under dropout
        decoder   -Σ_i x_ui log softmax(f(z_u))_i,                                               whole input

    |x_u| counts the user's items, z is drawn from q in training and is μ otherwise, and the prior
    is, in each dimension of z, a mixture of a standard normal, of what the encoder said of the same row when it was
    last looked at, and of a wide normal:

        p = 0.15 N(0, 1) + 0.75 N(μ_old, σ²_old) + 0.10 N(0, e¹⁰)

    Needs likes and a history only: a user never seen in training is answered as well.

    Args:
        n_items: size of the catalogue.
        hidden_dim: width of the encoder's hidden layers (paper: 600).
        depth: how many of them (paper: 5).
        latent_dim: width of z (paper: 200).
        dropout: share of the encoder's input that is dropped in training (paper: 0.5).
        gamma: γ, weight of the prior for each item of a user (paper: 0.005 for ML-20M, 0.0035 for Netflix, 0.01 for
            the Million Song Dataset).
        mixture: weights of the prior's three parts (paper: (0.15, 0.75, 0.1)).
        refresh_steps: updates after which the old encoder becomes a copy of the present one (paper: 50 times in a
            run, 700 on ML-20M). `for_interactions(train, epochs=…)` makes it 50 times in a run of any length.
        seed: seeds weights, dropout and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits
        `(batch, n_items)`, float32.

    Example:
        >>> from kerasrec import RecVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = RecVAE(table.n_items, hidden_dim=32, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Raises:
        ValueError: `depth` or `refresh_steps` is below 1 or `gamma` below 0, `mixture` is not three weights above 0
            that sum to 1, or `fit` is given `y` or weights.

    Differs from the paper in: encoder and decoder take each update together, where the paper gives the encoder three
    passes over the data and then the decoder one. The mixture is one a dimension, as in the authors' code.

    Source: Shenbin, Alekseev, Tutubalina, Malykh and Nikolenko, RecVAE: A New Variational Autoencoder for Top-N
    Recommendations with Implicit Feedback, WSDM 2020.
    """

    default_epochs = 150

    def __init__(
        self,
        n_items: int,
        hidden_dim: int = 600,
        depth: int = 5,
        latent_dim: int = 200,
        dropout: float = 0.5,
        gamma: float = 0.005,
        mixture: tuple[float, float, float] = (0.15, 0.75, 0.1),
        refresh_steps: int = 700,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_at_least(1, depth=depth, refresh_steps=refresh_steps)
        check_at_least(0, gamma=gamma)
        if len(mixture) != 3 or min(mixture) <= 0 or not math.isclose(sum(mixture), 1.0, abs_tol=1e-6):
            raise ValueError(f"`mixture` must be three weights above 0 that sum to 1, not {mixture}")
        self.n_items = n_items
        self.hidden_dim = hidden_dim
        self.depth = depth
        self.latent_dim = latent_dim
        self.dropout = dropout
        self.gamma = gamma
        self.mixture = tuple(mixture)
        self.refresh_steps = refresh_steps

        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        self.encoder = self._encoder()
        self.old_encoder = self._encoder("old_")
        self.sampling = GaussianSampling(self.seed_for("sampling"), name="sampling", dtype="float32")
        self.logits = xavier_dense(n_items, None, self.seed_for("logits"), "logits", kind=Logits)
        self.nll = MultinomialNLL()

    def _encoder(self, prefix: str = "") -> list[keras.layers.Layer]:
        """From a row to its hidden layer, and from that to μ and to log σ²."""
        stack = SummedDense(self.hidden_dim, self.depth, self.seed_for("hidden"), name=f"{prefix}hidden")
        names = ("mean", "log_var")
        return [stack, *(xavier_dense(self.latent_dim, None, self.seed_for(n), prefix + n) for n in names)]

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        refresh = {} if steps is None else {"refresh_steps": max(1, round(steps / 50))}
        return {"n_items": train.n_items, **refresh, **arguments}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.0005."""
        return Adam(5e-4)

    def build(self, input_shape: Any = None) -> None:
        for stack, *heads in (self.encoder, self.old_encoder):
            stack.build((None, self.n_items))
            for head in heads:
                head.build((None, self.hidden_dim))
        for layer in self.old_encoder:
            layer.trainable = False  # of weights that are not there yet, Keras would forget it
        self.logits.build((None, self.latent_dim))
        # A weight, so that a run that is resumed looks at its encoder when it would have.
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")

    @property
    def inference_weights(self) -> list[keras.Variable]:
        old = {id(w) for layer in self.old_encoder for w in layer.weights}
        return [w for w in self.weights if id(w) not in old]

    def posterior(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """μ and log σ² of a history's code, each `(batch, latent_dim)`, as answers are made from it."""
        return _code(self.encoder, l2_normalize_rows(observed_rows(inputs)))

    def decode(self, code: Tensor, training: bool = False) -> Tensor:
        """Logits `(batch, n_items)` of a code `(batch, latent_dim)`."""
        return self.logits(code, training=training)

    def sampled(self, seed: int) -> Recommender:
        """The same model, answering with a z drawn from q(z | x) instead of its mean, as `MultVAE.sampled` does."""
        return Sampled(self, seed)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        if not training:
            return self.decode(self.posterior(inputs)[0])
        row = l2_normalize_rows(observed_rows(inputs))
        self._look_at_the_encoder()
        mean, log_var = _code(self.encoder, row.with_values(self.drop(row.values, training=True)), training)
        code = self.sampling(mean, log_var, training=True)
        apart = ops.sum(log_normal(code, mean, log_var) - self.log_prior(code, row), axis=1)
        nll = self.nll.call(self.observed_entries(inputs), self.logits(code, training=True, learn=False))
        self.add_loss(ops.mean(nll + self.gamma * row.counts * apart))
        whole = (ops.stop_gradient(part) for part in _code(self.encoder, row, training))
        logits = self.decode(self.sampling(*whole, training=True), training)
        self.add_loss(ops.mean(self.nll.call(self.observed_entries(inputs), logits)))
        return logits

    def log_prior(self, code: Tensor, row: SparseRows | DenseRows) -> Tensor:
        """Log p of each dimension of a code, `(batch, latent_dim)`.

        Args:
            code: z, `(batch, latent_dim)`.
            row: the rows it is of, each of norm 1.
        """
        zero = ops.zeros_like(code)
        old_mean, old_log_var = _code(self.old_encoder, row)
        old = ops.stop_gradient(old_mean), ops.stop_gradient(old_log_var)  # also after `model.trainable = True`
        parts = ((zero, zero), old, (zero, zero + 10.0))
        weighed = [
            math.log(w) + log_normal(code, mean, log_var)
            for w, (mean, log_var) in zip(self.mixture, parts, strict=True)
        ]
        return ops.logsumexp(ops.stack(weighed), axis=0)

    def _look_at_the_encoder(self) -> None:
        """Every `refresh_steps` updates the old encoder becomes a copy of the present one."""
        present, old = ([w for layer in encoder for w in layer.weights] for encoder in (self.encoder, self.old_encoder))
        due = ops.equal(ops.mod(self.step, self.refresh_steps), 0)
        seen = ops.cond(due, *(lambda kept=kept: [ops.convert_to_tensor(w) for w in kept] for kept in (present, old)))
        for weight, value in zip(old, seen, strict=True):
            weight.assign(value)
        self.step.assign_add(1)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training:
            return self.loss_from_call(y, sample_weight)
        return self.nll(self.observed_entries(x if y is None else y), y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        names = ("n_items", "hidden_dim", "depth", "latent_dim", "dropout", "gamma", "mixture", "refresh_steps")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def log_normal(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Log N(x; μ, σ²) = -½ (log 2π + log σ² + (x - μ)² / σ²), element by element."""
    return -0.5 * (math.log(2 * math.pi) + log_var + ops.square(x - mean) * ops.exp(-log_var))


def _code(
    encoder: list[keras.layers.Layer], row: SparseRows | DenseRows, training: bool = False
) -> tuple[Tensor, Tensor]:
    """μ and log σ², each float32 `(batch, latent_dim)`."""
    stack, *heads = encoder
    hidden = stack(row, training=training)
    mean, log_var = (ops.cast(head(hidden), "float32") for head in heads)
    return mean, log_var


class SummedDense(keras.layers.Layer):
    """The encoder's hidden layers, from rows to the last of them, `(batch, units)`."""

    def __init__(self, units: int, depth: int, seed: int | None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.units = units
        kinds = [RowDense, *[BFloat16Dense] * (depth - 1)]
        seeds = [None if seed is None else seed + i for i in range(depth)]
        self.dense = [
            xavier_dense(units, None, own, f"dense_{i}", kind=kind)
            for i, (own, kind) in enumerate(zip(seeds, kinds, strict=True))
        ]
        self.norms = [keras.layers.LayerNormalization(epsilon=0.1, name=f"norm_{i}") for i in range(depth)]

    def build(self, input_shape: Any) -> None:
        for dense, norm in zip(self.dense, self.norms, strict=True):
            dense.build(input_shape)
            input_shape = (None, self.units)
            norm.build(input_shape)

    def call(self, row: SparseRows | DenseRows, training: bool = False) -> Tensor:
        hidden = self.norms[0](ops.silu(self.dense[0](row, training=training)))
        hidden, before = _in_two(hidden)
        for dense, norm in zip(self.dense[1:], self.norms[1:], strict=True):
            hidden = norm(ops.silu(dense(hidden) + before))
            before = before + hidden
        return hidden


def _in_two(hidden: Tensor) -> tuple[Tensor, Tensor]:
    """The same tensor twice, whose two gradients meet before they join others.

    TensorFlow adds up three tensors in an order that depends on its threads, and no two runs would end with the same
    weights.
    """
    if keras.backend.backend() != "tensorflow":
        return hidden, hidden
    import tensorflow as tf

    @custom_gradient
    def twice(hidden: Tensor) -> tuple[tuple[Tensor, Tensor], Any]:
        return (tf.identity(hidden), tf.identity(hidden)), lambda *above: tf.reduce_sum(tf.stack(above), axis=0)

    return twice(hidden)
