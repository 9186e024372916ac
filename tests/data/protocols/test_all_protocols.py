"""What all protocols have in common."""

import numpy as np
import pytest
from kerasrec_testing.tables import ordered_pairs, pairs

from kerasrec.data import (
    PROTOCOLS,
    ColdItems,
    GlobalTime,
    HeldOutUsers,
    Interactions,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    TemporalUsers,
)

ALL = [
    RandomRatings(seed=1),
    HeldOutUsers(held_out=20),
    OwnItems(seed=1),
    TemporalUsers(held_out=20),
    LeaveOneOut(),
    GlobalTime(min_items=1),
    ColdItems(seed=1),
]

OF_UNKNOWN_USERS = ("held-out-users", "temporal-users")


@pytest.fixture(params=ALL, ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


def test_protocols_have_names():
    assert {name: PROTOCOLS[name].name for name in PROTOCOLS} == {name: name for name in PROTOCOLS}
    names = ["random-ratings", "held-out-users", "own-items", "temporal-users", "leave-one-out", "global-time"]
    assert list(PROTOCOLS) == [*names, "cold-items"]


def test_targets_are_neither_in_the_inputs_nor_in_the_training_table(table, protocol):
    split = protocol.split(table)
    training = pairs(split.train)
    assert len(split.train)
    assert len(split.validation.targets)
    assert len(split.test.targets)
    for part in (split.validation, split.test):
        inputs, targets = pairs(part.inputs), pairs(part.targets)
        assert not inputs & targets
        assert not training & targets
        assert inputs | targets <= pairs(table)
        assert part.inputs.shape == part.targets.shape
        assert part.inputs.user_ids.tolist() == part.targets.user_ids.tolist()
        for other in (part.inputs, part.targets):
            assert other.item_ids.tolist() == split.train.item_ids.tolist()
            assert other.item_titles.tolist() == [f"Item {i[1:]}" for i in other.item_ids]
    assert not pairs(split.test.targets) & (pairs(split.validation.inputs) | pairs(split.validation.targets))


@pytest.mark.parametrize("protocol, message", [
    (HeldOutUsers(held_out=1), "1 of 4 users are left out: they have fewer than 5 likes; `min_items` changes that"),
    (TemporalUsers(held_out=1, max_items=8),
     "1 of 4 users are left out: they have fewer than 5 or more than 8 likes; `min_items` and `max_items` change that"),
    (OwnItems(min_items=3),
     "1 of 4 users are left out: they have fewer than 3 likes of items with as many users; `min_items` changes that"),
    (GlobalTime(test=0.3, validation=0.3, min_items=2),
     "1 of 4 users are left out: they have fewer than 2 likes before the validation time; `min_items` changes that"),
    (LeaveOneOut(), "1 of 4 users have fewer than 3 items and are not tested"),
], ids=lambda value: getattr(value, "name", ""))  # fmt: skip
def test_users_who_are_left_out_are_counted_with_the_reason(protocol, message, caplog):
    users = np.repeat([1, 2, 3, 4], [6, 6, 6, 2])
    items = np.concatenate([np.arange(6), np.arange(6), np.arange(6), [0, 1]])
    times = np.concatenate([np.arange(6), np.arange(6), np.arange(6), [6, 7]]) * 86_400
    with caplog.at_level("INFO", "kerasrec.data"):
        protocol.split(Interactions.from_arrays(users, items, times=times))
    assert f"{protocol.name}: {message}" in caplog.text


def test_rows_are_the_training_rows_of_the_users(table, protocol):
    split = protocol.split(table)
    for part in (split.validation, split.test):
        rows = np.arange(part.inputs.n_users) if part.rows is None else part.rows
        unknown = protocol.name in OF_UNKNOWN_USERS
        assert len(rows) == part.inputs.n_users
        assert (rows == -1).all() == unknown
        training_users = set(split.train.user_ids.tolist())
        assert all((user in training_users) != unknown for user in part.inputs.user_ids.tolist())
        if not unknown:
            assert split.train.user_ids[rows].tolist() == part.inputs.user_ids.tolist()


def test_test_values_do_not_change_what_a_model_receives(table, protocol):
    if protocol.name in (*OF_UNKNOWN_USERS, "own-items", "cold-items"):
        table = table.at_least(4)  # the threshold of these protocols depends on all values
    before = protocol.split(table)
    test = pairs(before.test.targets)
    is_test = np.array([pair in test for pair in ordered_pairs(table)])
    values = np.where(is_test, 5.0, table.values)
    users, items = table.user_ids[table.users], table.item_ids[table.items]
    after = protocol.split(Interactions.from_arrays(users, items, values, table.times))
    assert after.train == before.train
    assert after.validation.inputs == before.validation.inputs
    assert after.test.inputs == before.test.inputs


def test_ranking_protocols_keep_only_likes(table, protocol):
    split = protocol.split(table)
    tables = [split.train, split.validation.inputs, split.test.inputs, split.test.targets]
    assert all(t.is_binary for t in tables) == (protocol.name != "random-ratings")
    if protocol.name not in ("random-ratings", "leave-one-out"):
        low = {pair for pair, value in zip(ordered_pairs(table), table.values, strict=True) if value < 4}
        assert not any(pairs(t) & low for t in tables)
        assert len(protocol.split(table.likes()).train) > len(split.train), "likes have no threshold"


def test_a_split_states_the_lowest_value_of_a_like(table, protocol):
    """A refit on newer data has the same rule, whatever the values of these data."""
    published = {"temporal-users": 3.5, "leave-one-out": None, "random-ratings": None}
    split = protocol.split(table)
    assert getattr(split.protocol, "min_value", None) == published.get(protocol.name, 4.0)


def test_the_seed_determines_the_split(table, protocol):
    first, again = protocol.split(table), protocol.split(table)
    assert first.train == again.train
    assert first.test.targets == again.test.targets
    if protocol.name not in ("leave-one-out", "global-time"):  # these draw nothing
        other = type(protocol)(**{**vars(protocol), "seed": 99}).split(table)
        assert pairs(other.test.targets) != pairs(first.test.targets)


@pytest.mark.parametrize("ordered_protocol", [TemporalUsers(held_out=1), LeaveOneOut()], ids=lambda p: p.name)
def test_a_table_without_times_causes_a_warning_if_the_protocol_depends_on_them(ordered_protocol):
    table = Interactions.from_arrays(np.repeat(np.arange(9), 9), np.tile(np.arange(9), 9))
    message = "the interactions have no times, so the order of the file is used .* Fix: pass the name .* as `time`"
    with pytest.warns(UserWarning, match=message):
        ordered_protocol.split(table)


@pytest.mark.parametrize("create, message", [
    (lambda: RandomRatings(test=1.0), "expected `test` above 0 and below 1, got 1.0. Fix: pass a share, for example"),
    (lambda: OwnItems(share=0), "expected `share` above 0 and below 1, got 0"),
    (lambda: HeldOutUsers(held_out=0), "`held_out`: expected at least 1, got 0"),
    (lambda: HeldOutUsers(held_out=1.5), "`held_out`: expected an integer, got 1.5"),
    (lambda: TemporalUsers(min_items=0), "`min_items`: expected at least 1"),
    (lambda: ColdItems(share=2.0), "expected `share` above 0 and below 1, got 2.0"),
    (lambda: GlobalTime(test=1.0), "expected `test` above 0 and below 1, got 1.0"),
])  # fmt: skip
def test_an_invalid_setting_is_an_error(create, message):
    with pytest.raises(ValueError, match=message):
        create()
