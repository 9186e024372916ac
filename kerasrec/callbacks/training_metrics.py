"""Metrics on training rows, which show overfitting."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasrec.data.batches import Batches, for_backend
from kerasrec.data.interactions import Interactions
from kerasrec.data.table_argument import check_table
from kerasrec.validation import as_int_at_least, check_recommender


class TrainingMetrics(keras.callbacks.Callback):
    """Measures training rows as validation measures other rows, to show overfitting.

    Adds `train_` and the name of each compiled metric to the logs of each epoch, and the annealed values of the model
    (`beta`). Put it before callbacks that store the logs. For models of likes, a fifth of the items of each sampled
    row is removed from the input and held out, although the model was trained on it. For rating models, ratings are
    compared with their reconstruction.

    Args:
        train: the training table.
        rows: number of rows to measure.
        seed: seed of the choice of rows and of held-out items.

    Raises:
        TypeError: `train` is not a table; in `fit`, the model is not a model of kerasrec.
        ValueError: `rows` is below 1; when training begins, `train` has another catalogue than the model.

    Example:
        >>> from kerasrec import MultVAE, generate
        >>> from kerasrec.callbacks import TrainingMetrics
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
        >>> model.compile(metrics=["ndcg_10"])
        >>> history = model.fit(table, epochs=2, callbacks=[TrainingMetrics(table)], verbose=0).history
        >>> sorted(history)
        ['beta', 'loss', 'train_ndcg_10']
    """

    def __init__(self, train: Interactions, rows: int = 500, seed: int = 0) -> None:
        super().__init__()
        check_table(train=train)
        self.train = train
        self.rows = as_int_at_least(1, rows=rows)
        self.seed = seed

    def on_train_begin(self, logs: Any = None) -> None:
        check_recommender(self.model)
        rng = np.random.default_rng(self.seed)
        table = self.train.T if self.model.rows == "items" else self.train
        self.model.check_columns(table)
        rows = np.sort(rng.permutation(table.n_users)[: self.rows])
        inputs = targets = table.take_users(rows)
        if self.model.feedback == "likes":
            held_out = rng.random(len(inputs)) < 0.2
            inputs, targets = (inputs.select(part, compact=False) for part in (~held_out, held_out))
        # Rows of items have numbers as well, by which models find their side information.
        self.sample = for_backend(Batches(inputs, targets, self.model.default_batch_size, rows=rows))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is None:
            return
        results = self.model.evaluate(self.sample, return_dict=True, verbose=0)
        logs |= {f"train_{name}": float(value) for name, value in results.items() if name != "loss"}
        logs |= self.model.annealed_values()
