"""A question to the explorer: the history whose list is requested."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasrec.data import Interactions
from kerasrec.explorer.catalogue import Catalogue


@dataclass(frozen=True)
class Question:
    """A history and, for models that read it, the user.

    Attributes:
        history: item ids, oldest first.
        ratings: one for each item of `history`, for rating models. A rating of `None`, and all ratings if the list
            is empty, stand for the highest rating of the training table.
        user: a user id, or `None` for a new user.
    """

    history: list[Any] = field(default_factory=list)
    ratings: list[float | None] = field(default_factory=list)
    user: Any = None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Question:
        """Reads the JSON body of a request.

        Raises:
            ValueError: a field has the wrong type, or `ratings` has another length than `history`.
        """
        history, ratings, user = body.get("history", []), body.get("ratings", []), body.get("user")
        if not isinstance(history, list) or not all(_is_id(item) for item in history):
            raise ValueError(f"expected `history` to be a list of item ids, got {history!r}")
        if not isinstance(ratings, list) or not all(r is None or _is_finite_number(r) for r in ratings):
            raise ValueError(f"expected `ratings` to be a list of finite numbers, got {ratings!r}")
        if ratings and len(ratings) != len(history):
            raise ValueError(f"expected `ratings` to have {len(history)} entries as `history`, got {len(ratings)}")
        if not (user is None or _is_id(user)):
            raise ValueError(f"expected `user` to be a user id or null, got {user!r}")
        return cls(history, ratings, user)

    def restricted_to(self, catalogue: Catalogue) -> Question:
        """The question without unknown items, each known item once, with a rating for each."""
        ratings = self.ratings or [None] * len(self.history)
        rating_of = {
            item: catalogue.highest_rating if rating is None else float(rating)
            for item, rating in zip(self.history, ratings, strict=True)
            if item in catalogue
        }
        return replace(self, history=list(rating_of), ratings=list(rating_of.values()))

    def without(self, place: int) -> Question:
        """The question without the item at a place of the history."""
        history, ratings = list(self.history), list(self.ratings)
        del history[place], ratings[place]
        return replace(self, history=history, ratings=ratings)

    def first(self, n: int) -> Question:
        """The question with the oldest `n` items only."""
        return replace(self, history=self.history[:n], ratings=self.ratings[:n])


def row_of(table: Interactions, user: Any) -> int | None:
    """The row of a user in a table; `None` if the table does not contain the user."""
    rows = np.flatnonzero(table.user_ids == user)
    return int(rows[0]) if len(rows) else None


def _is_id(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
