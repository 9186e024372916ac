"""EASE by gradient descent: the same linear autoencoder, trained instead of solved. https://arxiv.org/abs/1905.03375."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec._registry import public
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.search_space import Range
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor


@public
class EASESGD(Recommender):
    """Item-item weights with a zero diagonal, trained by gradient descent.

        minimise  1/m Σ_users ‖x_u - x_u B‖² + reg · ‖B‖²  subject to diag(B) = 0

    m is the number of users, and `reg` is λ / m of `EASE`, to whose solution the training converges. It needs no
    inverse of an n_items × n_items matrix, and continues training on new users. `EASE` is faster where it fits into
    memory.

    Needs likes and a history only. Memory: n_items² float32 for the weights, twice that for Adam.

    Args:
        n_items: size of the catalogue.
        reg: λ / m (paper: ML-20M 500 / 136,677).
        seed: no effect, because B starts at 0. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Example:
        >>> from kerasrec import EASESGD, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASESGD(table.n_items, reg=0.1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: trained by Adam on mini-batches, therefore `reg` is per user.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
    """

    linear = True
    default_epochs = 50
    search_space = {
        "reg": Range(1e-5, 1e-1, log=True),
        "learning_rate": Range(1e-3, 1e-1, log=True),
    }

    def __init__(self, n_items: int, reg: float = 0.004, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items
        self.reg = reg
        self.squared_error = MaskedMeanSquaredError(per="row")

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(
            shape=(self.n_items, self.n_items),
            dtype="float32",
            initializer="zeros",
            regularizer=keras.regularizers.L2(self.reg) if self.reg else None,
            autocast=False,
            name="kernel",
        )

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        # No gradient passes the diagonal, which therefore stays at its initial 0.
        off_diagonal = self.kernel * (1.0 - ops.eye(self.n_items, dtype="float32"))
        return self.observed(inputs).matmul(off_diagonal)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        likes = self.dense_targets(x if y is None else y)
        return self.squared_error(likes, y_pred, sample_weight) + self.regularization_losses()

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.001. In a planned run the rate falls to 0 as a cosine."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(1e-3))

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [(self.kernel, ("columns", "columns"))]

    def item_vectors(self, train: Any) -> FloatArray:
        return np.ascontiguousarray(ops.convert_to_numpy(self.kernel).T, np.float32)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, np.ones(len(columns), np.float32))
