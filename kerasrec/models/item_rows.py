"""Models of item rows as models of users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from kerasrec.data.catalogue import ids_digest
from kerasrec.data.interactions import Interactions
from kerasrec.data.popularity import ItemPopularity
from kerasrec.models.base import Recommender
from kerasrec.types import Array, Tensor


class OutputLayer(NamedTuple):
    """The factors of a batch's output: activation(codes · kernel + bias) + offsets.

    Attributes:
        codes: `(batch, units)`, the input of the output layer.
        kernel: `(units, n_columns)`.
        bias: `(n_columns,)`.
        activation: the output activation.
        offsets: `(batch,)`, added to each row.
    """

    codes: Tensor
    kernel: Tensor
    bias: Tensor
    activation: Callable[[Tensor], Tensor]
    offsets: Tensor


class UserModel(Recommender):
    """A model of item rows, transposed: the predicted ratings of all items for one user.

    Column u of the reconstructed items × users matrix is f(H · w_u + b_u) + o, with H the items' codes, o their
    offsets and w_u the user's output weights: a product of `(n_items, units)` and `(units,)` instead of a pass over
    every item's row. The scores of an unknown user (row -1) are those of the mean of all users' weights.
    """

    feedback = "ratings"
    serving_inputs = ("user_id",)

    def __init__(
        self,
        codes: Array,
        offsets: Array,
        kernel: Array,
        bias: Array,
        activation: Any,
        columns_digest: str | None = None,
    ) -> None:
        super().__init__(len(codes), columns_digest=columns_digest, name="user_model")
        user_weights = np.concatenate([kernel.T, kernel.T.mean(0, keepdims=True)])
        self.codes = self._constant("codes", codes)
        self.offsets = self._constant("offsets", offsets)
        self.users = self._constant("users", user_weights)
        self.bias = self._constant("bias", np.append(bias, bias.mean()))
        self.output_activation = activation
        self.built = True

    def _constant(self, name: str, values: Array) -> Any:
        weight = self.add_weight(shape=values.shape, trainable=False, dtype="float32", name=name)
        weight.assign(values)
        return weight

    @classmethod
    def from_item_model(cls, model: Any, train: Interactions) -> UserModel:
        """The user model of a trained model with `output_layer`; `train` is its training table."""
        batches = model.batches(train)
        outputs = [model.output_layer(batches[i][0]) for i in range(len(batches))]
        codes = np.concatenate([ops.convert_to_numpy(output.codes) for output in outputs])
        offsets = np.concatenate([ops.convert_to_numpy(output.offsets) for output in outputs])
        first = outputs[0]
        kernel, bias = ops.convert_to_numpy(first.kernel), ops.convert_to_numpy(first.bias)
        digest = ids_digest(train.item_ids)
        user_model = cls(codes.astype(np.float32), offsets, kernel, bias, first.activation, digest)
        user_model.item_popularity = ItemPopularity(train.item_counts)
        return user_model

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        row = ops.cast(inputs["row"], "int32")
        row = ops.where(row < 0, self.users.shape[0] - 1, row)
        scores = ops.matmul(ops.take(self.users, row, axis=0), ops.transpose(self.codes))
        return self.output_activation(scores + ops.expand_dims(ops.take(self.bias, row), 1)) + self.offsets
