"""The arguments of `Recommender.fit`, `evaluate` and `predict`: what they accept beyond Keras' own, and refusals."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp

from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut, Split
from kerasrec.metrics import TopKMetric
from kerasrec.ops.sparse_rows import refuse_ragged
from kerasrec.validation import as_int_at_least


class MatrixTable(Interactions):
    """The table of a scipy sparse matrix, whose rows and columns have numbers, not ids."""

    @property
    def T(self) -> MatrixTable:  # noqa: N802 (as in numpy)
        """The transposed table."""
        return MatrixTable.from_matrix(self.matrix.T)


def as_list(argument: Any) -> list[Any]:
    """The `callbacks` or `metrics` of Keras (None, one, or several) as a list."""
    if argument is None:
        return []
    return list(argument) if isinstance(argument, (list, tuple)) else [argument]


def as_table(x: Any, n_columns: int | None = None) -> Any:
    """A table of a sparse matrix of scipy, TensorFlow or JAX. Other inputs are returned unchanged.

    Arrays are checked if `n_columns`, the size of the catalogue, is given.

    Raises:
        TypeError: `x` is a split, a frame, or a ragged tensor.
    """
    x = as_scipy(x)
    if sp.issparse(x):
        return MatrixTable.from_matrix(x)
    if isinstance(x, Split):
        raise TypeError("`x`: expected a table, got a Split. Fix: `fit(split.train, validation_data=split.validation)`")
    kind = type(x).__name__
    if kind in ("DataFrame", "LazyFrame", "Series"):
        raise TypeError(f"`x`: expected Interactions, got a {kind}. Fix: `Interactions.from_frame(frame)`")
    refuse_ragged(x)
    if n_columns is not None:
        check_arrays(x, n_columns)
    return x


def as_scipy(x: Any) -> Any:
    """A scipy sparse matrix of a sparse tensor of TensorFlow or JAX. Other inputs are returned unchanged."""
    kind = type(x).__name__  # neither library is imported, because the other one may be missing
    if kind == "SparseTensor":
        return sp.coo_array((np.asarray(x.values), np.asarray(x.indices).T), shape=tuple(x.shape))
    if kind == "BCOO":
        return sp.coo_array((np.asarray(x.data), np.asarray(x.indices).T), shape=x.shape)
    if kind == "BCSR":
        return sp.csr_array(tuple(map(np.asarray, (x.data, x.indices, x.indptr))), shape=x.shape)
    return x


def check_held_out(data: Any, argument: str) -> None:
    """Raises an error for a table where a held-out part is needed.

    Raises:
        TypeError: `data` is a table, a sparse matrix or a split, or a tuple of tables.
        ValueError: `data` has no rows.
    """
    parts = data if isinstance(data, (tuple, list)) else [data]
    table = next(
        (part for part in parts if isinstance(part, (Interactions, Split)) or sp.issparse(as_scipy(part))), None
    )
    if table is not None:
        kind = type(table).__name__ if table is data else f"{type(data).__name__} with {type(table).__name__}"
        raise TypeError(
            f"`{argument}`: expected a held-out part, for example `split.validation`, `split.test` or "
            f"`HeldOut(inputs, targets)`, got {kind}. Fix: split the table with a protocol"
        )
    if isinstance(data, HeldOut) and not data.inputs.n_users:
        raise ValueError(f"`{argument}`: expected at least one row, got a held-out part without users")


def check_arrays(x: Any, n_columns: int) -> None:
    """Refuses dense rows, or a batch of padded ids, that do not belong to a catalogue. Streams are not checked.

    Raises:
        TypeError: `x` is None, a string or several tables, or the ids of a batch are no array.
        ValueError: dense rows have another width or NaN, or a batch has columns outside of the catalogue.
    """
    if isinstance(x, (tuple, list)) and any(isinstance(part, Interactions) for part in x):
        raise TypeError(
            "`x`: expected one table, got several. Fix: call `fit` for each, or `validation_data=HeldOut(…)`"
        )
    if x is None or isinstance(x, (str, bytes)):
        raise TypeError(f"`x`: expected Interactions, a matrix or batches, got {x!r}. Fix: `kerasrec.read(file)`")
    if isinstance(x, Mapping) and "ids" in x:  # a model of one's own may read other inputs
        ids = x["ids"]
        if isinstance(ids, (list, tuple)):
            raise TypeError(f"`x`: expected an array of `ids`, got a {type(ids).__name__}. Fix: `numpy.array(ids)`")
        if isinstance(ids, np.ndarray) and ids.max(initial=-1) >= n_columns:
            raise ValueError(f"`x`: expected columns below {n_columns}, the size of the catalogue, got {ids.max()}")
    if isinstance(x, np.ndarray):
        if x.ndim != 2 or x.shape[1] != n_columns:
            width = x.shape[1] if x.ndim == 2 else f"an array of shape {x.shape}"
            raise ValueError(f"expected rows with {n_columns} columns, got {width}")
        if x.dtype.kind == "f" and np.isnan(x).any():
            raise ValueError("`x`: expected 0 where nothing was observed, got NaN. Fix: `numpy.nan_to_num(x)`")


def check_batch(x: Any) -> None:
    """Raises an error for a table where one batch is needed.

    Raises:
        TypeError: `x` is a table, a sparse matrix, a held-out part or a split.
    """
    if isinstance(x, (Interactions, HeldOut, Split)) or sp.issparse(as_scipy(x)):
        raise TypeError(
            f"`x`: expected one batch, for example `model.batches(table)[0][0]`, got {type(x).__name__}. Fix: pass "
            "batches one by one, or call `fit`, `evaluate` or `predict`"
        )


def check_class_weight(class_weight: Any) -> None:
    """Refuses class weights.

    Raises:
        ValueError: `class_weight` is given.
    """
    if class_weight is not None:
        raise ValueError("`class_weight`: expected None, because recommenders have no classes. Fix: `sample_weight`")


def check_compile_arguments(arguments: Mapping[str, Any], model: str) -> None:
    """Refuses arguments of `compile` that have no meaning for a model with its own loss.

    Raises:
        ValueError: `loss`, `loss_weights` or `weighted_metrics` is given.
    """
    for name in ("loss", "loss_weights"):
        if arguments.get(name) is not None:
            raise ValueError(f"`{name}`: expected None, because {model} defines its loss in `compute_loss`")
    if arguments.get("weighted_metrics") is not None:
        raise ValueError("`weighted_metrics`: expected None. Fix: pass `metrics`, which apply sample weights")


def check_metric(metric: keras.metrics.Metric, feedback: str, n_columns: int) -> None:
    """Refuses metrics of another catalogue, and Keras' own for a rating model, whose targets contain NaN.

    Raises:
        ValueError: `metric` is for another number of items, or a metric of Keras for a rating model.
    """
    if isinstance(metric, TopKMetric):
        metric.check_catalogue(n_columns)
    kind = type(metric)
    is_of_keras = kind.__module__.startswith("keras.") and kind is not keras.metrics.MeanMetricWrapper
    if feedback == "ratings" and is_of_keras:
        raise ValueError(
            f"`metrics`: expected 'rmse', 'mae' or a metric that skips NaN targets, got {kind.__name__} of Keras, "
            "which would be NaN. Fix: `metrics=['rmse']`"
        )


def check_fit_arguments(table: Any, y: Any, validation_split: float, class_weight: Any, sample_weight: Any) -> None:
    """Refuses arguments of `fit` that have no meaning for recommenders or for tables.

    Raises:
        ValueError: the table or the array has no rows, `class_weight` is given, `sample_weight` is given without `y`,
            or `y`, `validation_split` or `sample_weight` is given with a table.
    """
    check_class_weight(class_weight)
    if not isinstance(table, Interactions):
        if isinstance(table, np.ndarray) and not len(table):
            raise ValueError("`x`: expected at least one row, got an array without rows")
        check_sample_weight(y, sample_weight)
        return
    if not table.n_users:
        raise ValueError("`x`: expected at least one row, got a table without users")
    if y is not None:
        raise ValueError("`y`: expected None with Interactions, because each row is its own target")
    if validation_split:
        raise ValueError(
            f"`validation_split`: expected 0 with Interactions, got {validation_split}. Fix: split the table with a "
            "protocol, for example `HeldOutUsers().split(table)`, and pass `validation_data=split.validation`"
        )
    if sample_weight is not None:
        raise ValueError(
            "`sample_weight`: expected None with Interactions. Fix: pass batches `(x, None, sample_weight)`"
        )


def check_epochs(epochs: Any, initial_epoch: Any, validation_freq: Any) -> None:
    """Refuses numbers of epochs that are no integers or too small.

    Raises:
        ValueError: `epochs` or `initial_epoch` is below 0, or `validation_freq` is below 1 and not a list of epochs.
    """
    as_int_at_least(0, epochs=epochs)
    as_int_at_least(0, initial_epoch=initial_epoch)
    if not isinstance(validation_freq, Collection):
        as_int_at_least(1, validation_freq=validation_freq)


def check_sample_weight(y: Any, sample_weight: Any) -> None:
    """Refuses sample weights without targets, which Keras ignores.

    Raises:
        ValueError: `sample_weight` is given, and `y` is not.
    """
    if sample_weight is not None and y is None:
        raise ValueError(
            "`sample_weight`: expected None without `y`, because Keras ignores it there. Fix: pass batches "
            "`(x, None, sample_weight)`, from a generator"
        )


def warn_if_nothing_is_unseen(x: Any, y: Any, validation_data: Any, feedback: str) -> None:
    """Warns if the targets of a model of likes are its inputs, as in `fit(X, X)`, the habit with autoencoders."""
    if feedback != "likes":  # RMSE does not mask the seen items
        return
    pairs = [(x, y)]
    if isinstance(validation_data, (tuple, list)) and len(validation_data) > 1:
        pairs.append((validation_data[0], validation_data[1]))
    if any(_same_array(inputs, targets) for inputs, targets in pairs):
        warnings.warn(
            "the targets are the inputs, so that none of them is unseen: seen items are masked before ranking, and "
            "ranking metrics are 0. Fix: leave `y` out, because a row is its own target in training; and validate on "
            "`HeldOut(inputs, targets)`, or on a protocol's `split.validation`",
            stacklevel=3,
        )


def _same_array(a: Any, b: Any) -> bool:
    arrays = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    return a is not None and (a is b or (arrays and np.array_equal(a, b)))


def warn_if_trained_on(train: Interactions | None, held_out: HeldOut) -> None:
    """Warns if held-out entries were in the training table.

    Args:
        train: the table of the last `fit`, if it still exists.
        held_out: what is evaluated.
    """
    targets = held_out.targets
    if train is None or targets is None or train.n_items != targets.n_items:
        return
    rows = lookup(train.user_ids, targets.user_ids)
    common = np.flatnonzero(rows >= 0)
    seen, tested = train.take_users(rows[common]), targets.take_users(common)
    keys = [table.users.astype(np.int64) * table.n_items + table.items for table in (seen, tested)]
    n_leaked = int(np.isin(keys[1], keys[0]).sum())
    if n_leaked:
        warnings.warn(
            f"{len(common):,} of the users were training users, and {n_leaked:,} of their held-out entries were in the "
            "training table, so the metrics are too high. Fix: train on `split.train` of the same split",
            stacklevel=3,
        )
