"""The popularity of the items, which every model stores beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kerasrec.data.popularity import ItemPopularity

KEY = "item_counts"
"""Name of the array in a file of weights."""


class StoredPopularity(keras.Model):
    """The part of `Recommender` that saves and loads the popularity of the items.

    It is an array of the file, not a weight: no optimizer, count of parameters or list of weights contains it. A file
    without the array can be loaded.

    Attributes:
        item_popularity: how many users of the training table have each item; `None` if the model was not
            trained on a table.
    """

    item_popularity: ItemPopularity | None

    def save_own_variables(self, store: Any) -> None:
        self.save_arrays(store)
        if self.item_popularity is not None:
            store[KEY] = self.item_popularity.counts

    def load_own_variables(self, store: Any) -> None:
        names = list(store.keys())
        if KEY in names:
            self.item_popularity = ItemPopularity(store[KEY])
        self.load_arrays({name: store[name] for name in names if name != KEY})

    def save_arrays(self, store: Any) -> None:
        """Stores the model's own weights, each under its number as text."""
        super().save_own_variables(store)

    def load_arrays(self, arrays: Mapping[str, Any]) -> None:
        """Assigns the arrays of a file, by the number of the weight as text, to the model's own weights."""
        super().load_own_variables(arrays)
