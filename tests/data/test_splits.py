import json

import numpy as np
import pytest
from kerasrec_testing.ranking_reference import ease_scores, figures, popularity_scores

from kerasrec.data import (
    PROTOCOLS,
    DataError,
    HeldOutUsers,
    Interactions,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    Split,
    TemporalUsers,
    generate,
    read,
)

ALL = [
    RandomRatings(seed=1),
    HeldOutUsers(held_out=20),
    OwnItems(seed=1),
    TemporalUsers(held_out=20),
    LeaveOneOut(),
]


def name(protocol):
    return getattr(protocol, "name", None)


def pairs(table):
    """The (user id, item id) pairs of a table."""
    ids = zip(table.user_ids[table.users].tolist(), table.item_ids[table.items].tolist(), strict=True)
    return set(ids)


@pytest.fixture(scope="module", params=range(3))
def table(request):
    """150 users, 60 items, some of them rare; ids that are no positions; few distinct times."""
    rng = np.random.default_rng(request.param)
    x = generate(150, 60, mean_items=12, seed=request.param)
    return Interactions.from_arrays(
        x.user_ids[x.users] * 11 + 5,
        [f"i{item}" for item in x.item_ids[x.items]],
        x.values,
        rng.integers(0, 6, len(x)),
        {f"i{item}": f"Item {item}" for item in range(1, 61)},
    )


def test_protocols_by_name():
    assert {p: PROTOCOLS[p].name for p in PROTOCOLS} == {p: p for p in PROTOCOLS}
    assert list(PROTOCOLS) == ["random-ratings", "held-out-users", "own-items", "temporal-users", "leave-one-out"]


@pytest.mark.parametrize("protocol", ALL, ids=name)
def test_nothing_leaks(table, protocol):
    split = protocol.split(table)
    known = pairs(split.train)
    assert len(split.train) and len(split.validation.targets) and len(split.test.targets)
    for part in (split.validation, split.test):
        inputs, targets = pairs(part.inputs), pairs(part.targets)
        assert not inputs & targets
        assert not known & targets
        assert inputs | targets <= pairs(table)
        assert part.inputs.shape == part.targets.shape
        assert part.inputs.user_ids.tolist() == part.targets.user_ids.tolist()
        for other in (part.inputs, part.targets):
            assert other.item_ids.tolist() == split.train.item_ids.tolist()
            assert other.item_titles.tolist() == [f"Item {i[1:]}" for i in other.item_ids]
    assert not pairs(split.test.targets) & (pairs(split.validation.inputs) | pairs(split.validation.targets))


@pytest.mark.parametrize("protocol", ALL, ids=name)
def test_rows_say_whether_a_user_was_trained_on(table, protocol):
    split = protocol.split(table)
    for part in (split.validation, split.test):
        rows = np.arange(part.inputs.n_users) if part.rows is None else part.rows
        strangers = protocol.name in ("held-out-users", "temporal-users")
        assert len(rows) == part.inputs.n_users
        assert (rows == -1).all() == strangers
        trained = set(split.train.user_ids.tolist())
        assert all((user in trained) != strangers for user in part.inputs.user_ids.tolist())
        if not strangers:
            assert split.train.user_ids[rows].tolist() == part.inputs.user_ids.tolist()


@pytest.mark.parametrize("protocol", ALL, ids=name)
def test_changed_test_values_change_nothing_a_model_sees(table, protocol):
    if protocol.name in ("held-out-users", "temporal-users", "own-items"):
        table = table.at_least(4)  # their threshold looks at all values
    before = protocol.split(table)
    test = pairs(before.test.targets)
    users, items = table.user_ids[table.users], table.item_ids[table.items]
    is_test = np.array([pair in test for pair in zip(users.tolist(), items.tolist(), strict=True)])
    values = np.where(is_test, 5.0, table.values)
    after = protocol.split(Interactions.from_arrays(users, items, values, table.times))
    assert after.train == before.train
    assert after.validation.inputs == before.validation.inputs and after.test.inputs == before.test.inputs


@pytest.mark.parametrize("protocol", ALL, ids=name)
def test_rankings_are_of_likes(table, protocol):
    split = protocol.split(table)
    tables = [split.train, split.validation.inputs, split.test.inputs, split.test.targets]
    assert all(t.is_binary for t in tables) == (protocol.name != "random-ratings")
    if protocol.name not in ("random-ratings", "leave-one-out"):
        low = {pair for pair, value in zip(_ordered_pairs(table), table.values, strict=True) if value < 4}
        assert not any(pairs(t) & low for t in tables)
        assert len(protocol.split(table.likes()).train) > len(split.train), "likes have no threshold to pass"


