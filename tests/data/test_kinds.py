"""The meaning of values, and which of them are likes."""

import numpy as np
import pytest

from kerasrec.data import HeldOutUsers, Interactions, RandomRatings, TemporalUsers
from kerasrec.data.kinds import value_kind

RNG = np.random.default_rng(0)
PLAYS = RNG.geometric(0.02, 1_000).astype(np.float32)
UP_TO_100 = np.clip(RNG.normal(75, 15, 1_000).round(), 1, 100).astype(np.float32)


@pytest.mark.parametrize("values, name, meaning, rule", [
    ([1, 1], None, "likes", "value > 0"),
    ([1, 5, 3], None, "ratings from 1 to 5", "value >= 4"),
    ([0.5, 4.5], "rating", "ratings from 0.5 to 4.5, assumed to be on a scale up to 5", "value >= 4"),
    ([1, 2, 3], "quantity", "counts from 1 to 3", "value > 0"),
    ([0, 1, 1, 1, 1], None, "ratings from 0 to 1", "value >= 1"),
    ([8, 10, 7, 3], None, "ratings from 3 to 10", "value >= 8"),
    ([0, 0, 8, 10, 7, 3], "Book-Rating", "ratings from 0 to 10; 0 means an interaction without a rating",
     "value >= 8, or 0"),
    ([0, 0, 0, 4, 5], "rating", "ratings from 0 to 5; 0 means an interaction without a rating", "value >= 4, or 0"),
    ([1, 1, 2, 1, 8], None, "counts from 1 to 8", "value > 0"),
    (UP_TO_100, None, f"ratings from {int(UP_TO_100.min())} to 100", "value >= 80"),
    (PLAYS, None, f"counts from 1 to {PLAYS.max():g}", "value > 0"),
    ([0, 3, 700], "items.quantity", "counts from 0 to 700", "value > 0"),
    ([2, -1, 3], "Quantity", "counts from -1 to 3", "value > 0"),
    ([1, 12, -1, 1, 2], "units", "counts from -1 to 12", "value > 0"),
    ([-10, 3.5, 10], None, "ratings from -10 to 10", "value >= 6"),
])  # fmt: skip
def test_the_meaning_of_values(values, name, meaning, rule):
    kind = value_kind(np.array(values, np.float32), name)
    assert (str(kind), kind.rule(None)) == (meaning, rule)


def table(values):
    users, items = np.divmod(np.arange(len(values)), 40)
    return Interactions.from_arrays(users, items, values)


@pytest.mark.parametrize("protocol, n_likes", [
    (HeldOutUsers(min_items=1), 1_000), (HeldOutUsers(min_items=1, min_value=100), int((PLAYS >= 100).sum())),
])  # fmt: skip
def test_positive_counts_are_likes(protocol, n_likes, caplog):
    with caplog.at_level("INFO", "kerasrec"):
        split = protocol.split(table(PLAYS))
    assert f"{n_likes:,} of 1,000 interactions are likes: value >" in caplog.text
    assert len(split.train) <= n_likes
    warned = any(record.levelname == "WARNING" for record in caplog.records)
    assert warned == (n_likes < 500)


@pytest.mark.parametrize("protocol, threshold", [(HeldOutUsers(), 4), (TemporalUsers(held_out=2), 3.5)])
def test_the_published_threshold_is_that_of_stars(protocol, threshold):
    stars = table(RNG.integers(2, 11, 1_000) / 2)
    assert protocol.split(stars).protocol.min_value == threshold
    assert len(protocol.training_rows(stars)) == int((stars.values >= threshold).sum())
    of_ten = table(RNG.integers(2, 11, 1_000))
    assert protocol.split(of_ten).protocol.min_value == 8


def test_rating_protocols_warn_of_counts(caplog):
    RandomRatings().split(table(PLAYS))
    assert "random-ratings: expected ratings, got counts from 1 to" in caplog.text
    caplog.clear()
    RandomRatings().split(table(RNG.integers(1, 6, 1_000)))
    assert not caplog.records
