import numpy as np
import pytest
from kerasrec_testing.ranking_reference import ease_scores, figures, popularity_scores
from kerasrec_testing.tables import items_by_user, ordered_pairs

from kerasrec.data import DataError, HeldOutUsers, Interactions, TemporalUsers


def published_split(table, min_value, held_out, choose_targets):
    """Liang et al.'s preprocessing with dictionaries: training, and validation and test as user → (inputs, targets)."""
    rows = {}
    for (user, item), value in zip(ordered_pairs(table), table.values.tolist(), strict=True):
        if value >= min_value:
            rows.setdefault(user, []).append(item)
    users = np.array(sorted(user for user, items in rows.items() if len(items) >= 5))
    np.random.seed(98765)
    users = users[np.random.permutation(len(users))].tolist()
    train = {user: rows[user] for user in users[: -2 * held_out]}
    catalogue = {item for items in train.values() for item in items}
    parts = []
    for group in (users[-2 * held_out : -held_out], users[-held_out:]):
        np.random.seed(98765)
        part = {}
        for user in sorted(group):
            items = [item for item in rows[user] if item in catalogue]
            targets = choose_targets(len(items)) if len(items) >= 5 else []
            part[user] = [i for n, i in enumerate(items) if n not in targets], [items[n] for n in targets]
        parts.append(part)
    return train, *parts


@pytest.mark.parametrize("protocol", [HeldOutUsers(held_out=20), TemporalUsers(held_out=20)], ids=lambda p: p.name)
def test_the_split_equals_the_published_code(table, protocol):
    split = protocol.split(table)
    if protocol.name == "temporal-users":
        table = table.in_time_order()
        expected = published_split(table, 3.5, 20, lambda n: list(range(int((1.0 - 0.2) * n), n)))
    else:
        expected = published_split(
            table, 4, 20, lambda n: sorted(np.random.choice(n, size=int(0.2 * n), replace=False).tolist())
        )
    train, *parts = expected
    assert items_by_user(split.train) == {user: train[user] for user in sorted(train)}
    for part, published in zip((split.validation, split.test), parts, strict=True):
        assert items_by_user(part.inputs) == {user: rows[0] for user, rows in published.items()}
        assert items_by_user(part.targets) == {user: rows[1] for user, rows in published.items()}


def test_a_tenth_of_the_users_is_held_out_by_default(table):
    split = HeldOutUsers().split(table)
    held_out = split.test.inputs.n_users
    assert split.protocol.held_out == held_out == (split.train.n_users + 2 * held_out) // 10


@pytest.mark.parametrize("protocol, message", [
    (HeldOutUsers(held_out=80), r"160 users, 80 each .*, got \d+\. Fix: lower `held_out`, `min_items` \(5\)"),
    (HeldOutUsers(min_items=100), r", got 0\. Fix: lower `min_items` \(100\) or `min_value` \(4\.0\)$"),
    (HeldOutUsers(min_value=6), r"^expected likes \(value >= 6\), got a maximum of 5\. Fix: lower `min_value`$"),
])  # fmt: skip
def test_too_few_users_or_likes_are_an_error(table, protocol, message):
    with pytest.raises(DataError, match=message):
        protocol.split(table)


def test_two_users_are_too_few():
    users, items = np.repeat([1, 2, 3], [5, 5, 4]), np.arange(14)
    message = "held-out-users: expected more than 2 users, 1 each for validation and test, got 2. Fix: lower `min_"
    with pytest.raises(DataError, match=message):
        HeldOutUsers().split(Interactions.from_arrays(users, items))


@pytest.mark.realdata
def test_sizes_and_metrics_of_movielens_1m(ml_1m):
    likes = ml_1m.at_least(4).core(users=5)
    assert (len(likes), *likes.shape) == (575_272, 6_034, 3_533)
    split = HeldOutUsers(held_out=500).split(ml_1m)
    assert split.train.shape == (5_034, 3_502)
    ease = figures(ease_scores(split.train, split.test.inputs, 500), split.test)
    assert ease == pytest.approx({"ndcg_100": 0.4231, "recall_20": 0.3606, "recall_50": 0.4767}, abs=5e-4)
    popularity = figures(popularity_scores(split.train, split.test.inputs), split.test)
    assert popularity == pytest.approx({"ndcg_100": 0.2105, "recall_20": 0.1613, "recall_50": 0.2332}, abs=5e-4)