def _ordered_pairs(table):
    return list(zip(table.user_ids[table.users].tolist(), table.item_ids[table.items].tolist(), strict=True))


@pytest.mark.parametrize("protocol", ALL, ids=name)
def test_same_seed_same_split_and_other_seed_another(table, protocol):
    again = protocol.split(table)
    first = protocol.split(table)
    assert first.train == again.train and first.test.targets == again.test.targets
    if protocol != LeaveOneOut():
        other = type(protocol)(**{**vars(protocol), "seed": 99}).split(table)
        assert pairs(other.test.targets) != pairs(first.test.targets)


# ---- each protocol against a loop ------------------------------------------------------------


def published_users(table, min_value, held_out, choose):
    """Liang et al.'s preprocessing with dictionaries: (train, validation, test) of user → items or (fold-in, asked)."""
    rows = {}
    for (user, item), value in zip(_ordered_pairs(table), table.values.tolist(), strict=True):
        if value >= min_value:
            rows.setdefault(user, []).append(item)
    users = np.array(sorted(user for user, items in rows.items() if len(items) >= 5))
    np.random.seed(98765)
    users = users[np.random.permutation(len(users))].tolist()
    train = {user: rows[user] for user in users[: -2 * held_out]}
    known = {item for items in train.values() for item in items}
    parts = []
    for group in (users[-2 * held_out : -held_out], users[-held_out:]):
        np.random.seed(98765)
        part = {}
        for user in sorted(group):
            items = [item for item in rows[user] if item in known]
            asked = choose(len(items)) if len(items) >= 5 else []
            part[user] = [i for n, i in enumerate(items) if n not in asked], [items[n] for n in asked]
        parts.append(part)
    return train, *parts


def as_rows(table):
    return {user: table.item_ids[table.row(n)].tolist() for n, user in enumerate(table.user_ids.tolist())}


@pytest.mark.parametrize("protocol", [HeldOutUsers(held_out=20), TemporalUsers(held_out=20)], ids=name)
def test_held_out_users_as_published(table, protocol):
    if protocol.name == "temporal-users":
        split = protocol.split(table)
        table = table.in_time_order()
        expected = published_users(table, 3.5, 20, lambda n: list(range(int((1.0 - 0.2) * n), n)))
    else:
        split = protocol.split(table)
        expected = published_users(
            table, 4, 20, lambda n: sorted(np.random.choice(n, size=int(0.2 * n), replace=False).tolist())
        )
    train, *parts = expected
    assert as_rows(split.train) == {user: train[user] for user in sorted(train)}
    for part, published in zip((split.validation, split.test), parts, strict=True):
        assert as_rows(part.inputs) == {user: rows[0] for user, rows in published.items()}
        assert as_rows(part.targets) == {user: rows[1] for user, rows in published.items()}


def test_a_tenth_of_the_users_is_held_out_by_default(table):
    split = HeldOutUsers().split(table)
    held_out = split.test.inputs.n_users
    assert split.protocol.held_out == held_out == (split.train.n_users + 2 * held_out) // 10


@pytest.mark.parametrize("protocol", [TemporalUsers(held_out=1), LeaveOneOut()])
def test_what_has_no_times_is_taken_as_it_comes_and_it_is_said(protocol):
    table = Interactions.from_arrays(np.repeat(np.arange(9), 9), np.tile(np.arange(9), 9))
    with pytest.warns(UserWarning, match="the interactions have no times, so the order of the file"):
        protocol.split(table)


def test_temporal_users_bounds():
    users = np.repeat(np.arange(12), [4, *[6] * 10, 9])
    items = np.concatenate([np.arange(n) for n in [4, *[6] * 10, 9]])
    table = Interactions.from_arrays(users, items)
    everyone = TemporalUsers(held_out=1).split(table)
    assert everyone.train.n_users == 9, "the user with 4 items is left out"
    assert TemporalUsers(held_out=1, max_items=8).split(table).train.n_users == 8


def test_random_ratings(table):
    split = RandomRatings(test=0.2, validation=0.25, seed=5).split(table)
    n = len(table)
    assert len(split.test.targets) == round(0.2 * n)
    assert len(split.validation.targets) == round(0.25 * (n - round(0.2 * n)))
    assert pairs(split.train) | pairs(split.validation.targets) | pairs(split.test.targets) == pairs(table)
    assert split.train.shape == table.shape, "users and items without a training rating stay"
    assert split.test.inputs is split.train and split.validation.inputs is split.train
    dense = table.matrix.toarray()
    assert (split.test.targets.matrix.toarray()[split.test.targets.matrix.toarray() > 0]
            == dense[split.test.targets.matrix.toarray() > 0]).all()  # fmt: skip


