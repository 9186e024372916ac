"""The values that a tuner tries for the settings of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TRAINING_SETTINGS = ("learning_rate", "batch_size")
"""Settings of the training, which a search space may contain beside the arguments of the constructor."""


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included.

    Attributes:
        low: lowest value. If it is an integer, all values are.
        high: highest value, of the same type.
        log: whether values are drawn from a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether all values are integers."""
        return isinstance(self.low, int)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of several values.

    Attributes:
        values: the values, for example widths `((600,), (600, 200))`.
    """

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values


SearchSpace = Mapping[str, Range | Choice]
"""Argument of the constructor, or one of `TRAINING_SETTINGS` → the values to try."""
