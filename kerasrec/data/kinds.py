"""The meaning of values: likes, ratings on a scale, or counts; and which interactions are likes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasrec.data.synonyms import COUNT_NAMES, RATING_NAMES, plain
from kerasrec.types import Array, BoolArray

SCALES = (1, 5, 10, 100)
"""Usual upper ends of scales of ratings."""

LIKED_SHARE = 0.8
"""Ratings of at least this share of the scale are likes: 4 of 5, 8 of 10, 80 of 100."""

IMPLICIT_SHARE = 0.25
"""A rating of 0 means "no rating" if at least this share of all ratings is 0."""


@dataclass(frozen=True)
class ValueKind:
    """The meaning of the values of a table.

    Attributes:
        name: `"likes"` (every value is 1), `"ratings"` or `"counts"`.
        low: lower end of the scale of ratings, or the lowest value.
        high: upper end of the scale of ratings, or the highest value.
        has_implicit: whether a rating of 0 is an interaction without a rating.
        highest: the highest rating, or `None` if the upper end of the scale occurs.

    Example:
        >>> import numpy as np
        >>> kind = value_kind(np.array([5, 3, 0, 10, 0, 9, 0], np.float32))
        >>> print(kind)
        ratings from 0 to 10; 0 means an interaction without a rating
        >>> kind.rule(None), kind.are_likes(np.array([5, 0, 9]), None).tolist()
        ('value >= 8, or 0', [False, True, True])
    """

    name: str
    low: float
    high: float
    has_implicit: bool = False
    highest: float | None = None

    def __str__(self) -> str:
        if self.name == "likes":
            return "likes"
        if self.name == "counts":
            return f"counts from {self.low:g} to {self.high:g}"
        text = f"ratings from {self.low:g} to {self.high if self.highest is None else self.highest:g}"
        if self.highest is not None:
            text += f", assumed to be on a scale up to {self.high:g}"
        return f"{text}; 0 means an interaction without a rating" if self.has_implicit else text

    @property
    def min_value(self) -> float | None:
        """The lowest rating of a like; `None` for other kinds, whose positive values are all likes."""
        if self.name != "ratings":
            return None
        low = min(self.low, 0.0)
        return low + LIKED_SHARE * (self.high - low) if self.high != 1 else 1.0

    def rule(self, min_value: float | None) -> str:
        """Returns the condition of a like as text.

        Args:
            min_value: the lowest value of a like, or `None` for the rule of the kind.
        """
        if min_value is not None:
            return f"value >= {min_value:g}"
        if self.min_value is None:
            return "value > 0"
        return f"value >= {self.min_value:g}" + ", or 0" * self.has_implicit

    def are_likes(self, values: Array, min_value: float | None) -> BoolArray:
        """Returns which values `(n,)` are likes.

        Args:
            values: `(n,)` values.
            min_value: the lowest value of a like, or `None` for the rule of the kind.
        """
        if min_value is None and self.min_value is None:
            return np.asarray(values > 0)
        liked = np.asarray(values >= (self.min_value if min_value is None else min_value))
        return liked | (values == 0) if self.has_implicit and min_value is None else liked


def value_kind(values: Array, name: str | None = None) -> ValueKind:
    """Infers the meaning of values from their range, their distribution and the name of their column.

    Values up to 5 are ratings. Higher values are ratings if most of them are in the upper part of a usual scale;
    otherwise, they are counts, most of which are small. Negative counts are returns; negative fractions are ratings.
    The name of the column decides if it is a usual one.

    Args:
        values: `(n,)` values.
        name: name of their column, if they have one.
    """
    if not len(values):
        return ValueKind("likes", 1.0, 1.0)
    low, high = float(np.min(values)), float(np.max(values))
    if low == high == 1:
        return ValueKind("likes", 1.0, 1.0)
    words = plain((name or "").rpartition(".")[2])
    if words in COUNT_NAMES.split():  # a negative quantity is a return
        return ValueKind("counts", low, high)
    top = next((scale for scale in SCALES if high <= scale), high)
    has_fractions = bool(np.any(values != np.round(values)))
    is_rating = top <= 5 or (low < 0 and has_fractions) or words in RATING_NAMES.split()
    if not is_rating and top <= SCALES[-1]:
        positive = values[values > 0]
        is_rating = high > top / 2 and float(np.median(positive)) >= 0.4 * top
    if not is_rating:
        return ValueKind("counts", low, high)
    has_implicit = low == 0 and high > 1 and float(np.mean(values == 0)) >= IMPLICIT_SHARE
    return ValueKind("ratings", low, float(top), has_implicit, None if high == top else high)
