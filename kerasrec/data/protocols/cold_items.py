"""Cold items: items without a training interaction, which only their features describe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.protocols.steps import check_shares, like_threshold, likes_of, log_left_out
from kerasrec.data.splits import HeldOut, Split
from kerasrec.data.table_argument import check_table
from kerasrec.types import IntArray


@dataclass(frozen=True)
class ColdItems:
    """All likes of random items are held out, so that these items have no training interaction.

    A share of the items is drawn for test and another one for validation. The training table contains them in its
    catalogue, without any like. The model receives the training items of a user and ranks only the drawn items of that
    part, as a page of new items does. Users without a training item are left out. Needs a model that reads features of
    items (`--item-features`): other models rank items without interactions at random.

    Args:
        share: share of the items for test, rounded down.
        validation: share of the items for validation, rounded down.
        seed: seed of the random choice.
        min_value: lowest value of a like. If omitted, the rule of the kind of values; see `Interactions.value_kind`.
            The protocol of the split states the value, so that newer data get the same rule.

    Example:
        >>> from kerasrec import ColdItems, generate
        >>> split = ColdItems(seed=1).split(generate(n_users=100, n_items=50, seed=1).likes())
        >>> len(split.test.candidates), split.train.item_counts[split.test.candidates].sum().item()
        (5, 0)
    """

    share: float = 0.1
    validation: float = 0.1
    seed: int = 0
    min_value: float | None = None

    name: ClassVar[str] = "cold-items"

    def __post_init__(self) -> None:
        check_shares(share=self.share, validation=self.validation)

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
            DataError: The table has no likes, or too few items.
        """
        check_table(interactions=interactions)
        min_value = like_threshold(interactions, self.min_value)
        likes = likes_of(interactions, min_value)
        n_test, n_validation = int(self.share * likes.n_items), int(self.validation * likes.n_items)
        if min(n_test, n_validation, likes.n_items - n_test - n_validation) < 1:
            raise DataError(
                f"{self.name}: expected items for training, validation and test, got {likes.n_items:,} items in all. "
                "Fix: use more data or other shares"
            )
        order = np.random.default_rng(self.seed).permutation(likes.n_items)
        is_cold = np.zeros(likes.n_items, bool)
        is_cold[order[: n_test + n_validation]] = True
        n_warm = np.bincount(likes.users, ~is_cold[likes.items], minlength=likes.n_users)
        log_left_out(
            self.name, int((n_warm > 0).sum()), interactions.n_users, "they have no item in the training table"
        )
        likes = likes.take_users(np.flatnonzero(n_warm))
        train = likes.select(~is_cold[likes.items], compact=False)

        def part(items: IntArray) -> HeldOut:
            targets = likes.select(np.isin(likes.items, items), compact=False)
            return HeldOut(train, targets, candidates=np.sort(items).astype(np.int32))

        parts = train, part(order[n_test : n_test + n_validation]), part(order[:n_test])
        return Split(*parts, dataclasses.replace(self, min_value=min_value))
