"""CDAE: a denoising autoencoder with a node of its own for each user. https://doi.org/10.1145/2835776.2835837."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.losses import POINTWISE, PointwiseLoss
from kerasrec.models.base import Recommender
from kerasrec.ops.sparse_rows import observed_rows
from kerasrec.types import Tensor


@public
class CDAE(Recommender):
    """Collaborative denoising autoencoder: what a user likes, and who the user is.

        z_u = h(Wᵀ x̃_u + V_u + b),   f_u = o(W' z_u + b')
        minimise  1/m Σ_u [Σ_{i ∈ O_u ∪ S_u} ℓ(x_ui, f_ui) + reg/2 · ‖V_u‖²]
                  + reg/2 · (‖W‖² + ‖W'‖² + ‖b‖² + ‖b'‖²)

    with m rows. x̃_u is the row with a share `dropout` of its likes masked out and the others scaled
    by 1 / (1 - dropout); O_u are the user's likes and S_u a sample of what the user has not seen,
    drawn anew for each row at each step. Scores come from the row as it is.

    Needs likes, a history and a user id. V_u is 0 for a user without one (`row` -1: a stranger to
    the training table), who is answered by history alone.

    Args:
        n_items: size of the catalogue.
        n_users: number of training users, each of whom has a row in V.
        latent_dim: width of z, K (paper: 50).
        activation: h, `"sigmoid"` or `None` for the identity (the paper tries both).
        output_activation: o, likewise, under the square objective; the logistic one has its sigmoid
            inside ℓ.
        objective: `"logistic"`, ℓ = log(1 + exp f) - x f, or `"square"`, ℓ = ½ (x - f)².
        dropout: q, the share of a row that is masked out (paper: 0.2 to 1, chosen on validation).
        negatives: how many unseen items stand in the loss for each like (paper: 5); all where `None`.
        tied: whether W' = W (the paper tries both).
        user_node: whether there is a V; without it this is the paper's DAE, and it asks for a history only.
        reg: λ of the decay (authors' code: 0.01, but on those rows of W alone that stand in a user's loss).
        seed: seeds weights, corruption and sampling.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`, whose rows are strangers'.
        Out: f `(batch, n_items)`, float32 under any dtype policy; logits under the logistic objective.

    Raises:
        ValueError: an argument is out of range, or a table has more users than there are nodes.

    Example:
        >>> from kerasrec import CDAE, Interactions, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = CDAE.for_interactions(table, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)
        >>> # User 7 is known, the other one is a stranger.
        >>> asked = Interactions.from_histories([[3, 5], [8]], table, user_ids=[7, 10**6])
        >>> model.recommend(asked, k=5, train=table).item_ids.shape
        (2, 5)

    Differs from the paper in: mini-batches instead of single users. Each unseen item is drawn by itself, so
    that there are 5 for each like on average, none twice. V_u decays when its user comes up, as in
    the authors' code, and not at every step. Two replicas draw another sample than one process; with
    `dropout=0, negatives=None` they learn what one learns.

    Source: Wu, DuBois, Zheng and Ester, Collaborative Denoising Auto-Encoders for Top-N Recommender
    Systems, WSDM 2016, and the authors' code (libcf).
    """

    default_epochs = 100
    default_batch_size = 100

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
        if objective not in POINTWISE:
            raise ValueError(f"`objective` must be one of {', '.join(POINTWISE)}, not {objective!r}")
        if objective == "logistic" and output_activation is not None:
            raise ValueError('`output_activation` must be None under the "logistic" objective, which has its own')
        if negatives is not None and negatives < 1:
            raise ValueError(f"`negatives` must be at least 1, or None for all unseen items, not {negatives}")
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

        # The layer scales what it keeps by 1 / (1 - q), as the paper does.
        self.corrupt = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), dtype="float32", name="corrupt")
        self.sampling = keras.random.SeedGenerator(self.seed_for("negatives"))
        self.pointwise = PointwiseLoss(objective)

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"n_items": train.n_items, "n_users": train.n_users, **arguments}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """AdaGrad; its accumulator starts low, as gradients of means over rows are small."""
        return keras.optimizers.Adagrad(0.1, initial_accumulator_value=1e-4)

    def build(self, input_shape: Any = None) -> None:
        decay = keras.regularizers.L2(self.reg / 2) if self.reg else None

        def weight(name: str, shape: tuple[int, ...], start: Any, regularizer: Any = decay) -> Any:
            # With 50 hidden units half precision would save nothing: float32 under any policy.
            return self.add_weight(shape, start, "float32", autocast=False, regularizer=regularizer, name=name)

        def uniform(name: str) -> Any:
            return keras.initializers.GlorotUniform(self.seed_for(name))

        items = (self.n_items, self.latent_dim)
        self.kernel = weight("kernel", items, uniform("kernel"))
        self.hidden_bias = weight("hidden_bias", (self.latent_dim,), "zeros")
        self.output_kernel = self.kernel if self.tied else weight("output_kernel", items, uniform("output_kernel"))
        self.bias = weight("bias", (self.n_items,), "zeros")
        if self.user_node:
            nodes = (self.n_users, self.latent_dim)
            self.nodes = weight("nodes", nodes, uniform("nodes"), regularizer=None)  # `call` lets them decay

    def nodes_of(self, inputs: Any) -> Tensor:
        """V_u of each row, `(batch, latent_dim)`, 0 for strangers."""
        if not (self.user_node and isinstance(inputs, Mapping) and "row" in inputs):
            return ops.zeros((1, self.latent_dim))
        row = ops.cast(inputs["row"], "int32")
        known = ops.expand_dims(ops.cast(row >= 0, "float32"), 1)
        return known * ops.take(self.nodes, ops.maximum(row, 0), axis=0)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        nodes = self.nodes_of(inputs)
        self.add_loss(self.reg / 2 * ops.mean(ops.sum(ops.square(nodes), axis=-1)))
        liked = observed_rows(inputs)
        kept = liked.with_values(self.corrupt(liked.values, training=training))
        code = kept.matmul(ops.convert_to_tensor(self.kernel)) + nodes + self.hidden_bias
        code = keras.activations.get(self.activation)(code)
        scores = ops.matmul(code, ops.transpose(self.output_kernel)) + self.bias
        return keras.activations.get(self.output_activation)(scores)

    def in_loss(self, likes: Tensor, training: bool = True) -> Tensor:
        """`(batch, n_items)`: 1 for a like and for a drawn negative, 0 for others; outside training, the odds."""
        if self.negatives is None:
            return ops.ones_like(likes)
        n_likes = ops.sum(likes, axis=-1, keepdims=True)
        odds = ops.minimum(1.0, self.negatives * n_likes / ops.maximum(self.n_items - n_likes, 1.0))
        if training:
            drawn = ops.cast(keras.random.uniform(ops.shape(likes), seed=self.sampling) < odds, "float32")
        return ops.where(likes > 0, 1.0, drawn if training else odds)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        likes = self.dense_targets(x if y is None else y)
        truth = {"likes": likes, "weight": self.in_loss(likes, training)}
        return self.pointwise(truth, y_pred, sample_weight) + self.regularization_losses()

    @property
    def n_known_rows(self) -> int | None:
        return self.n_users if self.user_node else None

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """What a served request must tell."""
        return ("history", "user_id") if self.user_node else ("history",)

    def get_config(self) -> dict[str, Any]:
        names = ["n_items", "n_users", "latent_dim", "activation", "output_activation", "objective", "dropout"]
        names += ["negatives", "tied", "user_node", "reg"]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
