"""Held-out users with fold-in: the protocol of Mult-VAE and of most later work on autoencoders."""

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
)
from kerasrec.data.splits import Split
from kerasrec.data.table_argument import check_table
from kerasrec.types import BoolArray
from kerasrec.validation import as_int_at_least, check_at_least

FOLD_IN_SEED = 98765
"""Seed of the choice of held-out items. The published code uses it whatever the seed of the choice of users."""


@dataclass(frozen=True)
class HeldOutUsers:
    """Held-out users with fold-in, also known as strong generalisation.

    The validation and test users are unknown to the model: it receives a random 80 % of their
    items and ranks the others. The users, in ascending order of their ids, are permuted at random:
    the last `held_out` are for test, those before them for validation, the others for training. The
    catalogue contains the items of the training users. Held-out users with fewer than 5 items in the
    catalogue have inputs and no targets.

    Args:
        held_out: number of users for validation, and again for test. If omitted, a tenth of all
            users (as published: MovieLens 20M 10,000, Netflix 40,000, Million Songs 50,000).
        seed: seed of the choice of users; 98765 as published.
        min_value: lowest value of a like. If omitted, 4 stars of 5 as published, the same share of other scales, and
            every positive count. If all values are 1, all interactions are likes.
        min_items: users with fewer likes are dropped; 5 as published (Million Songs: 20).
        share: share of a held-out user's items that are targets; 0.2 as published.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, section 4.1.
    """

    held_out: int | None = None
    seed: int = 98765
    min_value: float | None = None
    min_items: int = 5
    share: float = 0.2

    name: ClassVar[str] = "held-out-users"

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
        return likes_of(interactions, self.min_value)

    def split(self, interactions: Interactions) -> Split:
        """Splits a table. The split's protocol states the number of held-out users.

        Raises:
            TypeError: `interactions` is not a table.
            DataError: The table has no likes, or too few users for three parts.
        """
        check_table(interactions=interactions)
        min_value = like_threshold(interactions, self.min_value)
        likes = likes_of(interactions, min_value).core(users=self.min_items)
        reason = f"they have fewer than {self.min_items} likes; `min_items` changes that"
        log_left_out(self.name, likes.n_users, interactions.n_users, reason)
        held_out = max(1, likes.n_users // 10) if self.held_out is None else self.held_out
        thresholds = f"`min_items` ({self.min_items}) or `min_value` ({min_value})"
        check_enough_users(self.name, likes.n_users, held_out, thresholds)
        train, validation, test = split_users(likes, held_out, self.seed, self._targets)
        return Split(train, validation, test, dataclasses.replace(self, held_out=held_out, min_value=min_value))

    def _targets(self, table: Interactions) -> BoolArray:
        """Returns which interactions are targets: a random share of each user's."""
        random = np.random.RandomState(FOLD_IN_SEED)
        is_target = np.zeros(len(table), bool)
        for start, n in zip(table.indptr[:-1], table.counts, strict=True):
            if n >= MIN_ITEMS_TO_HOLD_OUT:
                is_target[start + random.choice(n, int(self.share * n), replace=False)] = True
        return is_target
