"""Training and evaluation: the adapter from tables to `keras.Model.fit`, `evaluate` and `predict`."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from kerasrec import metrics as kerasrec_metrics
from kerasrec.data.batches import Batches, for_backend
from kerasrec.data.catalogue import ids_digest
from kerasrec.data.distributed import rows_multiple
from kerasrec.data.interactions import Interactions
from kerasrec.data.popularity import ItemPopularity
from kerasrec.data.splits import HeldOut
from kerasrec.data.table_argument import check_table
from kerasrec.inference import evaluation
from kerasrec.models.catalogue_weights import CatalogueWeights, column_ids
from kerasrec.models.compilation import Compilation
from kerasrec.models.fit_arguments import (
    MatrixTable,
    as_list,
    as_table,
    check_epochs,
    check_fit_arguments,
    check_held_out,
    check_sample_weight,
    warn_if_nothing_is_unseen,
    warn_if_trained_on,
)
from kerasrec.models.fit_callbacks import CandidateValidation, EpochOrder, set_modes
from kerasrec.models.single_batches import SingleBatches
from kerasrec.models.stored_popularity import StoredPopularity
from kerasrec.models.table_defaults import TableDefaults
from kerasrec.ops.ranking import rank
from kerasrec.types import Tensor


class Training(StoredPopularity, Compilation, CatalogueWeights, TableDefaults, SingleBatches):
    """The part of `Recommender` that trains: Keras' own methods, which also accept tables and held-out parts."""

    feedback: str
    rows: str
    ordered: bool
    loss_mean: str
    n_columns: int
    seed: int | None
    columns_digest: str | None
    untracked: SimpleNamespace

    # ---- batches --------------------------------------------------------------------------------

    def batches(
        self,
        data: Interactions | HeldOut,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        steps: int | None = None,
    ) -> Batches:
        """The batches of a table or of a held-out part, with the rows that this model reads.

        Args:
            data: the table or the held-out part.
            batch_size: rows per batch. Default: `default_batch_size`.
            shuffle: whether each pass has a new order of the rows; `"shards"` as for `fit`.
            steps: batches per epoch. Default: one pass.

        Raises:
            ValueError: the table has other columns than the model, or more rows than a model with weights per row.
        """
        size = self.default_batch_size if batch_size is None else batch_size
        if not isinstance(data, HeldOut):
            check_table(data=data)
        held_out = data if isinstance(data, HeldOut) else HeldOut(data)
        held_out = held_out.T if self.rows == "items" else held_out
        self.check_columns(held_out.inputs)
        batches = Batches(
            held_out.inputs, held_out.targets, size, shuffle, self.seed or 0, held_out.rows, self.ordered, steps
        )
        if self.n_known_rows is not None and batches.rows.max(initial=-1) >= self.n_known_rows:
            raise ValueError(
                f"the table has {batches.inputs.n_users:,} {self.rows}, and this {type(self).__name__} has weights for "
                f"{self.n_known_rows:,}. Fix: pass each row's index in the training table, -1 for unknown "
                f"{self.rows} (`HeldOut(inputs, targets, rows)`)"
            )
        return batches

    def set_training_table(self, table: Interactions) -> None:
        """Stores what the model keeps of its training table.

        It keeps the popularity of the items, a digest of the columns' ids, and a weak reference for
        `warn_if_trained_on`.
        """
        self.count_items(table)
        self.untracked.train_table = weakref.ref(table)
        if not isinstance(table, MatrixTable):
            self.columns_digest = ids_digest(column_ids(table, self.rows))

    def count_items(self, rows: Any) -> None:
        """Stores the popularity of the items in the training rows, if they are a table or dense rows of users."""
        if self.rows == "users" or isinstance(rows, Interactions):
            self.item_popularity = ItemPopularity.of_rows(rows) or self.item_popularity

    def check_columns(self, table: Interactions) -> None:
        """Refuses a table with other columns than the training table.

        Raises:
            TypeError: `table` is not a table.
            ValueError: the number of columns or their ids differ.
        """
        check_table(table=table)
        if table.n_items != self.n_columns:
            raise ValueError(
                f"expected a table with {self.n_columns:,} columns (the catalogue of this {type(self).__name__}), got "
                f"{table.n_items:,}. Fix: `table.with_catalogue(train.item_ids)`"
            )
        if isinstance(table, MatrixTable):  # its columns have no ids
            return
        if self.columns_digest not in (None, ids_digest(table.item_ids)):
            raise ValueError(
                f"the table has {table.n_items:,} columns, as many as this {type(self).__name__}, but other ids than "
                "its training table. Fix: `table.with_catalogue(train.item_ids)`, or train a new model"
            )

    # ---- fit, evaluate, predict -----------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> Any:
        """Trains as `keras.Model.fit` does, and accepts tables.

        Args:
            x: `Interactions`, a sparse matrix of scipy, TensorFlow or JAX, or anything that Keras accepts and that
                yields the batch format.
            y: omit it with a table: a row is its own target.
            batch_size: rows per batch.
            epochs: number of the last epoch.
            verbose: as in Keras.
            callbacks: as in Keras.
            validation_split: as in Keras; not with a table.
            validation_data: a `HeldOut` part of a split (`split.validation`), or batches of (fold-in, held-out) rows.
                Fold-in items are masked before ranking.
            shuffle: whether each epoch has a new order of the rows, drawn from `seed` and the epoch. `"shards"`
                shuffles shards of consecutive rows, and rows within a window of 16 shards, so that a packed folder that
                is larger than the memory is read in long runs.
            class_weight: not supported.
            sample_weight: as in Keras; not with a table, and not without `y`, where Keras ignores it: pass batches
                `(x, None, sample_weight)`.
            initial_epoch: as in Keras.
            steps_per_epoch: as in Keras. With a table, passes over the rows continue from epoch to epoch.
            validation_steps: as in Keras.
            validation_batch_size: as in Keras.
            validation_freq: as in Keras.

        Returns:
            The Keras `History`.

        Raises:
            TypeError: `x` or `validation_data` has an unsupported type.
            ValueError: an argument is not supported, or the table has other columns than the model.
        """
        x = as_table(x, self.n_columns)
        check_held_out(validation_data, "validation_data")
        check_fit_arguments(x, y, validation_split, class_weight, sample_weight)
        check_epochs(epochs, initial_epoch, validation_freq)
        warn_if_nothing_is_unseen(x, y, validation_data, self.feedback)
        set_modes(as_list(callbacks), self.untracked.metrics)
        if isinstance(x, Interactions):
            batches = self.batches(x, batch_size, shuffle, steps_per_epoch)
            self.set_training_table(x)
            if self.compiled:
                self.plan_run(len(batches) * (epochs - initial_epoch))
            callbacks = [*as_list(callbacks), EpochOrder(batches)]
            x = for_backend(batches, weighted=self.loss_mean == "rows")
            batch_size, shuffle, steps_per_epoch = None, False, None
        else:
            self.count_items(x)
            if self.compiled:
                self.warn_if_rate_is_zero()  # the number of steps is unknown, so no run is planned
        if isinstance(validation_data, HeldOut) and validation_data.candidates is not None:
            first = CandidateValidation(validation_data, validation_freq, validation_batch_size)  # others read its logs
            callbacks, validation_data = [first, *as_list(callbacks)], None
        elif isinstance(validation_data, HeldOut):
            validation_data = for_backend(self.batches(validation_data, validation_batch_size))
            validation_batch_size = None
        return super().fit(
            x=x,
            y=y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Means of the compiled metrics; `x` can be a `HeldOut` part of a split.

        `kerasrec.evaluate` also returns standard errors and each row's value. A part with `candidates` has no loss.

        Raises:
            TypeError: `x` is a table or a split.
            ValueError: `sample_weight` is given without `y`.
        """
        check_held_out(x, "x")
        check_sample_weight(y, kwargs.get("sample_weight"))
        if isinstance(x, HeldOut) and x.candidates is not None:
            means = evaluation.evaluate(self, x, self.untracked.metrics, batch_size).means
            return means if kwargs.get("return_dict") else list(means.values())
        if isinstance(x, HeldOut):
            self.warn_if_trained_on(x)
            x, batch_size = for_backend(self.batches(x, batch_size)), None
        return super().evaluate(x, y, batch_size=batch_size, **kwargs)

    def warn_if_trained_on(self, held_out: HeldOut) -> None:
        """Warns if entries that are held out were in the table of the last `fit`, while that table exists."""
        warn_if_trained_on(self.untracked.train_table(), held_out)

    def predict(self, x: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Scores of all columns, a dense array; `x` can be a table, as in `fit`. `recommend` returns only the best."""
        x = as_table(x, self.n_columns)
        empty = np.zeros((0, self.n_columns), np.float32)
        if not isinstance(x, (Interactions, HeldOut)):
            is_empty = isinstance(x, np.ndarray) and not len(x)
            return empty if is_empty else super().predict(x, batch_size=batch_size, **kwargs)
        size, multiple = batch_size or self.default_batch_size, rows_multiple()
        batches = self.batches(x, -(-size // multiple) * multiple)
        n_rows = len(batches.rows)  # without the padded rows
        return super().predict(for_backend(batches), **kwargs)[:n_rows] if n_rows else empty

    # ---- steps ----------------------------------------------------------------------------------

    def train_step(self, *args: Any) -> Any:
        *state, data = args  # on JAX the state comes first
        return super().train_step(*state, self.with_sparse_rows(data))

    def test_step(self, *args: Any) -> Any:
        *state, data = args
        return super().test_step(*state, self.with_sparse_rows(data))

    def with_sparse_rows(self, data: Any) -> Any:
        """A batch, or a tuple of batches, with padded ids converted to sparse rows under `"rows"`, once per step."""
        if isinstance(data, (tuple, list)):
            return tuple(self.with_sparse_rows(batch) for batch in data)
        if isinstance(data, Mapping) and "ids" in data and "rows" not in data:
            return {**data, "rows": self.observed(data)}
        return data

    def compute_metrics(self, x: Any, y: Any, y_pred: Tensor, sample_weight: Any = None) -> dict[str, Tensor]:
        """Updates the compiled metrics if there are held-out targets `y`.

        Training batches have none: ranking them would take longer than the step itself.
        """
        if y is None or isinstance(y_pred, Mapping):
            return {"loss": next(m for m in self.metrics if m.name == "loss").result()}
        top_k = [m for m in self.untracked.metrics if isinstance(m, kerasrec_metrics.TopKMetric)]
        if top_k:
            ranking = rank(self.mask_seen(y_pred, x), self.observed(y), max(m.k for m in top_k))
            for metric in top_k:
                metric.update_ranking(ranking, sample_weight)
        others = [m for m in self.untracked.metrics if m not in top_k]
        if others:
            targets = self.dense_targets(y)
            for metric in others:
                metric.update_state(targets, y_pred, sample_weight)
        return {m.name: m.result() for m in self.metrics}
