import numpy as np
import pytest
from kerasrec_testing.ranking_reference import ease_scores, figures, popularity_scores

from kerasrec.data import HeldOutUsers, generate


def test_same_seed_same_data():
    assert generate(50, 30, seed=3) == generate(50, 30, seed=3)
    assert generate(50, 30, seed=3) != generate(50, 30, seed=4)


def test_sizes_and_ranges():
    table = generate()
    assert table.n_users == 2000 and table.n_items <= 500
    assert table.counts.mean() == pytest.approx(40, rel=0.05)
    assert table.counts.min() >= 5 and table.counts.max() <= 250
    assert set(table.values.tolist()) == {1, 2, 3, 4, 5}
    assert 0.4 < (table.values >= 4).mean() < 0.7
    assert table.duplicates == 0
    assert table.in_time_order() is table, "histories are generated in time order"
    assert np.ptp(table.times) < 366 * 86_400


def test_popularity_has_a_long_tail():
    counts = np.sort(generate().item_counts)[::-1]
    assert counts[:50].sum() > 0.3 * counts.sum(), "a tenth of the items has a third of the ratings"


def taste_counts(table, part):
    """(user, taste) → how many of the interactions in `part`."""
    tastes = np.array([int(title.rpartition(" ")[2]) for title in table.item_titles])
    counts = np.zeros((table.n_users, 10))
    np.add.at(counts, (table.users[part], tastes[table.items[part]]), 1)
    return counts


def test_users_have_tastes_that_show_in_ratings_and_drift():
    table = generate()
    everything = taste_counts(table, slice(None))
    favourite = everything.argmax(1)
    assert (everything.max(1) / everything.sum(1)).mean() > 0.3, "against 0.1 by chance"
    tastes = np.array([int(title.rpartition(" ")[2]) for title in table.item_titles])[table.items]
    liked = tastes == favourite[table.users]
    assert table.values[liked].mean() > table.values[~liked].mean() + 0.3

    place = (np.arange(len(table)) - table.indptr[table.users]) / table.counts[table.users]

    def similarity(one, other):
        one, other = (taste_counts(table, (place >= begin) & (place < begin + 0.25)) for begin in (one, other))
        return ((one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)).mean()

    assert similarity(0, 0.25) > similarity(0, 0.75) + 0.1, "the first quarter is more like the second than the last"


def test_a_model_beats_popularity():
    split = HeldOutUsers().split(generate())
    ease = figures(ease_scores(split.train, split.test.inputs, 200), split.test)["ndcg_100"]
    popularity = figures(popularity_scores(split.train, split.test.inputs), split.test)["ndcg_100"]
    assert ease > 1.5 * popularity


@pytest.mark.parametrize("sizes", [{"n_users": 0}, {"mean_items": 0}, {"n_items": 5}, {"n_tastes": 0}])
def test_bad_sizes(sizes):
    with pytest.raises(ValueError, match="must be at least"):
        generate(**sizes)


def test_small_and_large():
    assert generate(1, 10).counts.tolist() == [5]
    assert generate(3, 1, n_tastes=1).shape == (3, 1)
    table = generate(20_000, 3000)
    assert table.n_users == 20_000 and table.counts.mean() == pytest.approx(40, rel=0.05)
