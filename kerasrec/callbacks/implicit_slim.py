"""ImplicitSLIM: item vectors that agree with item-item weights."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec.data.interactions import Interactions
from kerasrec.data.table_argument import check_table
from kerasrec.ops.implicit_slim import implicit_slim
from kerasrec.validation import as_int_at_least, check_above, check_at_least, check_recommender


class ImplicitSLIM(keras.callbacks.Callback):
    """Replaces the item vectors of a model every few epochs by vectors that agree with item-item weights.

    Each replacement solves a problem in closed form, see `kerasrec.ops.implicit_slim`. It applies to each trainable
    weight with one vector per item: the first and the last layer of an autoencoder, the vectors of `ELSA`. Biases and
    the state of the optimizer do not change.

    Args:
        train: the training table.
        reg: λ of the item-item weights, as in `EASE`.
        alpha: α: with a larger α, the new vectors are nearer to the old ones.
        every: number of epochs between two replacements. The first one is before epoch `every`, as in the authors'
            code, where epochs are counted from 1.
        last: number of the last epoch before which vectors are replaced. Default: all epochs. A learning rate that
            falls to 0 leaves no time to recover from a late replacement.
        min_count: items with fewer likes do not hold the new vectors near the old ones.

    Raises:
        TypeError: `train` is not a table; in `fit`, the model is not a model of kerasrec.
        ValueError: `every` is below 1, `reg` or `alpha` is not above 0; in `fit`, the model has no such weights, or
            `train` has another catalogue than the model.

    Example:
        >>> from kerasrec import ELSA, generate
        >>> from kerasrec.callbacks import ImplicitSLIM
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = ELSA(table.n_items, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=4, callbacks=[ImplicitSLIM(table, reg=50, alpha=1, every=2)], verbose=0)

    Differs from the paper in: vectors are not rounded to float16.

    Source: Shenbin and Nikolenko, ImplicitSLIM and How it Improves Embedding-based Collaborative Filtering, ICLR 2024.
    """

    def __init__(
        self,
        train: Interactions,
        reg: float = 500.0,
        alpha: float = 1.0,
        every: int = 5,
        last: int | None = None,
        min_count: int = 0,
    ) -> None:
        super().__init__()
        check_table(train=train)
        check_at_least(1, last=last)
        check_above(0, reg=reg, alpha=alpha)
        self.train = train
        self.reg = reg
        self.alpha = alpha
        self.every = as_int_at_least(1, every=every)
        self.last = last
        self.min_count = min_count

    def on_train_begin(self, logs: Any = None) -> None:
        check_recommender(self.model)
        vectors = {("columns", None): False, (None, "columns"): True}  # the axes of a weight → whether it is transposed
        self.weights = [
            (weight, vectors[axes]) for weight, axes in self.model.weight_axes() if weight.trainable and axes in vectors
        ]
        if not self.weights:
            raise ValueError(
                f"ImplicitSLIM: expected a model with trainable vectors of the items, got {type(self.model).__name__}"
            )
        table = self.train.T if self.model.rows == "items" else self.train
        self.model.check_columns(table)
        self.likes = table.likes().matrix

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if (epoch + 1) % self.every or (self.last is not None and epoch + 1 > self.last):
            return
        for weight, transposed in self.weights:
            old = keras.ops.convert_to_numpy(weight)
            new = implicit_slim(old.T if transposed else old, self.likes, self.reg, self.alpha, self.min_count)
            weight.assign(new.T if transposed else new)
