"""Generated interactions with a known structure, for demonstrations and tests without a download."""

from __future__ import annotations

import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.types import Array, FloatArray, IntArray

FIRST_SECOND = 1_577_836_800  # 2020-01-01
YEAR = 365 * 86_400


def generate(
    n_users: int = 2000,
    n_items: int = 500,
    mean_items: float = 40.0,
    n_tastes: int = 10,
    seed: int = 0,
) -> Interactions:
    """Generates ratings by users with known tastes, over a long-tailed catalogue, during one year.

    P(item i | user u, moment τ) = Σ_k θ_uk(τ) · popularity(i | taste k), where

        θ_u(τ) = (1 - τ) · start_u + τ · end_u,  both Dirichlet(0.3), τ from 0 to 1 along the history of u
        popularity(i | k) ∝ (1 + rank of i within taste k)^-0.8

    One draw in ten ignores the user's taste. Items do not repeat. A rating from 1 to 5 increases
    with the user's weight of the item's taste and with the quality of the item.

    Args:
        n_users: number of users, with ids from 1.
        n_items: number of items, with ids from 1. Items without a rating are not in the table.
        mean_items: mean number of items of a user. Each has at least 5, if the catalogue is large enough.
        n_tastes: number of tastes; item i has taste i mod `n_tastes`.
        seed: equal seeds generate equal data.

    Returns:
        Interactions with ratings, times, and titles that contain the taste.

    Raises:
        ValueError: A size is below 1, or `n_items` is below `n_tastes`.

    Example:
        >>> from kerasrec.data import generate
        >>> x = generate(n_users=100, n_items=50, mean_items=10)
        >>> x.n_users, x.values.min().item(), x.values.max().item(), str(x.item_titles[0])
        (100, 1.0, 5.0, 'Item 1 · taste 1')
    """
    if min(n_users, n_tastes) < 1 or mean_items < 1 or n_items < n_tastes:
        raise ValueError(
            "expected `n_users`, `n_tastes` and `mean_items` of at least 1 and `n_items` of at least `n_tastes`, got "
            f"{n_users}, {n_tastes}, {mean_items} and {n_items}. Fix: raise them"
        )
    rng = np.random.default_rng(seed)
    tastes = rng.dirichlet(np.full(n_tastes, 0.3), (n_users, 2))  # (n_users, start and end, n_tastes)
    quality = rng.normal(0, 0.4, n_items)

    # The longest history has half the catalogue, so that items are left to recommend.
    activity = mean_items * rng.lognormal(-0.18, 0.6, n_users)  # the factor has mean 1, as -0.18 = -0.6² / 2
    counts: IntArray = np.clip(np.round(activity), min(5, n_items), max(5, n_items // 2)).astype(np.int64)
    n_draws = 2 * counts  # enough for that many different items, as a rule
    user = np.repeat(np.arange(n_users), n_draws)
    place = np.arange(len(user)) - np.repeat(np.cumsum(n_draws) - n_draws, n_draws)
    moment = np.minimum(place / counts[user], 1.0)
    taste = _draw_tastes(rng, tastes, user, rng.random(len(user)) < moment)
    ignores_taste = rng.random(len(user)) < 0.1
    taste[ignores_taste] = rng.integers(0, n_tastes, ignores_taste.sum())
    item = _draw_items(rng, taste, n_items, n_tastes)

    # Positions of the first draw of each (user, item) pair, and of these the first `counts` of each user.
    first = np.sort(np.unique(user * n_items + item, return_index=True)[1])
    first = first[np.arange(len(first)) - np.searchsorted(user[first], user[first]) < counts[user[first]]]
    user, item, taste, moment = user[first], item[first], taste[first], moment[first]
    weight = (1 - moment) * tastes[user, 0, taste] + moment * tastes[user, 1, taste]
    rating = 2.4 + 2.6 * np.sqrt(weight) + quality[item] + rng.normal(0, 0.6, len(user))
    titles = {i: f"Item {i} · taste {i % n_tastes}" for i in range(1, n_items + 1)}
    return Interactions.from_arrays(
        user + 1, item + 1, np.clip(np.round(rating), 1, 5), _draw_times(rng, user, n_users), titles
    )


def _draw_tastes(rng: np.random.Generator, tastes: FloatArray, user: IntArray, at_end: Array) -> IntArray:
    """Draws a taste for each entry of `user`, from the user's weights at the end if `at_end`, else at the start."""
    n_tastes = tastes.shape[-1]
    row: IntArray = 2 * user + at_end
    # Row r's cumulative weights, moved to the interval from r to r + 1, form one ascending array of all rows.
    bounds = np.cumsum(tastes.reshape(-1, n_tastes), axis=1) + np.arange(2 * len(tastes))[:, None]
    position = np.searchsorted(bounds.ravel(), row + rng.random(len(row)), side="right")
    return np.clip(position - row * n_tastes, 0, n_tastes - 1)  # rounding can exceed the last bound of the row


def _draw_items(rng: np.random.Generator, taste: IntArray, n_items: int, n_tastes: int) -> IntArray:
    """Draws an item, from 0, of each of the given tastes by its popularity."""
    item = np.empty(len(taste), np.int64)
    for k in range(n_tastes):
        members = np.flatnonzero(np.arange(1, n_items + 1) % n_tastes == k)
        popularity = np.arange(1, len(members) + 1) ** -0.8
        mask = taste == k
        item[mask] = rng.choice(rng.permutation(members), mask.sum(), p=popularity / popularity.sum())
    return item


def _draw_times(rng: np.random.Generator, user: IntArray, n_users: int) -> IntArray:
    """Draws seconds that ascend along each user's history, which lasts 10 % to 50 % of the year."""
    duration = rng.uniform(0.1, 0.5, n_users) * YEAR
    start = rng.random(n_users) * (YEAR - duration)
    fraction = rng.random(len(user))
    fraction = fraction[np.lexsort((fraction, user))]
    return (FIRST_SECOND + start[user] + fraction * duration[user]).astype(np.int64)
