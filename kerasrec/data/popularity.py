"""How many users have each item: the recommendation for unknown users, and the order of items with equal scores."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.types import FloatArray


class ItemPopularity:
    """The popularity of the items of a catalogue.

    Args:
        counts: `(n_items,)` number of training users who have the item.

    Attributes:
        counts: the same, float32.

    Example:
        >>> from kerasrec.data.popularity import ItemPopularity
        >>> ItemPopularity([3, 7, 7]).places.tolist()
        [2.0, 0.0, 1.0]
    """

    def __init__(self, counts: Any) -> None:
        self.counts: FloatArray = np.asarray(counts, np.float32)

    @classmethod
    def of_rows(cls, rows: Any) -> ItemPopularity | None:
        """The popularity in a table, or in dense rows of users. `None` for other inputs of `fit`, which are streams."""
        if isinstance(rows, Interactions):
            return cls(rows.item_counts)
        return cls((rows != 0).sum(axis=0)) if isinstance(rows, np.ndarray) and rows.ndim == 2 else None

    @cached_property
    def places(self) -> FloatArray:
        """`(n_items,)` float32, the place of each item by popularity: 0 for the most popular. Ties are in id order."""
        places = np.empty(len(self.counts), np.float32)
        places[np.argsort(-self.counts, kind="stable")] = np.arange(len(places))
        return places
