"""Global time: everything before one moment is for training, everything after it for test."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.protocols.steps import check_shares, like_threshold, likes_of, log_left_out, split_rows
from kerasrec.data.splits import Split
from kerasrec.data.table_argument import check_table
from kerasrec.validation import check_at_least


@dataclass(frozen=True)
class GlobalTime:
    """All interactions before a moment T are for training, later ones for test, as in production.

    Protocols that divide each user's history train on interactions that happen after the test interactions of other
    users, so they reward knowledge of the future. Here T is the same for all users. Validation is the time before T:
    the likes in time order are divided at two moments, so that a share `test` of them is after the second one and a
    share `validation` of the others between the two. Interactions of one moment stay together.

    Users and items are those known at the first moment: users with fewer than `min_items` likes by then, and items
    without a like, are dropped. At test time, the model receives the validation items as well.

    Args:
        test: share of the likes for test.
        validation: share of the other likes for validation.
        min_value: lowest value of a like. If omitted, 4 stars of 5; see `HeldOutUsers` for other values.
        min_items: users with fewer likes in the training data are dropped.

    Source: Ji, Sun, Zhang and Li, A Critical Study on Data Leakage in Recommender System Offline Evaluation, 2023.
    """

    test: float = 0.1
    validation: float = 0.1
    min_value: float | None = None
    min_items: int = 5

    name: ClassVar[str] = "global-time"

    def __post_init__(self) -> None:
        check_shares(test=self.test, validation=self.validation)
        check_at_least(1, min_items=self.min_items)

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Returns all likes of a table, for a model that is trained on all rows, with nothing held out.

        Raises:
            DataError: The table has no likes.
        """
        return likes_of(interactions, self.min_value).in_time_order()

    def split(self, interactions: Interactions) -> Split:
        """Splits a table.

        Raises:
            TypeError: `interactions` is not a table.
            DataError: The table has no times or no likes, or one of the three parts is empty.
        """
        check_table(interactions=interactions)
        if interactions.times is None:
            raise DataError(f"{self.name}: expected interactions with times. Fix: name the column of times (`time`)")
        min_value = like_threshold(interactions, self.min_value)
        likes = likes_of(interactions, min_value).in_time_order()
        ordered = np.sort(_times_of(likes))
        n_before_test = round((1 - self.test) * len(ordered))
        first, second = ordered[[round((1 - self.validation) * n_before_test), min(n_before_test, len(ordered) - 1)]]
        n_known = np.bincount(likes.users[_times_of(likes) < first], minlength=likes.n_users)
        is_known = n_known >= self.min_items
        reason = f"they have fewer than {self.min_items} likes before the validation time; `min_items` changes that"
        log_left_out(self.name, int(is_known.sum()), interactions.n_users, reason)
        likes = likes.select(is_known[likes.users])
        times = _times_of(likes)
        in_training, in_test = times < first, times >= second
        if not (in_training.any() and in_test.any() and (~in_training & ~in_test).any()):
            raise DataError(
                f"{self.name}: expected users with {self.min_items} likes before the validation time, and likes of "
                "these users in validation and test, got none. Fix: lower `min_items`, or raise `validation` or `test`"
            )
        parts = split_rows(likes, ~in_training & ~in_test, in_test)
        return Split(*parts, dataclasses.replace(self, min_value=min_value))


def _times_of(likes: Interactions) -> np.ndarray:
    times = likes.times
    if times is None:  # `split` has checked it
        raise DataError("expected interactions with times")
    return times
