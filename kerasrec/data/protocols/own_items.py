"""Each user's own items: the protocol of CDAE."""

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
class OwnItems:
    """A random share of each user's own items, also known as weak generalisation.

    The likes are reduced to their `min_items`-core: users and items with fewer likes are dropped, until each user and
    each item has enough. Of each user's items, a random share is for test, and a share `validation` of the others for
    validation. The model receives the training rows of the same users, and at test time their validation items as well.

    Args:
        share: share of a user's items for test, rounded down; 0.2 as published.
        validation: share of a user's other items for validation, rounded down.
        seed: seed of the random choice.
        min_value: lowest value of a like. If omitted, 4 stars of 5 as published, the same share of other scales, and
            every positive count. If all values are 1, all interactions are likes.
        min_items: threshold of the core; 5 as published.

    Source: Wu et al., Collaborative Denoising Auto-Encoders, 2016, section 5.1.
    """

    share: float = 0.2
    validation: float = 0.1
    seed: int = 0
    min_value: float | None = None
    min_items: int = 5

    name: ClassVar[str] = "own-items"

    def __post_init__(self) -> None:
        check_shares(share=self.share, validation=self.validation)
        check_at_least(1, min_items=self.min_items)

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Returns all likes of a table, for a model that is trained on all rows, with nothing held out.

        Raises:
            DataError: The table has no likes.
        """
        return likes_of(interactions, self.min_value)

    def split(self, interactions: Interactions) -> Split:
        """Splits a table.

        Raises:
            TypeError: `interactions` is not a table.
            DataError: The table has no likes, or its core is empty.
        """
        check_table(interactions=interactions)
        min_value = like_threshold(interactions, self.min_value)
        likes = likes_of(interactions, min_value).core(self.min_items, self.min_items)
        if not len(likes):
            raise DataError(
                f"{self.name}: expected users and items with at least {self.min_items} likes each, got none. "
                "Fix: lower `min_items`"
            )
        reason = f"they have fewer than {self.min_items} likes of items with as many users; `min_items` changes that"
        log_left_out(self.name, likes.n_users, interactions.n_users, reason)
        key = np.random.default_rng(self.seed).random(len(likes))
        place = np.empty(len(likes), np.int64)  # of each interaction, in a random order of its user's interactions
        place[np.lexsort((key, likes.users))] = likes.places
        n_test = (self.share * likes.counts).astype(np.int64)
        n_validation = (self.validation * (likes.counts - n_test)).astype(np.int64)
        in_test = place < n_test[likes.users]
        in_validation = ~in_test & (place < (n_test + n_validation)[likes.users])
        return Split(*split_rows(likes, in_validation, in_test), dataclasses.replace(self, min_value=min_value))
