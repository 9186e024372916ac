"""The items of a training table, as the page shows and searches them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasrec.data import Interactions
from kerasrec.data.ids import lookup
from kerasrec.types import Array, IntArray

MAX_RESULTS = 12
"""The most items or users that a search returns."""


class Catalogue:
    """Ids, titles and popularity of the items of a training table.

    Args:
        train: the table that the model was fitted on.

    Attributes:
        has_text_ids: whether item ids are strings.
        highest_rating: the highest value of the table.
    """

    def __init__(self, train: Interactions) -> None:
        self.item_ids = train.item_ids
        self.titles = train.item_ids.astype(str) if train.item_titles is None else train.item_titles
        self.user_counts = train.item_counts
        self.has_text_ids = train.item_ids.dtype.kind in "US"
        self.highest_rating = float(train.values.max())
        self.by_popularity: list[int] = np.argsort(-self.user_counts, kind="stable").tolist()
        pairs = zip(self.titles.tolist(), self.item_ids.tolist(), strict=True)
        self._searched = [f"{title} {item}".casefold() for title, item in pairs]

    def __len__(self) -> int:
        return len(self.item_ids)

    def __contains__(self, item_id: Any) -> bool:
        return isinstance(item_id, str) == self.has_text_ids and bool(self.columns([item_id])[0] >= 0)

    def columns(self, item_ids: Sequence[Any] | Array) -> IntArray:
        """The column of each item; -1 for unknown items."""
        return lookup(self.item_ids, np.array(item_ids)) if len(item_ids) else np.array([], np.int64)

    def item(self, column: int) -> dict[str, Any]:
        """An item as the page shows it."""
        return {"column": column, "id": self.item_ids[column].item(), "title": str(self.titles[column])}

    def item_with_id(self, item_id: Any) -> dict[str, Any]:
        """The item with an id of the catalogue."""
        return self.item(int(self.columns([item_id])[0]))

    def search(self, text: str) -> list[dict[str, Any]]:
        """The most popular items whose title or id contains `text`; upper and lower case are equal."""
        text = text.strip().casefold()
        columns = [column for column in self.by_popularity if text in self._searched[column]][:MAX_RESULTS]
        return [{**self.item(column), "users": int(self.user_counts[column])} for column in columns]
