"""Bias: a rating is the mean plus a bias of the user and of the item. https://doi.org/10.1145/1644873.1644874."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from keras import ops
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.closed_form import ClosedForm
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.search_space import Range
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import check_above


@public
class Bias(ClosedForm):
    """Predicts μ + b_u + b_i: the mean rating, the user's deviation from it and the item's deviation from it.

        minimise Σ_{(u,i) observed} (r_ui - μ - b_u - b_i)² + reg_users · Σ_u b_u² + reg_items · Σ_i b_i²

    The items' biases are weights. The user's bias follows from the ratings of the request,
    b_u = Σ_i (r_ui - μ - b_i) / (n_u + reg_users), so unknown users are predicted in the same way as users of the
    training table. The order of the items is the same for all users. Every rating model must beat this baseline.

    Needs ratings.

    Args:
        n_items: size of the catalogue.
        reg_users: penalty of the users' biases, in ratings (paper: 10).
        reg_items: penalty of the items' biases, in ratings (paper: 25).
        value_range: lowest and highest rating, to which metrics clip predictions.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`, 0 where not observed.
        Out: predicted ratings `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg_users` or `reg_items` is not positive.

    Example:
        >>> from kerasrec import Bias, Interactions
        >>> table = Interactions.from_arrays([1, 1, 2, 2], [7, 8, 7, 9], [5.0, 3.0, 4.0, 1.0])
        >>> model = Bias.for_interactions(table, reg_users=1.0, reg_items=1.0)
        >>> _ = model.fit(table, verbose=0)
        >>> model.predict(table, verbose=0).round(1)
        array([[4.4, 3.3, 2.7],
               [3.6, 2.5, 1.9]], dtype=float32)

    Differs from the paper in: both biases minimise one objective. The paper computes the items' biases first and the
    users' biases from the rest.

    Source: Koren, Factor in the Neighbors: Scalable and Accurate Collaborative Filtering, ACM Transactions on Knowledge
    Discovery from Data 2010, section 2.1.
    """

    feedback = "ratings"
    serving_inputs = ("history", "ratings")
    search_space = {
        "reg_users": Range(0.5, 100.0, log=True),
        "reg_items": Range(0.5, 100.0, log=True),
    }

    def __init__(
        self,
        n_items: int,
        reg_users: float = 10.0,
        reg_items: float = 25.0,
        value_range: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_above(0, reg_users=reg_users, reg_items=reg_items)
        self.n_items = n_items
        self.reg_users = reg_users
        self.reg_items = reg_items
        self.value_range = None if value_range is None else (value_range[0], value_range[1])
        self.squared_error = MaskedMeanSquaredError(per="row")

    def build(self, input_shape: Any = None) -> None:
        self.baseline = self.add_weight((self.n_items,), "zeros", "float32", trainable=False, name="baseline")

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        observed = sp.csr_array((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)
        deviations = sp.csr_array((rows.data - rows.data.mean(dtype=np.float64), rows.indices, rows.indptr), rows.shape)
        of_users, of_items = deviations.sum(axis=1), deviations.sum(axis=0)
        user_weights = observed.sum(axis=1) + self.reg_users
        item_weights = observed.sum(axis=0) + self.reg_items
        items = np.zeros(self.n_items)
        for _ in range(100):  # each step minimises over one side; the penalties make it converge in about ten
            users = (of_users - observed @ items) / user_weights
            previous, items = items, (of_items - observed.T @ users) / item_weights
            progress.update(1)
            if np.abs(items - previous).max() < 1e-7:
                break
        return (rows.data.mean(dtype=np.float64) + items).astype(np.float32)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        ratings = self.observed(inputs)
        shape = (ops.shape(ratings.counts)[0], self.n_items)
        baseline = ops.broadcast_to(ops.convert_to_tensor(self.baseline, "float32"), shape)
        residuals = ratings.mask * (ratings.values - ratings.gather(baseline))
        biases = ratings.row_sums(residuals) / (ratings.counts + self.reg_users)
        return baseline + ops.expand_dims(biases, 1)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        return self.squared_error(self.observed(x if y is None else y), y_pred, sample_weight)

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        value_range = (float(train.values.min()), float(train.values.max()))
        return {"n_items": train.n_items, "value_range": value_range}

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, values)
