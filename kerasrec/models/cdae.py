"""CDAE: a denoising autoencoder with a weight vector for each user. https://doi.org/10.1145/2835776.2835837."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.losses import OBJECTIVES, PointwiseLoss, RowMean
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.entry_losses import EntryLosses
from kerasrec.models.search_space import Range
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import check_at_least


@public
class CDAE(Recommender):
    """Collaborative denoising autoencoder of a user's likes, with a weight vector V_u ("user node") for each user.

        z_u = h(Wᵀ x̃_u + V_u + b),   f_u = o(W' z_u + b')
        minimise  1/m Σ_u [Σ_{i ∈ O_u ∪ S_u} ℓ(x_ui, f_ui) + reg/2 · ‖V_u‖²]
                  + reg/2 · (‖W‖² + ‖W'‖² + ‖b‖² + ‖b'‖²)

    m is the number of users. x̃_u is the row with a share `dropout` of its likes masked out and the others scaled by
    1 / (1 - dropout). O_u are the user's likes, and S_u is a sample of the other items (negatives), drawn for each
    row at each step. At inference the input is the uncorrupted row.

    Needs likes, a history and a user id. V_u is 0 for unknown users (`row` -1), who are scored by history alone.

    Args:
        n_items: size of the catalogue.
        n_users: number of training users, each with a row in V.
        latent_dim: width of z, K (paper: 50).
        activation: h, `"sigmoid"` or None for the identity (the paper tries both).
        output_activation: o, likewise, with the square objective; the logistic objective contains its sigmoid.
        objective: `"logistic"`, ℓ = log(1 + exp f) - x f, or `"square"`, ℓ = ½ (x - f)².
        dropout: q, the share of a row that is masked out (paper: 0.2 to 1, chosen on validation).
        negatives: negatives per like in the loss (paper: 5); None for all other items.
        tied: whether W' = W (the paper tries both).
        user_node: whether there is a V. Without it this is the paper's DAE, which needs a history only.
            `config_for` sets False if all validation users are unknown.
        reg: λ of the weight decay (authors' code: 0.01, but only on the rows of W that occur in a user's loss).
            `for_interactions` sets 0.01 times the density of the table.
        seed: seed of weights, corruption and negatives.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`, whose rows are unknown users'.
        Out: f `(batch, n_items)`, float32 under any dtype policy; logits with the logistic objective.

    Raises:
        ValueError: an argument is out of range, or a table has more users than V has rows.

    Example:
        >>> from kerasrec import CDAE, Interactions, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = CDAE.for_interactions(table, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)
        >>> # User 7 is a training user, the other user is unknown.
        >>> histories = Interactions.from_histories([[3, 5], [8]], table, user_ids=[7, 10**6])
        >>> model.recommend(histories, k=5, train=table).item_ids.shape
        (2, 5)

    Differs from the paper in: mini-batches instead of single users. Each negative is drawn independently, 5 per like
    on average, none twice. V_u is regularised when its user is in the batch, as in the authors' code, not at every
    step. Weights start Glorot-uniform; the authors' code draws them from other distributions. Two replicas draw other
    negatives than one process; with `dropout=0, negatives=None` both compute the same.

    Source: Wu, DuBois, Zheng and Ester, Collaborative Denoising Auto-Encoders for Top-N Recommender
    Systems, WSDM 2016, and the authors' code (libcf).
    """

    default_batch_size = 100
    default_learning_rate = 0.1
    search_space = {
        "latent_dim": Range(20, 400, log=True),
        "dropout": Range(0.1, 0.9),
        "negatives": Range(1, 20, log=True),
        "reg": Range(1e-6, 1e-1, log=True),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

    def __init__(
        self,
        n_items: int,
        n_users: int,
        latent_dim: int = 50,
        activation: str | None = "sigmoid",
        output_activation: str | None = None,
        objective: str = "logistic",
        dropout: float = 0.5,
        negatives: int | None = 5,
        tied: bool = True,
        user_node: bool = True,
        reg: float = 0.001,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if objective not in OBJECTIVES:
            raise ValueError(f"`objective`: expected one of {', '.join(OBJECTIVES)}, got {objective!r}")
        if objective == "logistic" and output_activation is not None:
            raise ValueError(
                f"`output_activation`: expected None with the logistic objective, got {output_activation!r}. "
                "The objective contains the sigmoid"
            )
        check_at_least(1, negatives=negatives)
        self.n_items = n_items
        self.n_users = n_users
        self.latent_dim = latent_dim
        self.activation = activation
        self.output_activation = output_activation
        self.objective = objective
        self.dropout = dropout
        self.negatives = negatives
        self.tied = tied
        self.user_node = user_node
        self.reg = reg

        # Keras' dropout scales the remaining entries by 1 / (1 - q), as the paper does.
        self.corrupt = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), dtype="float32", name="corrupt")
        self.negative_sampling = keras.random.SeedGenerator(self.seed_for("negatives"))
        self.pointwise = PointwiseLoss(objective)

    def build(self, input_shape: Any = None) -> None:
        def weight(name: str, shape: tuple[int, ...], initializer: Any, regularized: bool = True) -> Any:
            decay = keras.regularizers.L2(self.reg / 2) if self.reg and regularized else None
            # With 50 hidden units half precision would save nothing: float32 under any policy.
            return self.add_weight(shape, initializer, "float32", autocast=False, regularizer=decay, name=name)

        def glorot(name: str) -> Any:
            return keras.initializers.GlorotUniform(self.seed_for(name))

        items = (self.n_items, self.latent_dim)
        self.kernel = weight("kernel", items, glorot("kernel"))
        self.hidden_bias = weight("hidden_bias", (self.latent_dim,), "zeros")
        self.output_kernel = self.kernel if self.tied else weight("output_kernel", items, glorot("output_kernel"))
        self.bias = weight("bias", (self.n_items,), "zeros")
        if self.user_node:
            users = (self.n_users, self.latent_dim)
            self.nodes = weight("nodes", users, glorot("nodes"), regularized=False)  # `compute_loss` regularises them

    def nodes_of(self, inputs: Any) -> Tensor:
        """V_u of each row, `(batch, latent_dim)`, 0 for unknown users."""
        if not (self.user_node and isinstance(inputs, Mapping) and "row" in inputs):
            return ops.zeros((1, self.latent_dim), "float32")
        row = ops.cast(inputs["row"], "int32")
        is_known = ops.expand_dims(ops.cast(row >= 0, "float32"), 1)
        return is_known * ops.take(self.nodes, ops.maximum(row, 0), axis=0)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        likes = self.observed(inputs)
        corrupted = likes.with_values(self.corrupt(likes.values, training=training))
        code = corrupted.matmul(ops.convert_to_tensor(self.kernel)) + self.nodes_of(inputs) + self.hidden_bias
        code = keras.activations.get(self.activation)(code)
        scores = ops.matmul(code, ops.transpose(self.output_kernel)) + self.bias
        return keras.activations.get(self.output_activation)(scores)

    def loss_weights(self, likes: Tensor, training: bool = True) -> Tensor:
        """`(batch, n_items)`: 1 for likes and drawn negatives, 0 for other items; outside training the expectation."""
        if self.negatives is None:
            return ops.ones_like(likes)
        n_likes = ops.sum(likes, axis=-1, keepdims=True)
        probability = ops.minimum(1.0, self.negatives * n_likes / ops.maximum(self.n_items - n_likes, 1.0))
        if not training:
            return ops.where(likes > 0, 1.0, probability)
        draws = keras.random.uniform(ops.shape(likes), dtype="float32", seed=self.negative_sampling) < probability
        return ops.where(likes > 0, 1.0, ops.cast(draws, "float32"))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        likes = self.dense_targets(x if y is None else y)
        entry_loss = self.pointwise(
            {"likes": likes, "weight": self.loss_weights(likes, training)}, y_pred, sample_weight
        )
        node_norms = self.reg / 2 * ops.sum(ops.square(self.nodes_of(x)), axis=-1)
        return entry_loss + RowMean()(node_norms, node_norms, sample_weight) + self.regularization_losses()

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"n_items": train.n_items, "n_users": train.n_users}

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        tests_unknown_users = validation is not None and validation.rows is not None and (validation.rows < 0).all()
        node = {"user_node": False} if tests_unknown_users else {}
        # The loss of an item falls with its share of users, so its decay is scaled accordingly.
        return {"latent_dim": 200, "reg": 0.01 * train.density, **node}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """AdaGrad at 0.1. Its accumulator starts at 1e-4, because gradients of means over rows are small."""
        return keras.optimizers.Adagrad(0.1, initial_accumulator_value=1e-4)

    @property
    def n_known_rows(self) -> int | None:
        return self.n_users if self.user_node else None

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """A history, and a user id if there are user nodes."""
        return ("history", "user_id") if self.user_node else ("history",)

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        kernels = [self.kernel] if self.tied else [self.kernel, self.output_kernel]
        items: list[tuple[keras.Variable, Axes]] = [(kernel, ("columns", None)) for kernel in kernels]
        users: list[tuple[keras.Variable, Axes]] = [(self.nodes, ("rows", None))] if self.user_node else []
        return [*items, (self.bias, ("columns",)), *users]

    def item_vectors(self, train: Interactions) -> FloatArray:
        return np.asarray(ops.convert_to_numpy(self.output_kernel), np.float32)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        f = scores[columns]
        if self.objective == "logistic":
            return EntryLosses("logistic loss", np.logaddexp(0.0, f) - f)
        return EntryLosses("half squared error", 0.5 * np.square(1.0 - f))
