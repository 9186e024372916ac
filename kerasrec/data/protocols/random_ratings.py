"""Random ratings: the protocol of AutoRec and DeepRec."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.protocols.steps import check_shares
from kerasrec.data.splits import HeldOut, Split
from kerasrec.data.table_argument import check_table

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RandomRatings:
    """Random ratings, for rating models: the metric is one RMSE over all test ratings.

    A random share `test` of the ratings is for test, and a share `validation` of the others for
    validation. A model receives the training row of each user, also at test time. All users and
    items stay in the tables.

    Args:
        test: share of the ratings for test; 0.1 as published.
        validation: share of the other ratings for validation; 0.1 as published.
        seed: seed of the random choice. The papers report the mean over 5 choices.

    Source: Sedhain et al., AutoRec, 2015, section 3.
    """

    test: float = 0.1
    validation: float = 0.1
    seed: int = 0

    name: ClassVar[str] = "random-ratings"

    def __post_init__(self) -> None:
        check_shares(test=self.test, validation=self.validation)

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Returns all ratings of a table, for a model that is trained on all rows, with nothing held out."""
        return interactions

    def split(self, interactions: Interactions) -> Split:
        """Splits a table.

        Raises:
            TypeError: `interactions` is not a table.
            DataError: The table has too few ratings for three parts.
        """
        check_table(interactions=interactions)
        kind = interactions.value_kind
        if kind.name != "ratings" or kind.has_implicit:
            LOG.warning(
                "%s: expected ratings, got %s. Fix: choose a model for likes, or data with ratings", self.name, kind
            )
        n = len(interactions)
        n_test = round(self.test * n)
        n_validation = round(self.validation * (n - n_test))
        if not (n_test and n_validation and n - n_test - n_validation):
            raise DataError(
                f"{self.name}: expected enough ratings for training, validation and test, got {n}. "
                "Fix: raise `test` or `validation`, or use more data"
            )
        order = np.random.default_rng(self.seed).permutation(n)
        part = np.zeros(n, np.int8)  # 0: training
        part[order[:n_test]] = 2
        part[order[n_test : n_test + n_validation]] = 1
        train, validation, test = (interactions.select(part == number, compact=False) for number in range(3))
        return Split(train, HeldOut(train, validation), HeldOut(train, test), self)
