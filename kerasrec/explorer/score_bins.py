"""The scores of all items as bars of a chart that is as wide as a screen."""

from __future__ import annotations

import numpy as np

from kerasrec.explorer.rounding import round_for_page
from kerasrec.types import FloatArray, IntArray

MAX_BINS = 1200
"""The most bars: a screen has no more pixels across."""


class ScoreBins:
    """Bins of neighbouring columns.

    Args:
        n_items: number of columns.
    """

    def __init__(self, n_items: int) -> None:
        starts = np.linspace(0, n_items, min(n_items, MAX_BINS), endpoint=False)
        self._starts: IntArray = np.unique(starts.astype(np.int64))

    def highest(self, scores: FloatArray) -> list[float]:
        """The highest score of each bin."""
        return [round_for_page(score) for score in np.maximum.reduceat(scores, self._starts).tolist()]

    def of(self, columns: IntArray) -> list[int]:
        """The bins that contain some of the columns."""
        bins: list[int] = np.unique(np.searchsorted(self._starts, columns, side="right") - 1).tolist()
        return bins
