import numpy as np
import pytest
from kerasrec_testing.tables import items_by_user

from kerasrec.data import DataError, Interactions, OwnItems


def test_shares_of_the_items_of_each_user_are_held_out(table):
    split = OwnItems(seed=3).split(table)
    core = table.at_least(4).core(5, 5)
    assert split.train.user_ids.tolist() == core.user_ids.tolist()
    assert split.validation.inputs is split.train
    train, validation = items_by_user(split.train), items_by_user(split.validation.targets)
    for user, items in items_by_user(split.test.inputs).items():
        assert sorted(items) == sorted(train[user] + validation[user])
    n_test = (0.2 * core.counts).astype(int)
    n_validation = (0.1 * (core.counts - n_test)).astype(int)
    assert (split.train.counts == core.counts - n_test - n_validation).all()
    if set(core.item_ids.tolist()) == set(split.train.item_ids.tolist()):
        assert (split.test.targets.counts == n_test).all()
        assert (split.validation.targets.counts == n_validation).all()


def test_each_item_is_held_out_with_the_same_probability():
    table = Interactions.from_arrays(np.repeat(np.arange(3000), 10), np.tile(np.arange(10), 3000))
    share = OwnItems().split(table).test.targets.item_counts / 3000
    assert share == pytest.approx(0.2, abs=0.03)


def test_an_empty_core_is_an_error(table):
    message = "own-items: expected users and items with at least 100 likes each, got none. Fix: lower `min_items`"
    with pytest.raises(DataError, match=message):
        OwnItems(min_items=100).split(table)
