"""ELSA: a low-rank linear autoencoder, for catalogues too large for EASE. https://doi.org/10.1145/3523227.3551482."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.losses import RowMean
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.compressed_elsa import CompressedELSA
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Range
from kerasrec.ops.sparse_rows import DenseRows, SparseRows
from kerasrec.types import FloatArray, Tensor
from kerasrec.validation import check_at_least


@public
class ELSA(Recommender):
    """Item-item weights A Aᵀ - I of low rank with a zero diagonal, trained by gradient descent.

    Row i of A is the vector of item i. It has length 1, which makes the diagonal 0. With f_u = x_u A Aᵀ - x_u the
    model minimises, averaged over users,

        ‖ x_u / ‖x_u‖ - f_u / ‖f_u‖ ‖² = 2 - 2 cos(x_u, f_u)

    The loss is computed without scoring all items: with z = x A, the cosine and its gradient follow from ‖z‖², the
    number of likes and zᵀ (Aᵀ A) z. It is exact, and a training step costs n_items · latent_dim² for any batch size,
    so that batches can be large. The model has n_items · latent_dim weights, `EASE` has n_items².

    Needs likes and a history only: users that were not in training are scored as well.

    Args:
        n_items: size of the catalogue.
        latent_dim: length of an item's vector, the rank of the weights (authors' example: 256). `for_interactions` sets
            a sixteenth of the number of items, within 256 to 1024.
        n_kept: how many entries of each vector count, those with the largest magnitude; the others are 0 (compressed
            ELSA). The entries are chosen anew in each step, and an export stores only them. Default: all. Vectors
            that are not longer keep all entries.
        seed: seed of the vectors.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `n_kept` is below 1; in `fit`, when it gets `y`.

    Example:
        >>> from kerasrec import ELSA, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = ELSA(table.n_items, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: the loss is computed without scoring all items. The authors' reproduction code applies
    a ReLU to the scores and initialises A by He's normal distribution; here scores are linear and A starts
    Glorot-uniform. Compressed ELSA lowers the number of kept entries during training; here it is `n_kept` from the
    start, and the gradient changes the other entries as well, so that they can be kept again.

    Source: Vančura, Alves, Kasalický and Kordík, Scalable Linear Shallow Autoencoder for Collaborative Filtering,
    RecSys 2022, and the authors' code (recombee/ELSA). Compressed: Vančura, Spišák, Alves and Peška, Efficient Learning
    of Sparse Representations from Interactions, WWW 2026.
    """

    linear = True
    default_epochs = 20
    default_updates = 100
    default_learning_rate = 0.05
    search_space = {
        "latent_dim": Range(32, 1024, log=True),
        "learning_rate": Range(1e-2, 3e-1, log=True),
    }

    def __init__(
        self,
        n_items: int,
        latent_dim: int = 256,
        n_kept: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items
        self.latent_dim = latent_dim
        check_at_least(1, n_kept=n_kept)
        self.n_kept = n_kept
        self.code_dtype = product_dtype(self.product_dtype)
        self.negative_cosine = keras.losses.CosineSimilarity(reduction=None, dtype="float32")

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(
            shape=(self.n_items, self.latent_dim),
            dtype="float32",
            initializer=keras.initializers.GlorotUniform(self.seed_for("kernel")),
            autocast=False,  # ‖f‖² is a difference of large sums: float32 under any policy
            name="kernel",
        )

    def _is_compressed(self) -> bool:
        return self.n_kept is not None and self.n_kept < self.latent_dim

    def unit_vectors(self) -> Tensor:  # no property, because Keras computes the properties of a model that it saves
        """The items' vectors A, `(n_items, latent_dim)`, of length 1."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self._is_compressed():
            magnitudes = ops.abs(kernel)
            smallest = ops.top_k(magnitudes, self.n_kept)[0][:, -1:]
            # The gradient is that of the kept entries, but reaches all of them.
            kernel = kernel - ops.stop_gradient(ops.where(magnitudes >= smallest, 0.0, kernel))
        return kernel * ops.rsqrt(ops.maximum(ops.sum(ops.square(kernel), axis=1, keepdims=True), 1e-12))

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The code z = x A, `(batch, latent_dim)`."""
        return self.observed(inputs).matmul(self.unit_vectors())

    def call(self, inputs: Any, training: bool = False) -> Any:
        likes, vectors = self.observed(inputs), self.unit_vectors()
        if training:
            return {"code": likes.matmul(vectors, self.code_dtype), "vectors": vectors}
        scores = ops.matmul(likes.matmul(vectors), ops.transpose(vectors))
        return scores - likes.values if isinstance(likes, DenseRows) else likes.scatter_add(scores, -likes.values)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training:
            self.refuse_targets(y)
            rows = 2.0 - 2.0 * cosines(self.observed(x), y_pred["code"], y_pred["vectors"])
        else:
            rows = 2.0 + 2.0 * self.negative_cosine(self.dense_targets(x if y is None else y), y_pred)
        return RowMean()(rows, rows, sample_weight)

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"latent_dim": int(np.clip(train.n_items // 16, 256, 1024))}

    @classmethod
    def batch_size_for(cls, n_rows: int) -> int:
        return cls.default_batch_size  # a step costs almost the same for any batch size

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam with Nesterov's momentum, at 0.1."""
        return keras.optimizers.Nadam(0.1)

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [(self.kernel, ("columns", None))]

    def as_served_model(self) -> Recommender:
        """With `n_kept`, a model that stores the kept entries only."""
        if not self._is_compressed():
            return self
        served = CompressedELSA(self.item_vectors(None), self.columns_digest)
        served.item_popularity = self.item_popularity
        return served

    def item_vectors(self, train: Any) -> FloatArray:
        return np.asarray(ops.convert_to_numpy(self.unit_vectors()), np.float32)


def cosines(likes: SparseRows | DenseRows, code: Tensor, vectors: Tensor) -> Tensor:
    """cos(x, x A Aᵀ - x) of each row, `(batch,)`, without computing x A Aᵀ; 0 for an empty row.

    Args:
        likes: x, with the values 1.
        code: z = x A, `(batch, latent_dim)`.
        vectors: A, `(n_items, latent_dim)`, with rows of length 1.
    """
    gram = ops.matmul(ops.transpose(vectors), vectors)
    squares = ops.sum(ops.square(code), axis=1)
    product = squares - likes.counts  # x · f, because x · x A Aᵀ = ‖z‖²
    squared_norm = ops.sum(ops.matmul(code, gram) * code, axis=1) - 2.0 * squares + likes.counts  # ‖f‖²
    return product * ops.rsqrt(ops.maximum(squared_norm * likes.counts, 1e-12))
