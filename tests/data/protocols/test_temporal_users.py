import numpy as np
import pytest

from kerasrec.data import DataError, Interactions, TemporalUsers


def test_users_with_too_few_or_too_many_items_are_dropped():
    counts = [4, *[6] * 10, 9]
    table = Interactions.from_arrays(np.repeat(np.arange(12), counts), np.concatenate([np.arange(n) for n in counts]))
    assert TemporalUsers(held_out=1).split(table).train.n_users == 9, "the user with 4 items is dropped"
    assert TemporalUsers(held_out=1, max_items=8).split(table).train.n_users == 8


@pytest.mark.parametrize("protocol, message", [
    (TemporalUsers(), r"temporal-users: .* 1,500 users, .*, got \d+\. Fix: lower `held_out`, `min_items`"),
    (TemporalUsers(min_items=100), r", got 0\. Fix: lower `min_items` \(100\) or `min_value` \(3\.5\)$"),
    (TemporalUsers(max_items=4), r", got 0\. Fix: lower `min_items` \(5\) .*, or raise `max_items` \(4\)$"),
])  # fmt: skip
def test_too_few_users_are_an_error(table, protocol, message):
    with pytest.raises(DataError, match=message):
        protocol.split(table)


@pytest.mark.realdata
def test_sizes_of_movielens_1m_equal_the_published_ones(ml_1m):
    """All five tables of the authors' notebook."""
    assert TemporalUsers().split(ml_1m).sizes == {
        "users": 4_534, "items": 3_483, "interactions": 435_180,
        "validation_users": 750, "validation_inputs": 56_578, "validation_targets": 14_500,
        "test_users": 750, "test_inputs": 54_859, "test_targets": 14_097,
    }  # fmt: skip