def test_own_items(table):
    split = OwnItems(seed=3).split(table)
    core = table.at_least(4).core(5, 5)
    assert split.train.user_ids.tolist() == core.user_ids.tolist()
    assert split.validation.inputs is split.train
    seen = as_rows(split.train), as_rows(split.validation.targets), as_rows(split.test.inputs)
    for user, items in seen[2].items():
        assert sorted(items) == sorted(seen[0][user] + seen[1][user])
    unknown = len(set(core.item_ids.tolist()) - set(split.train.item_ids.tolist()))
    n_test = (0.2 * core.counts).astype(int)
    n_validation = (0.1 * (core.counts - n_test)).astype(int)
    assert (split.train.counts == core.counts - n_test - n_validation).all()
    if not unknown:
        assert (split.test.targets.counts == n_test).all() and (split.validation.targets.counts == n_validation).all()


def test_own_items_are_a_fair_draw():
    """Each place of a history is held out about as often as any other."""
    table = Interactions.from_arrays(np.repeat(np.arange(3000), 10), np.tile(np.arange(10), 3000))
    share = OwnItems().split(table).test.targets.item_counts / 3000
    assert share == pytest.approx(0.2, abs=0.03)


def test_leave_one_out(table):
    split = LeaveOneOut().split(table)
    rows = as_rows(table.in_time_order())
    known = {item for items in as_rows(split.train).values() for item in items}
    for user, items in rows.items():
        long = len(items) >= 3
        assert as_rows(split.train)[user] == (items[:-2] if long else items)
        assert as_rows(split.validation.targets)[user] == [i for i in items[-2:-1] if long and i in known]
        assert as_rows(split.test.targets)[user] == [i for i in items[-1:] if long and i in known]
        assert as_rows(split.test.inputs)[user] == [i for i in (items[:-1] if long else items) if i in known]


def test_leave_one_out_of_short_and_untimed_histories():
    table = Interactions.from_arrays([1, 1, 1, 1, 2, 2, 3, 3, 3], [5, 3, 4, 6, 3, 4, 6, 5, 3])
    split = LeaveOneOut().split(table)
    assert as_rows(split.train) == {1: [5, 3], 2: [3, 4], 3: [6]}
    assert as_rows(split.validation.targets) == {1: [4], 2: [], 3: [5]}
    assert as_rows(split.test.targets) == {1: [6], 2: [], 3: [3]}
    assert as_rows(split.test.inputs) == {1: [5, 3, 4], 2: [3, 4], 3: [6, 5]}


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol, message", [
    (HeldOutUsers(held_out=80), "held-out-users: .* are too few to hold out 80 for .* 80 for test: lower `held_out`$"),
    (TemporalUsers(), "temporal-users: .* users are too few to hold out 750 .*: lower `held_out`$"),
    (HeldOutUsers(min_items=100), r"users: 0 users .* 1 for test: lower `min_items` \(100\) or `min_value` \(4\)$"),
    (TemporalUsers(min_items=100), r"users: 0 users .*: lower `min_items` \(100\) or `min_value` \(3\.5\)$"),
    (TemporalUsers(max_items=4), r"users: 0 users .*: lower `min_items` \(5\) .*, or raise `max_items` \(4\)$"),
    (HeldOutUsers(min_value=6), "no value is 6 or more, the highest is 5: lower `min_value`"),
    (OwnItems(min_items=100), "own-items: no users and items have 100 of each other: lower `min_items`"),
    (RandomRatings(test=1e-9), "random-ratings: .* ratings are too few"),
])  # fmt: skip
def test_impossible_splits(table, protocol, message):
    with pytest.raises(DataError, match=message):
        protocol.split(table)


def test_two_users_cannot_be_held_apart():
    users, items = np.repeat([1, 2, 3], [5, 5, 4]), np.arange(14)
    with pytest.raises(DataError, match="2 users are too few to hold out 1 for .*: lower `min_items`"):
        HeldOutUsers().split(Interactions.from_arrays(users, items))


def test_nothing_to_leave_out():
    with pytest.raises(DataError, match="leave-one-out: no user has 3 items"):
        LeaveOneOut().split(Interactions.from_arrays([1, 1, 2], [1, 2, 1]))


