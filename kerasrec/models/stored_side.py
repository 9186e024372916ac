"""`StoredSide`, the base class of models that store features of users or items as a weight."""

from __future__ import annotations

from typing import Any, Self

import keras

from kerasrec.data.interactions import Interactions
from kerasrec.data.side import checked_side
from kerasrec.models.base import Recommender
from kerasrec.types import FloatArray


class StoredSide(Recommender):
    """Base of models that store features as a weight, so that they are saved and exported with the model.

    A subclass has the constructor argument `side_shape`, (rows, features) of the features or None, and calls
    `add_side` in `build`.
    """

    accepts_side = True
    side_shape: tuple[int, int] | None
    side: keras.Variable

    @classmethod
    def arguments_of_side(cls, side: FloatArray) -> dict[str, Any]:
        return {"side_shape": side.shape}

    def add_side(self) -> None:
        """Creates the weight for features of the shape `side_shape`."""
        self.side = self.add_weight(
            self.side_shape, "zeros", "float32", trainable=False, autocast=False, name="side_information"
        )

    def set_side(self, side: FloatArray) -> None:
        if self.side_shape is None:
            raise ValueError(
                f"`side`: expected a model with `side_shape`. Fix: `{type(self).__name__}.for_interactions(side=…)`"
            )
        self.side.assign(checked_side(side, self.side_shape[0], self.described_by_side(self.rows)))

    def warm_start(
        self, train: Interactions, previous: Interactions, side: FloatArray | None = None, **arguments: Any
    ) -> Self:
        """A new model for the catalogue of a newer table; see `Recommender.warm_start`.

        Args:
            train: the newer training table.
            previous: the table that this model was trained on.
            side: features in the order of the ids of `train`. If omitted, what remains keeps its features, and what is
                new has 0.
            **arguments: constructor arguments to change.

        Raises:
            ValueError: as in `Recommender.warm_start`, or `side` has another shape.
        """
        if self.side_shape is not None and side is None:
            n_rows = train.n_items if self.described_by_side(self.rows) == "items" else train.n_users
            arguments["side_shape"] = (n_rows, self.side_shape[1])
        model = super().warm_start(train, previous, side=side, **arguments)
        if side is not None:
            model.set_side(side)  # the weight that was carried over has the older features
        return model
