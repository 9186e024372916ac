"""Features of users and items in models; see `kerasrec.data.side_information`."""

from __future__ import annotations

from typing import Any

from kerasrec.types import FloatArray


class Side:
    """The part of `Recommender` that reads features.

    Class attributes:
        accepts_side: whether the model reads features: the argument `side` of `for_interactions`.
        side_axis: what the features describe: the `"rows"` of the model, or its `"columns"`.
    """

    accepts_side = False
    side_axis = "rows"

    @classmethod
    def described_by_side(cls, rows: str) -> str:
        """What the features describe, `"items"` or `"users"`, for a model with these rows."""
        return "items" if cls.side_axis == "columns" else rows

    @classmethod
    def arguments_of_side(cls, side: FloatArray) -> dict[str, Any]:
        """Arguments of the constructor that follow from the features."""
        return {}

    @classmethod
    def check_accepts_side(cls) -> None:
        """Refuses features for a model that reads none.

        Raises:
            ValueError: the model reads no features.
        """
        if not cls.accepts_side:
            raise ValueError(f"`side`: {cls.__name__} reads no features. Fix: choose CFN, FeatureEASE or FeatureVAE")

    def set_side(self, side: FloatArray) -> None:
        """Stores features; a model with `accepts_side` overrides it.

        Args:
            side: `(n, n_features)`, in the order of the table's ids.

        Raises:
            ValueError: the model reads no features, or `side` has another number of rows.
        """
        self.check_accepts_side()
