"""Leave-one-out: each user's last item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.protocols.steps import LOG, split_rows, warn_without_times
from kerasrec.data.splits import Split
from kerasrec.data.table_argument import check_table

MIN_ITEMS = 3
"""The fewest items of a user for one each in training, validation and test."""


@dataclass(frozen=True)
class LeaveOneOut:
    """The last item of each user is for test, and the one before it for validation.

    Items are in time order (without times, in the order of the input). Every interaction is a like,
    whatever its value. At test time, the model receives the validation item as well. All items of
    users with fewer than 3 items are for training.

    Source: He et al., Neural Collaborative Filtering, 2017, section 4.1.
    """

    name: ClassVar[str] = "leave-one-out"

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Returns all likes of a table, for a model that is trained on all rows, with nothing held out."""
        return interactions.likes().in_time_order()

    def split(self, interactions: Interactions) -> Split:
        """Splits a table.

        Raises:
            TypeError: `interactions` is not a table.
            DataError: All users have fewer than 3 items.
        """
        check_table(interactions=interactions)
        warn_without_times(interactions)
        likes = interactions.likes().in_time_order()
        is_long = likes.counts >= MIN_ITEMS
        if not is_long.any():
            raise DataError(
                f"{self.name}: expected a user with at least {MIN_ITEMS} items, got at most {likes.counts.max()}. "
                "Fix: use more data or another protocol"
            )
        if not is_long.all():
            n_short = f"{int((~is_long).sum()):,} of {likes.n_users:,}"
            LOG.info("%s: %s users have fewer than %s items and are not tested", self.name, n_short, MIN_ITEMS)
        n_later = (likes.counts[likes.users] - 1) - likes.places  # of each interaction: later items of its user
        in_test, in_validation = (is_long[likes.users] & (n_later == n) for n in (0, 1))
        return Split(*split_rows(likes, in_validation, in_test), self)
