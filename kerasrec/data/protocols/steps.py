"""Steps that several protocols share."""

from __future__ import annotations

import logging
import numbers
import warnings
from collections.abc import Callable

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.types import BoolArray, IntArray

LOG = logging.getLogger(__name__)

MIN_ITEMS_TO_HOLD_OUT = 5
"""Held-out users with fewer items in the training catalogue have inputs and no targets."""


def check_shares(**shares: float) -> None:
    """Checks that each argument is a share.

    Raises:
        ValueError: An argument is not between 0 and 1.
    """
    for name, share in shares.items():
        if not (isinstance(share, numbers.Real) and 0 < share < 1):
            raise ValueError(
                f"expected `{name}` above 0 and below 1, got {share}. Fix: pass a share, for example 0.2 for 20 %"
            )


def warn_without_times(interactions: Interactions) -> None:
    """Warns that a table without times is taken in the order of the input."""
    if interactions.times is None:
        warnings.warn(
            "the interactions have no times, so the order of the file is used as their time order. Fix: pass the name "
            "of the column of times as `time`, if the file has one",
            stacklevel=3,
        )


def like_threshold(interactions: Interactions, min_value: float | None, for_stars: float = 4.0) -> float | None:
    """Returns the lowest value of a like, or `None` if the rule of the kind of values has no threshold.

    Args:
        interactions: the table.
        min_value: the threshold, if the user of a protocol has chosen one.
        for_stars: lowest number of stars of a like, as published. It is also returned if all values are 1.
    """
    kind = interactions.value_kind
    if min_value is not None:
        return min_value
    if kind.name == "likes" or (kind.min_value == 4 and not kind.has_implicit):
        return for_stars
    return None if kind.has_implicit else kind.min_value


def likes_of(interactions: Interactions, min_value: float | None) -> Interactions:
    """Returns the likes, with every value 1, and logs how many interactions they are. If all values are 1, all are.

    Args:
        interactions: the table.
        min_value: lowest value of a like. If None, the rule of the kind of values; see `Interactions.value_kind`.

    Raises:
        DataError: No interaction is a like.
    """
    if interactions.is_binary:
        return interactions
    kind = interactions.value_kind
    are_likes = kind.are_likes(interactions.values, min_value)
    n_likes = int(are_likes.sum())
    if not n_likes:
        raise DataError(
            f"expected likes ({kind.rule(min_value)}), got a maximum of {interactions.values.max():g}. "
            "Fix: lower `min_value`"
        )
    are_few = n_likes < len(interactions) / 2
    LOG.log(
        logging.WARNING if are_few else logging.INFO,
        "%s of %s interactions are likes: %s%s",
        f"{n_likes:,}",
        f"{len(interactions):,}",
        kind.rule(min_value),
        ". Most interactions are dropped; `min_value` changes that" if are_few else "",
    )
    return interactions.select(are_likes).likes()


def log_left_out(protocol: str, n_kept: int, n_users: int, reason: str) -> None:
    """Logs how many users a protocol leaves out, if there are any.

    Args:
        protocol: name of the protocol.
        n_kept: number of users that stay.
        n_users: number of all users.
        reason: what the others have in common, and what keeps them.
    """
    if n_kept < n_users:
        LOG.info("%s: %s of %s users are left out: %s", protocol, f"{n_users - n_kept:,}", f"{n_users:,}", reason)


def check_enough_users(protocol: str, n_users: int, held_out: int, thresholds: str) -> None:
    """Checks that users are left for training.

    Args:
        protocol: name of the protocol, for the message.
        n_users: number of users.
        held_out: number of users for validation, and again for test.
        thresholds: what keeps more users if it is lower. Below 3 users, no `held_out` leaves one for training.

    Raises:
        DataError: `n_users` is at most `2 * held_out`.
    """
    if n_users <= 2 * held_out:
        raise DataError(
            f"{protocol}: expected more than {2 * held_out:,} users, {held_out:,} each for validation and test, got "
            f"{n_users:,}. Fix: lower {'' if n_users < 3 else '`held_out`, '}{thresholds}"
        )


def split_users(
    likes: Interactions, held_out: int, seed: int, targets_of: Callable[[Interactions], BoolArray]
) -> tuple[Interactions, HeldOut, HeldOut]:
    """Divides the users at random into training, validation and test.

    The catalogue contains the items of the training users.

    Args:
        likes: the table, with more than `2 * held_out` users.
        held_out: number of users for validation, and again for test.
        seed: seed of the permutation of the users. They are drawn as in the published code.
        targets_of: returns which interactions `(n,)` of a table of held-out users are targets.

    Returns:
        The training table, validation and test.
    """
    n_train = likes.n_users - 2 * held_out
    order = np.random.RandomState(seed).permutation(likes.n_users)
    train = likes.take_users(np.sort(order[:n_train])).without_bare_items()

    def held_out_part(rows: IntArray) -> HeldOut:
        table = likes.take_users(np.sort(rows)).with_catalogue(train.item_ids)
        is_target = targets_of(table)
        inputs, targets = (table.select(mask, compact=False) for mask in (~is_target, is_target))
        return HeldOut(inputs, targets, np.full(held_out, -1))

    return train, held_out_part(order[n_train : n_train + held_out]), held_out_part(order[n_train + held_out :])


def split_rows(
    likes: Interactions, in_validation: BoolArray, in_test: BoolArray
) -> tuple[Interactions, HeldOut, HeldOut]:
    """Divides the interactions of each user into training, validation and test.

    All users stay. The catalogue contains the items of the training table. At test time, a model
    receives the validation items as well.

    Args:
        likes: the table.
        in_validation: `(n,)` which interactions are for validation.
        in_test: `(n,)` which interactions are for test.

    Returns:
        The training table, validation and test.
    """
    train = likes.select(~in_validation & ~in_test, compact=False).without_bare_items()
    before_test, validation, test = (
        likes.select(mask, compact=False).with_catalogue(train.item_ids) for mask in (~in_test, in_validation, in_test)
    )
    return train, HeldOut(train, validation), HeldOut(before_test, test)
