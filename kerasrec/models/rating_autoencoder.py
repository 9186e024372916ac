"""`RatingAutoencoder`, the base class of AutoRec and kernelNet: dense layers from a row of ratings to the same row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender
from kerasrec.models.dense_stack import build_in_sequence, hidden_widths
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.item_rows import OutputLayer, UserModel
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor


class RatingAutoencoder(Recommender):
    """Base of models that predict the missing ratings of a user's or an item's row with a stack of dense layers.

    A subclass creates `dense`, the layers from the input to the output, and implements `encode` and `call`.

    Args:
        n_columns: width of a row.
        rows: `"users"` or `"items"`.
        hidden_dims: widths of the hidden layers.
        value_range: lowest and highest rating, to which metrics clip predictions.
        seed: seed of the weights.

    Raises:
        ValueError: `rows` is unknown, or `hidden_dims` is empty.
    """

    feedback = "ratings"
    dense: list[Any]

    def __init__(
        self,
        n_columns: int,
        rows: str,
        hidden_dims: tuple[int, ...],
        value_range: tuple[float, float] | None,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_columns, seed=seed, **kwargs)
        if rows not in ("users", "items"):
            raise ValueError(f'`rows`: expected "users" or "items", got {rows!r}')
        self.rows = rows
        self.hidden_dims = hidden_widths(hidden_dims)
        self.value_range = None if value_range is None else (value_range[0], value_range[1])
        self.squared_error = MaskedMeanSquaredError(per="row")

    def build(self, input_shape: Any = None) -> None:
        build_in_sequence(self.dense, self.n_columns)

    def encode(self, inputs: Any, training: bool = False) -> Tensor:
        """The last hidden layer, `(batch, hidden_dims[-1])`."""
        raise NotImplementedError

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        ratings = self.observed(x if y is None else y)
        return self.squared_error(ratings, y_pred, sample_weight) + self.regularization_losses()

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        n_columns = train.n_users if arguments.get("rows") == "items" else train.n_items
        return {"n_columns": n_columns, "value_range": (float(train.values.min()), float(train.values.max()))}

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"rows": "items"}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam. In a planned run the rate falls from 0.003 to 0 as a cosine, otherwise it is 0.001."""
        return Adam(1e-3) if self.planned_steps is None else Adam(self.cosine_decay(3e-3))

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """A user id for item rows, otherwise a history with ratings."""
        return ("history", "ratings") if self.rows == "users" else ("user_id",)

    def as_user_model(self, train: Interactions) -> Recommender:
        """For item rows, a model with users as rows. The items' codes are computed once, from `train`."""
        return super().as_user_model(train) if self.rows == "users" else UserModel.from_item_model(self, train)

    def output_kernel(self) -> Tensor:
        """The weights of the last layer, `(hidden_dims[-1], n_columns)`."""
        return self.dense[-1].kernel

    def output_layer(self, inputs: Any) -> OutputLayer:
        """The factors of the output for a batch."""
        last, codes = self.dense[-1], self.encode(inputs)
        no_offset = ops.zeros(ops.shape(codes)[:1], "float32")
        return OutputLayer(codes, self.output_kernel(), last.bias, last.activation, no_offset)

    def item_vectors(self, train: Interactions) -> FloatArray:
        if self.rows == "users":
            return np.ascontiguousarray(ops.convert_to_numpy(self.output_kernel()).T, np.float32)
        batches = self.batches(train)
        codes = [ops.convert_to_numpy(self.encode(batches[i][0])) for i in range(len(batches))]
        return np.concatenate(codes).astype(np.float32)

    @property
    def code_layer(self) -> str | None:
        """The narrowest hidden layer."""
        return f"dense_{int(np.argmin(self.hidden_dims))}"

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, values)
