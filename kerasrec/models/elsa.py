"""ELSA: a linear autoencoder of low rank, for catalogues too large for EASE. https://doi.org/10.1145/3523227.3551482."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.layers import trains_in_bfloat16
from kerasrec.models.base import Recommender
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, observed_rows
from kerasrec.types import Tensor


@public
class ELSA(Recommender):
    """Item-item weights A Aᵀ - I of low rank with a zero diagonal, learned by gradient descent.

    Row i of A is item i's vector, of length 1, which makes the diagonal 0. With f_u = x_u A Aᵀ - x_u it minimises,
    averaged over users,

        ‖ x_u / ‖x_u‖ - f_u / ‖f_u‖ ‖² = 2 - 2 cos(x_u, f_u)

    Neither cosine nor gradient needs the scores of all items: with z = x A they follow from ‖z‖², the number of likes
    and zᵀ (Aᵀ A) z. So the loss is exact, and a training step costs n_items · latent_dim² whatever the batch, which
    can be large. It takes n_items · latent_dim weights where `EASE` has n_items².

    Needs likes and a history only: a user never seen in training is answered as well.

    Args:
        n_items: size of the catalogue.
        latent_dim: length of an item's vector, the rank of the weights (authors' example: 256).
        seed: seeds the vectors.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Example:
        >>> from kerasrec import ELSA, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = ELSA(table.n_items, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: nothing known but the way in which the loss is worked out.

    Source: Vančura, Alves, Kasalický and Kordík, Scalable Linear Shallow Autoencoder for Collaborative Filtering,
    RecSys 2022, and the authors' code (recombee/ELSA).
    """

    linear = True
    default_epochs = 20

    def __init__(self, n_items: int, latent_dim: int = 256, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items
        self.latent_dim = latent_dim
        self.cosine = keras.losses.CosineSimilarity()  # the negative of it

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam with Nesterov's momentum, at 0.1."""
        return keras.optimizers.Nadam(0.1)

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(
            shape=(self.n_items, self.latent_dim),
            dtype="float32",
            initializer=keras.initializers.GlorotUniform(self.seed_for("kernel")),
            autocast=False,  # lengths and ‖f‖² are sums and differences of many numbers: in float32 under any policy
            name="kernel",
        )

    @property
    def output_kernel(self) -> Tensor:
        """The items' vectors A, `(n_items, latent_dim)`."""
        kernel = ops.convert_to_tensor(self.kernel)
        return kernel * ops.rsqrt(ops.maximum(ops.sum(ops.square(kernel), axis=1, keepdims=True), 1e-12))

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The code z = x A, `(batch, latent_dim)`."""
        return observed_rows(inputs).matmul(self.output_kernel)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        liked, vectors = observed_rows(inputs), self.output_kernel
        if training:
            code = liked.matmul(vectors, "bfloat16" if trains_in_bfloat16() else None)
            self.add_loss(ops.mean(2.0 - 2.0 * self.cosines(liked, code, vectors)))
            return code
        scores = ops.matmul(liked.matmul(vectors), ops.transpose(vectors))
        return scores - liked.values if isinstance(liked, DenseRows) else liked.scatter_add(scores, -liked.values)

    def cosines(self, liked: SparseRows | DenseRows, code: Tensor, vectors: Tensor) -> Tensor:
        """cos(x, f) of each row, `(batch,)`, without f; 0 for a row of nothing."""
        gram = ops.matmul(ops.transpose(vectors), vectors)
        squares = ops.sum(ops.square(code), axis=1)
        product = squares - liked.counts  # x · f, as x · x A Aᵀ = ‖z‖²
        norm = ops.sum(ops.matmul(code, gram) * code, axis=1) - 2.0 * squares + liked.counts  # ‖f‖²
        return product * ops.rsqrt(ops.maximum(norm * liked.counts, 1e-12))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training:
            return self.loss_from_call(y, sample_weight)
        return 2.0 + 2.0 * self.cosine(self.dense_targets(x if y is None else y), y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_items": self.n_items, "latent_dim": self.latent_dim}
