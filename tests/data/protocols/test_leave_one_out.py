import pytest
from kerasrec_testing.tables import items_by_user

from kerasrec.data import DataError, Interactions, LeaveOneOut


def test_the_last_two_items_of_each_user_are_held_out(table):
    split = LeaveOneOut().split(table)
    train = items_by_user(split.train)
    catalogue = {item for items in train.values() for item in items}
    for user, items in items_by_user(table.in_time_order()).items():
        is_long = len(items) >= 3
        assert train[user] == (items[:-2] if is_long else items)
        assert items_by_user(split.validation.targets)[user] == [i for i in items[-2:-1] if is_long and i in catalogue]
        assert items_by_user(split.test.targets)[user] == [i for i in items[-1:] if is_long and i in catalogue]
        inputs = items[:-1] if is_long else items
        assert items_by_user(split.test.inputs)[user] == [i for i in inputs if i in catalogue]


def test_short_histories_are_for_training_and_the_order_of_the_input_replaces_times():
    table = Interactions.from_arrays([1, 1, 1, 1, 2, 2, 3, 3, 3], [5, 3, 4, 6, 3, 4, 6, 5, 3])
    split = LeaveOneOut().split(table)
    assert items_by_user(split.train) == {1: [5, 3], 2: [3, 4], 3: [6]}
    assert items_by_user(split.validation.targets) == {1: [4], 2: [], 3: [5]}
    assert items_by_user(split.test.targets) == {1: [6], 2: [], 3: [3]}
    assert items_by_user(split.test.inputs) == {1: [5, 3, 4], 2: [3, 4], 3: [6, 5]}


def test_short_histories_alone_are_an_error():
    with pytest.raises(DataError, match="leave-one-out: expected a user with at least 3 items, got at most 2. Fix: "):
        LeaveOneOut().split(Interactions.from_arrays([1, 1, 2], [1, 2, 1]))
