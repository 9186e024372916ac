import numpy as np
import pytest
from kerasrec_testing.tables import items_by_user

from kerasrec.data import DataError, GlobalTime, Interactions


def table_of(rows):
    users, items, times = zip(*rows, strict=True)
    return Interactions.from_arrays(users, items, times=np.array(times))


def test_all_users_are_divided_at_the_same_two_moments():
    # Ten interactions: validation begins at time 6 (the seventh), test at time 8 (the ninth).
    early = [(1, 10, 0), (2, 10, 1), (1, 11, 2), (2, 12, 3), (3, 11, 4), (1, 12, 5)]
    rows = [*early, (2, 11, 6), (3, 13, 7), (3, 12, 8), (4, 10, 9)]
    split = GlobalTime(test=0.2, validation=0.25, min_items=1).split(table_of(rows))
    assert items_by_user(split.train) == {1: [10, 11, 12], 2: [10, 12], 3: [11]}
    assert items_by_user(split.validation.targets) == {1: [], 2: [11], 3: []}, "item 13 is unknown before time 6"
    assert items_by_user(split.test.inputs) == {1: [10, 11, 12], 2: [10, 12, 11], 3: [11]}
    assert items_by_user(split.test.targets) == {1: [], 2: [], 3: [12]}, "user 4 is unknown before time 6"


def test_no_training_interaction_is_later_than_a_held_out_one(table):
    split = GlobalTime(min_items=2).split(table)
    assert split.train.counts.min() >= 2
    assert split.train.times.max() < split.validation.targets.times.min()
    assert split.validation.targets.times.max() < split.test.targets.times.min()


def test_users_with_few_likes_before_the_first_moment_are_dropped():
    rows = [(1, item, item) for item in range(5)] + [(2, 0, 1), (2, 1, 20), (1, 0, 21), (2, 2, 22), (1, 5, 23)]
    rows += [(3, item, 6) for item in range(6)] + [(3, 9, 24), (1, 6, 25), (3, 8, 26)]
    split = GlobalTime(test=0.2, validation=0.2, min_items=5).split(table_of([*rows, (3, 7, 2), (1, 7, 2), (1, 8, 24)]))
    assert sorted(items_by_user(split.train)) == [1, 3]


def test_a_table_that_cannot_be_divided_by_time_is_an_error():
    with pytest.raises(DataError, match="global-time: expected interactions with times. Fix: "):
        GlobalTime().split(Interactions.from_arrays([1, 2], [1, 2]))
    same_moment = table_of([(u, i, 5) for u in range(9) for i in range(9)])
    with pytest.raises(DataError, match="global-time: expected users with 5 likes before the validation time"):
        GlobalTime().split(same_moment)
