"""RecVAE: Mult-VAE with a deeper encoder and a composite prior. https://arxiv.org/abs/1912.11160."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.layers import GaussianSampling, Logits, RowDense, xavier_dense
from kerasrec.losses import MultinomialNLL, RowMean
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import input_axes, output_axes, output_vectors
from kerasrec.models.entry_losses import EntryLosses, negative_log_softmax
from kerasrec.models.latent import VariationalRecommender
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Range
from kerasrec.models.summed_dense import SummedDense
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, l2_normalize_rows
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import check_at_least


@public
class RecVAE(VariationalRecommender):
    """Variational autoencoder of a user's likes whose prior keeps the encoder close to an earlier copy of itself.

    The decoder is linear. The encoder q = N(μ, diag σ²) is a stack of dense layers, each with the sum of all earlier
    ones added:

        h_l = norm(swish(W_l h_{l-1} + b_l + h_1 + … + h_{l-1})),   μ and log σ² linear in the last

    Encoder and decoder minimise different losses, averaged over users. Each loss treats the other part as constant:

        encoder   -Σ_i x_ui log softmax(f(z_u))_i + gamma · |x_u| · (log q(z_u) - log p(z_u)),   input under dropout
        decoder   -Σ_i x_ui log softmax(f(z_u))_i,                                               uncorrupted input

    |x_u| is the number of the user's items. z is drawn from q in training and is μ otherwise. The prior is, in each
    dimension of z, a mixture of a standard normal, the posterior of the same row by an old copy of the encoder, and a
    wide normal:

        p = 0.15 N(0, 1) + 0.75 N(μ_old, σ²_old) + 0.10 N(0, e¹⁰)

    Needs likes and a history only: users that were not in training are scored as well.

    Args:
        n_items: size of the catalogue.
        hidden_dim: width of the encoder's hidden layers (paper: 600).
        depth: number of hidden layers (paper: 5).
        latent_dim: width of z (paper: 200).
        dropout: share of the encoder's input that is dropped in training (paper: 0.5).
        gamma: γ, weight of the prior per item of a user (paper: 0.005 for ML-20M, 0.0035 for Netflix, 0.01 for the
            Million Song Dataset).
        mixture: weights of the three parts of the prior (paper: (0.15, 0.75, 0.1)).
        refresh_steps: steps after which the old encoder becomes a copy of the present one (paper: 50 times per run,
            every 700 steps on ML-20M). `for_interactions(train, epochs=…)` makes it 50 times in a run of any length.
        seed: seed of weights, dropout and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits `(batch, n_items)`, float32.

    Raises:
        ValueError: `depth` or `refresh_steps` is below 1, `gamma` is negative, `mixture` is not three positive weights
            with the sum 1, or `fit` gets `y`.

    Example:
        >>> from kerasrec import RecVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = RecVAE(table.n_items, hidden_dim=32, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: every step updates encoder and decoder together; the paper alternates three passes of
    the encoder with one of the decoder. The mixture is per dimension, as in the authors' code. Weights start
    Glorot-uniform with truncated-normal biases; the authors' code uses PyTorch's default initialisation.

    Source: Shenbin, Alekseev, Tutubalina, Malykh and Nikolenko, RecVAE: A New Variational Autoencoder for Top-N
    Recommendations with Implicit Feedback, WSDM 2020.
    """

    default_epochs = 150
    default_learning_rate = 2e-3
    search_space = {
        "latent_dim": Range(50, 400, log=True),
        "dropout": Range(0.2, 0.8),
        "gamma": Range(1e-3, 3e-2, log=True),
        "learning_rate": Range(2e-4, 1e-2, log=True),
    }

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
            raise ValueError(f"`mixture`: expected three positive weights with the sum 1, got {mixture}")
        self.n_items = n_items
        self.hidden_dim = hidden_dim
        self.depth = depth
        self.latent_dim = latent_dim
        self.dropout = dropout
        self.gamma = gamma
        self.mixture = tuple(mixture)
        self.refresh_steps = refresh_steps

        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        inner = {"dtype": self.dtype_policy, "product_dtype": product_dtype(self.product_dtype)}
        self.stack = SummedDense(
            hidden_dim, depth, self.seed_for("hidden"), first=RowDense, epsilon=0.1, **inner, name="hidden"
        )
        self.mean, self.log_var = (
            xavier_dense(latent_dim, None, self.seed_for(name), name, **inner) for name in ("mean", "log_var")
        )
        self.sampling = GaussianSampling(self.seed_for("sampling"), name="sampling", dtype="float32")
        self.logits = xavier_dense(
            n_items,
            None,
            self.seed_for("logits"),
            "logits",
            layer=Logits,
            product_dtype=product_dtype(self.product_dtype),
        )
        self.nll = MultinomialNLL()

    def build(self, input_shape: Any = None) -> None:
        self.stack.build((None, self.n_items))
        self.mean.build((None, self.hidden_dim))
        self.log_var.build((None, self.hidden_dim))
        self.logits.build((None, self.latent_dim))
        # Plain weights, not layers: unfreezing a model sets the weights of all its layers to trainable.
        self.old_encoder = [
            self.add_weight(w.shape, "zeros", w.dtype, trainable=False, autocast=False, name=f"old_{w.name}_{i}")
            for i, w in enumerate(self.encoder_weights)
        ]
        # A weight, so that a resumed run refreshes the old encoder at the same steps.
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")

    @property
    def encoder_weights(self) -> list[keras.Variable]:
        """The weights of the encoder."""
        return [weight for layer in (self.stack, self.mean, self.log_var) for weight in layer.weights]

    def encode(self, row: SparseRows | DenseRows, training: bool = False) -> tuple[Tensor, Tensor]:
        """μ and log σ² of normalised rows, each float32 `(batch, latent_dim)`."""
        hidden = self.stack(row, training=training)
        mean, log_var = self.mean(hidden, training=training), self.log_var(hidden, training=training)
        return ops.cast(mean, "float32"), ops.cast(log_var, "float32")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return self.decode(self.posterior(inputs)[0])
        row = l2_normalize_rows(self.observed(inputs))
        self._refresh_old_encoder()
        mean, log_var = self.encode(row.with_values(self.drop(row.values, training=True)), training)
        code = self.sampling(mean, log_var, training=True)
        divergence = ops.sum(log_normal(code, mean, log_var) - self.log_prior(code, row), axis=1)
        uncorrupted = (ops.stop_gradient(part) for part in self.encode(row, training))
        return {
            "encoder_logits": self.logits(code, training=True, train_weights=False),
            "divergence": divergence,
            "decoder_logits": self.logits(self.sampling(*uncorrupted, training=True), training=True),
        }

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if not training:
            return self.nll(self.observed(x if y is None else y), y_pred, sample_weight)
        self.refuse_targets(y)
        likes = self.observed(x)
        encoder = self.nll.call(likes, y_pred["encoder_logits"]) + self.gamma * likes.counts * y_pred["divergence"]
        decoder = self.nll.call(likes, y_pred["decoder_logits"])
        return RowMean()(encoder, encoder, sample_weight) + RowMean()(decoder, decoder, sample_weight)

    def log_prior(self, code: Tensor, row: SparseRows | DenseRows) -> Tensor:
        """Log p of each dimension of a code, `(batch, latent_dim)`.

        Args:
            code: z, `(batch, latent_dim)`.
            row: the normalised rows of the codes.
        """
        zero = ops.zeros_like(code)
        weights = zip(self.encoder_weights, map(ops.convert_to_tensor, self.old_encoder), strict=True)
        with keras.StatelessScope(state_mapping=list(weights)):  # the encoder with the old weights
            old_mean, old_log_var = self.encode(row)
        parts = ((zero, zero), (old_mean, old_log_var), (zero, zero + 10.0))
        log_parts = [
            math.log(weight) + log_normal(code, mean, log_var)
            for weight, (mean, log_var) in zip(self.mixture, parts, strict=True)
        ]
        return ops.logsumexp(ops.stack(log_parts), axis=0)

    def _refresh_old_encoder(self) -> None:
        """Copies the encoder to the old encoder every `refresh_steps` steps."""
        refresh = ops.equal(ops.mod(self.step, self.refresh_steps), 0)
        for old, present in zip(self.old_encoder, self.encoder_weights, strict=True):
            old.assign(ops.where(refresh, ops.stop_gradient(present.value), old.value))
        self.step.assign_add(1)

    @classmethod
    def schedule_for(cls, steps: int | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {} if steps is None else {"refresh_steps": max(1, round(steps / 50))}

    def reset_schedules(self, annealed_steps: int = 0) -> None:
        self.step.assign(0)

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.0005."""
        return Adam(5e-4)

    @property
    def inference_weights(self) -> list[keras.Variable]:
        """All weights but the old encoder's."""
        old = {id(weight) for weight in self.old_encoder}
        return [weight for weight in self.weights if id(weight) not in old]

    def posterior(self, inputs: Any) -> tuple[Tensor, Tensor]:
        return self.encode(l2_normalize_rows(self.observed(inputs)))

    def decode(self, code: Tensor, training: bool = False) -> Tensor:
        return self.logits(code, training=training)

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        first = self.stack.dense[0]
        old_kernels = [
            old for old, present in zip(self.old_encoder, self.encoder_weights, strict=True) if present is first.kernel
        ]
        old: list[tuple[keras.Variable, Axes]] = [(kernel, ("columns", None)) for kernel in old_kernels]
        return [*input_axes(first), *old, *output_axes(self.logits)]

    def item_vectors(self, train: Any) -> FloatArray:
        return output_vectors(self.logits)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return negative_log_softmax(scores, columns)


def log_normal(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Log N(x; μ, σ²) = -½ (log 2π + log σ² + (x - μ)² / σ²), element by element."""
    return -0.5 * (math.log(2 * math.pi) + log_var + ops.square(x - mean) * ops.exp(-log_var))