@pytest.mark.parametrize("make, message", [
    (lambda: RandomRatings(test=1.0), "`test` must be a share between 0 and 1, not 1.0"),
    (lambda: OwnItems(share=0), "`share` must be a share"),
    (lambda: HeldOutUsers(held_out=0), "`held_out`: expected at least 1, got 0"),
    (lambda: HeldOutUsers(held_out=1.5), "`held_out`: expected an integer, got 1.5"),
    (lambda: TemporalUsers(min_items=0), "`min_items`: expected at least 1"),
])  # fmt: skip
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- what a split tells and keeps -----------------------------------------------------------


def test_describe(table):
    text = HeldOutUsers(held_out=20).split(table).describe()
    first, train, validation, test = text.splitlines()
    assert first == "protocol held-out-users (held_out=20, seed=98765, min_value=4.0, min_items=5, share=0.2)"
    assert train.startswith("train ") and validation.startswith("validation 20 users") and "held out of" in test
    assert LeaveOneOut().split(table).describe().startswith("protocol leave-one-out\n")
    assert text in repr(HeldOutUsers(held_out=20).split(table))


@pytest.mark.parametrize("protocol", ALL, ids=name)
def test_save_and_load(tmp_path, table, protocol):
    split = protocol.split(table)
    split.save(tmp_path / "new" / "split")
    split.save(tmp_path / "new" / "split")  # over itself
    loaded = Split.load(tmp_path / "new" / "split")
    assert loaded.protocol == split.protocol and loaded.sizes == split.sizes
    assert loaded.train == split.train
    assert loaded.train.item_titles.tolist() == split.train.item_titles.tolist()
    for before, after in ((split.validation, loaded.validation), (split.test, loaded.test)):
        assert after.inputs == before.inputs and after.targets == before.targets
        assert (after.inputs is loaded.train) == (before.inputs is split.train), "a shared table is kept once"
        assert np.array_equal(after.rows, before.rows)
    told = json.loads((tmp_path / "new" / "split" / "split.json").read_text())
    assert told["sizes"] == split.sizes and told["protocol"]["name"] == protocol.name
    assert sorted(p.name for p in (tmp_path / "new" / "split").iterdir()) == ["split.json", "split.npz"]


def test_numbers_of_numpy_are_saved(tmp_path, table):
    protocol = HeldOutUsers(held_out=np.int64(3), share=np.float64(0.3), min_items=2, seed=np.int64(4))
    made = protocol.split(table)
    made.save(tmp_path / "split")
    assert Split.load(tmp_path / "split").protocol == protocol


def test_an_interrupted_save_leaves_the_old_split(tmp_path, table, monkeypatch):
    old = LeaveOneOut().split(table)
    old.save(tmp_path)

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        OwnItems().split(table).save(tmp_path)
    assert Split.load(tmp_path).protocol == old.protocol
    assert sorted(p.name for p in tmp_path.iterdir()) == ["split.json", "split.npz"]


def test_loading_what_is_not_there_or_damaged(tmp_path):
    with pytest.raises(DataError, match="no split in .*: write one there with `Split.save`"):
        Split.load(tmp_path)
    (tmp_path / "split.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"split\.npz is damaged"):
        Split.load(tmp_path)


# ---- published sizes and figures ------------------------------------------------------------


@pytest.fixture(scope="module")
def ml_1m(data_dir):
    return read(data_dir / "ml-1m")


@pytest.mark.realdata
def test_held_out_users_of_movielens_1m(ml_1m):
    kept = ml_1m.at_least(4).core(users=5)
    assert (len(kept), *kept.shape) == (575_272, 6_034, 3_533)
    split = HeldOutUsers(held_out=500).split(ml_1m)
    assert split.train.shape == (5_034, 3_502)
    ease = figures(ease_scores(split.train, split.test.inputs, 500), split.test)
    assert ease == pytest.approx({"ndcg_100": 0.4231, "recall_20": 0.3606, "recall_50": 0.4767}, abs=5e-4)
    popularity = figures(popularity_scores(split.train, split.test.inputs), split.test)
    assert popularity == pytest.approx({"ndcg_100": 0.2105, "recall_20": 0.1613, "recall_50": 0.2332}, abs=5e-4)


@pytest.mark.realdata
def test_temporal_users_of_movielens_1m(ml_1m):
    """Sizes of all five tables in the authors' notebook."""
    assert TemporalUsers().split(ml_1m).sizes == {
        "users": 4_534, "items": 3_483, "interactions": 435_180,
        "validation_users": 750, "validation_inputs": 56_578, "validation_targets": 14_500,
        "test_users": 750, "test_inputs": 54_859, "test_targets": 14_097,
    }  # fmt: skip
