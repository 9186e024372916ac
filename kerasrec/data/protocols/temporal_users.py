"""Time-ordered held-out users: the protocol of SVAE."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.data.protocols.steps import (
    MIN_ITEMS_TO_HOLD_OUT,
    check_enough_users,
    check_shares,
    like_threshold,
    likes_of,
    log_left_out,
    split_users,
    warn_without_times,
)
from kerasrec.data.splits import Split
from kerasrec.data.table_argument import check_table
from kerasrec.types import BoolArray
from kerasrec.validation import as_int_at_least, check_at_least


@dataclass(frozen=True)
class TemporalUsers:
    """Time-ordered held-out users: the model receives the first 80 % of an unknown user's history.

    The protocol is that of `HeldOutUsers`, except that histories are in time order (without times,
    in the order of the input), and the last items are the targets.

    Args:
        held_out: number of users for validation, and again for test; 750 as published on MovieLens 1M. None: 750, or
            a tenth of all users if that is less.
        seed: seed of the choice of users; 98765 as published.
        min_value: lowest value of a like. If omitted, 3.5 stars of 5, which is the published "above 3"; see
            `HeldOutUsers` for other values.
        min_items: users with fewer likes are dropped; 5 as published.
        max_items: users with more likes are dropped. If omitted, none are. The published code
            states 1000, but its published results are of a run without that limit (435,180 training
            interactions).
        share: share of a held-out user's items that are targets; 0.2 as published.

    Source: Sachdeva et al., Sequential Variational Autoencoders for Collaborative Filtering, 2019, section 5.
    """

    held_out: int | None = 750
    seed: int = 98765
    min_value: float | None = None
    min_items: int = 5
    max_items: int | None = None
    share: float = 0.2

    name: ClassVar[str] = "temporal-users"

    def __post_init__(self) -> None:
        check_shares(share=self.share)
        check_at_least(1, min_items=self.min_items)
        if self.held_out is not None:
            as_int_at_least(1, held_out=self.held_out)

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Returns all likes of a table, for a model that is trained on all rows, with nothing held out.

        Raises:
            DataError: The table has no likes.
        """
        return likes_of(interactions, like_threshold(interactions, self.min_value, 3.5)).in_time_order()

    def split(self, interactions: Interactions) -> Split:
        """Splits a table.

        Raises:
            TypeError: `interactions` is not a table.
            DataError: The table has no likes, or too few users for three parts.
        """
        check_table(interactions=interactions)
        warn_without_times(interactions)
        min_value = like_threshold(interactions, self.min_value, 3.5)
        likes = likes_of(interactions, min_value).in_time_order()
        in_limits = likes.counts >= self.min_items
        thresholds = f"`min_items` ({self.min_items}) or `min_value` ({min_value})"
        reason = f"they have fewer than {self.min_items} likes; `min_items` changes that"
        if self.max_items is not None:
            in_limits &= likes.counts <= self.max_items
            thresholds += f", or raise `max_items` ({self.max_items})"
            reason = (
                f"they have fewer than {self.min_items} or more than {self.max_items} likes; "
                "`min_items` and `max_items` change that"
            )
        log_left_out(self.name, int(in_limits.sum()), interactions.n_users, reason)
        likes = likes.take_users(np.flatnonzero(in_limits)).without_bare_items()
        held_out = min(750, max(1, likes.n_users // 10)) if self.held_out is None else self.held_out
        check_enough_users(self.name, likes.n_users, held_out, thresholds)
        parts = split_users(likes, held_out, self.seed, self._targets)
        return Split(*parts, dataclasses.replace(self, held_out=held_out, min_value=min_value))

    def _targets(self, table: Interactions) -> BoolArray:
        """Returns which interactions are targets: the last of each user's."""
        n_inputs = ((1.0 - self.share) * table.counts).astype(np.int64)
        return (table.places >= n_inputs[table.users]) & (table.counts >= MIN_ITEMS_TO_HOLD_OUT)[table.users]
