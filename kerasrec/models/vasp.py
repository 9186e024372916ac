"""VASP: a deep variational autoencoder beside zero-diagonal item-item weights. https://arxiv.org/abs/2102.05774."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.layers import GaussianSampling, Logits, RowDense, xavier_dense
from kerasrec.losses import FocalLoss, RowMean, gaussian_kl
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import input_axes, output_axes, output_vectors
from kerasrec.models.entry_losses import EntryLosses
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Choice, Range
from kerasrec.models.summed_dense import SummedDense
from kerasrec.ops.gradients import duplicate
from kerasrec.ops.sparse_rows import DenseRows, SparseRows
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import check_at_least


@public
class VASP(Recommender):
    """Variational autoencoder with a shallow parallel path: each predicts a probability, and the two are multiplied.

    The deep path (FLVAE) encodes a row as q = N(μ, diag σ²) and decodes z by two outputs, one behind the decoder's
    hidden layers h and one that is linear in z. The shallow path is x B with diag(B) = 0:

        p_ui = σ(h(z_u) · v_i + a_i) · σ(z_u · w_i + c_i) · σ((x_u B)_i)

    In encoder and decoder, the sum of all earlier layers is added to each layer:

        h_l = norm(swish(W_l h_{l-1} + b_l + h_1 + … + h_{l-1}))

    In training each like is either an input or, with probability `dropout`, a target y, so that the model cannot learn
    the identity. The model minimises, averaged over users, the focal loss (`kerasrec.losses.FocalLoss`) of the targets
    and the mean KL divergence of a dimension of z:

        -Σ_i α y_ui (1 - p_ui)^γ log p_ui + (1 - α) (1 - y_ui) p_ui^γ log(1 - p_ui)
            + KL(q(z_u | x_u) ‖ N(0, I)) / latent_dim

    z is drawn from q in training and is μ otherwise.

    Needs likes and a history only: users that were not in training are scored as well. B has n_items² weights.

    Args:
        n_items: size of the catalogue.
        hidden_dim: width of the hidden layers of encoder and decoder (paper: 4096). `for_interactions` sets 600.
        latent_dim: width of z (paper: 2048). `for_interactions` sets 300.
        encoder_depth: number of hidden layers of the encoder (paper: 7).
        decoder_depth: number of hidden layers of the decoder (paper: 5).
        dropout: share of the likes that are targets and not inputs of a training step (paper: 0.5). With 0, all likes
            are both.
        alpha: α of the focal loss (paper: 0.25).
        gamma: γ of the focal loss (paper: 2).
        shallow_path: whether the probabilities are multiplied by those of the shallow path. Without it, the model is
            the paper's FLVAE.
        seed: seed of weights, of z and of the choice of targets.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: the logits log(p / (1 - p)),
        `(batch, n_items)`, float32.

    Raises:
        ValueError: a depth is below 1, `dropout` or `alpha` is outside 0 to 1, `gamma` is negative, or `fit` gets `y`.

    Example:
        >>> from kerasrec import VASP, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> sizes = {"hidden_dim": 32, "latent_dim": 8, "encoder_depth": 2, "decoder_depth": 1}
        >>> model = VASP(table.n_items, **sizes, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: every step draws the targets of each row; the authors' code divides each row into two
    halves once per epoch and trains on both directions. B covers all items; the authors' code can restrict it to the
    most popular ones. Learning rates are higher, because the widths are smaller.

    Source: Vančura and Kordík, Deep Variational Autoencoder with Shallow Parallel Path for Top-N Recommendation
    (VASP), ICANN 2021, and the authors' code (zombak79/vasp).
    """

    default_epochs = 90
    default_learning_rate = 1e-3
    search_space = {
        "hidden_dim": Choice((300, 600, 1200, 4096)),
        "latent_dim": Range(100, 2048, log=True),
        "dropout": Range(0.2, 0.8),
        "alpha": Range(0.1, 0.9),
        "gamma": Range(0.5, 4.0),
        "learning_rate": Range(2e-5, 1e-2, log=True),
    }

    def __init__(
        self,
        n_items: int,
        hidden_dim: int = 4096,
        latent_dim: int = 2048,
        encoder_depth: int = 7,
        decoder_depth: int = 5,
        dropout: float = 0.5,
        alpha: float = 0.25,
        gamma: float = 2.0,
        shallow_path: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_at_least(1, encoder_depth=encoder_depth, decoder_depth=decoder_depth)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout`: expected a share of at least 0 and below 1, got {dropout:g}")
        self.n_items = n_items
        self.hidden_dim = hidden_dim
        self.latent_dim = latent_dim
        self.encoder_depth = encoder_depth
        self.decoder_depth = decoder_depth
        self.dropout = dropout
        self.alpha = alpha
        self.gamma = gamma
        self.shallow_path = shallow_path

        inner = {"dtype": self.dtype_policy, "product_dtype": product_dtype(self.product_dtype)}
        self.encoder = SummedDense(
            hidden_dim, encoder_depth, self.seed_for("encoder"), first=RowDense, **inner, name="encoder"
        )
        self.mean, self.log_var = (
            xavier_dense(latent_dim, None, self.seed_for(name), name, **inner) for name in ("mean", "log_var")
        )
        self.sampling = GaussianSampling(self.seed_for("sampling"), name="sampling", dtype="float32")
        self.decoder = SummedDense(hidden_dim, decoder_depth, self.seed_for("decoder"), **inner, name="decoder")
        self.deep_logits, self.linear_logits = (
            xavier_dense(
                n_items, None, self.seed_for(name), name, Logits, product_dtype=product_dtype(self.product_dtype)
            )
            for name in ("deep_logits", "linear_logits")
        )
        self.choice_of_targets = keras.random.SeedGenerator(self.seed_for("targets"))
        self.focal_loss = FocalLoss(alpha, gamma)

    def build(self, input_shape: Any = None) -> None:
        self.encoder.build((None, self.n_items))
        self.mean.build((None, self.hidden_dim))
        self.log_var.build((None, self.hidden_dim))
        self.decoder.build((None, self.latent_dim))
        self.deep_logits.build((None, self.hidden_dim))
        self.linear_logits.build((None, self.latent_dim))
        if self.shallow_path:
            self.item_weights = self.add_weight(
                shape=(self.n_items, self.n_items),
                dtype="float32",
                initializer=keras.initializers.GlorotUniform(self.seed_for("item_weights")),
                autocast=False,
                name="item_weights",
            )

    def encode(self, rows: SparseRows | DenseRows, training: bool = False) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the code, each float32 `(batch, latent_dim)`."""
        hidden = self.encoder(rows, training=training)
        mean, log_var = self.mean(hidden, training=training), self.log_var(hidden, training=training)
        return ops.cast(mean, "float32"), ops.cast(log_var, "float32")

    def inputs_and_targets(self, likes: SparseRows | DenseRows) -> tuple[SparseRows | DenseRows, ...]:
        """The likes divided at random: each is an input or a target of a training step."""
        if self.dropout == 0:
            return likes, likes
        draws = keras.random.uniform(ops.shape(likes.values), seed=self.choice_of_targets)
        is_target = ops.cast(draws < self.dropout, "float32")
        return likes.with_values(likes.values * (1.0 - is_target)), likes.with_values(likes.values * is_target)

    def factor_logits(self, rows: SparseRows | DenseRows, code: Tensor, training: bool = False) -> list[Tensor]:
        """The logits of the probabilities that are multiplied, each `(batch, n_items)`."""
        deep = self.deep_logits(self.decoder(code, training=training), training=training)
        logits = [deep, self.linear_logits(code, training=training)]
        if self.shallow_path:
            # No gradient passes the diagonal, which has no effect.
            off_diagonal = self.item_weights * (1.0 - ops.eye(self.n_items, dtype="float32"))
            logits.append(rows.matmul(off_diagonal, product_dtype(self.product_dtype) if training else None))
        return logits

    def call(self, inputs: Any, training: bool = False) -> Any:
        likes = self.observed(inputs)
        if not training:
            return logit_of_product(self.factor_logits(likes, self.encode(likes)[0]))
        rows, targets = self.inputs_and_targets(likes)
        mean, log_var = self.encode(rows, training=True)
        logits = self.factor_logits(rows, self.sampling(mean, log_var, training=True), training=True)
        return {
            "logits": logit_of_product(logits),
            "targets": targets.dense(self.n_items) if isinstance(targets, SparseRows) else targets.values,
            "divergence": gaussian_kl(mean, log_var) / self.latent_dim,
        }

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if not training:
            return self.focal_loss(self.dense_targets(x if y is None else y), y_pred, sample_weight)
        self.refuse_targets(y)
        rows = self.focal_loss.call(y_pred["targets"], y_pred["logits"]) + y_pred["divergence"]
        return RowMean()(rows, rows, sample_weight)

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"hidden_dim": 600, "latent_dim": 300}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Nadam at 0.00005."""
        return keras.optimizers.Nadam(5e-5)

    @property
    def code_layer(self) -> str | None:
        """The layer of μ. The scores also depend on the row, so the model has no `decode`."""
        return "mean"

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        axes = [*input_axes(self.encoder.dense[0]), *output_axes(self.deep_logits), *output_axes(self.linear_logits)]
        return [*axes, (self.item_weights, ("columns", "columns"))] if self.shallow_path else axes

    def item_vectors(self, train: Any) -> FloatArray:
        return np.concatenate([output_vectors(self.deep_logits), output_vectors(self.linear_logits)], axis=1)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        surprise = np.logaddexp(0.0, -scores[columns])  # -log p
        return EntryLosses("focal loss", self.alpha * (-np.expm1(-surprise)) ** self.gamma * surprise)


def logit_of_product(logits: list[Tensor]) -> Tensor:
    """log(p / (1 - p)) of p = Π σ(f), for logits f of one shape."""
    surprise = ops.softplus(-logits[0])  # -log p
    for factor in logits[1:]:
        surprise = surprise + ops.softplus(-factor)
    surprise, copy = duplicate(ops.maximum(surprise, 1e-30))
    return -copy - ops.log(-ops.expm1(-surprise))
