"""EASE by gradient descent: the same linear autoencoder, trained instead of solved. https://arxiv.org/abs/1905.03375."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender
from kerasrec.ops.sparse_rows import observed_rows
from kerasrec.optimizers import Adam
from kerasrec.types import Tensor


@public
class EASESGD(Recommender):
    """Item-item weights with a zero diagonal, learned by gradient descent.

        minimise  1/m Σ_users ‖x_u - x_u B‖² + reg · ‖B‖²  subject to diag(B) = 0

    with m users; `reg` is λ / m of `EASE`, whose closed form is where this ends. It needs no inverse
    of an n_items × n_items matrix, goes on learning from new users, and runs wherever Keras runs;
    where `EASE` can be solved, that is faster.

    Needs likes and a history only. Memory: n_items² float32 for the weights, twice that for Adam.

    Args:
        n_items: size of the catalogue.
        reg: λ / m (paper: ML-20M 500 / 136,677).
        seed: has no effect, as B starts at 0; every model takes it.

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

    Differs from the paper in: trained by Adam on mini-batches, hence `reg` is per user.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
    """

    linear = True
    default_epochs = 50

    def __init__(self, n_items: int, reg: float = 0.004, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        self.n_items = n_items
        self.reg = reg
        self.squared_error = MaskedMeanSquaredError(per="row")

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam, from 0.001 down to 0 as a cosine over the run that was planned; at 0.001 where none was."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(1e-3))

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(
            shape=(self.n_items, self.n_items),
            dtype="float32",
            initializer="zeros",
            regularizer=keras.regularizers.L2(self.reg) if self.reg else None,
            name="kernel",
        )

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        # No gradient passes the diagonal, which therefore stays at the 0 where it starts.
        off_diagonal = self.kernel * (1.0 - ops.eye(self.n_items))
        return observed_rows(inputs).matmul(off_diagonal)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        return (
            self.squared_error(self.dense_targets(x if y is None else y), y_pred, sample_weight)
            + self.regularization_losses()
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_items": self.n_items, "reg": self.reg}
