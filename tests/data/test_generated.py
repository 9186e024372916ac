import numpy as np
import pytest
from kerasrec_testing.ranking_reference import ease_scores, figures, popularity_scores

from kerasrec.data import HeldOutUsers, generate


def test_the_seed_determines_the_data():
    assert generate(50, 30, seed=3) == generate(50, 30, seed=3)
    assert generate(50, 30, seed=3) != generate(50, 30, seed=4)


def test_sizes_and_ranges():
    table = generate()
    assert table.n_users == 2000
    assert table.n_items <= 500
    assert table.counts.mean() == pytest.approx(40, rel=0.05)
    assert table.counts.min() >= 5
    assert table.counts.max() <= 250
    assert set(table.values.tolist()) == {1, 2, 3, 4, 5}
    assert 0.4 < (table.values >= 4).mean() < 0.7
    assert table.row_counts.merged == 0
    assert table.in_time_order() is table, "histories are generated in time order"
    assert np.ptp(table.times) < 366 * 86_400


def test_popularity_has_a_long_tail():
    counts = np.sort(generate().item_counts)[::-1]
    assert counts[:50].sum() > 0.3 * counts.sum(), "a tenth of the items has a third of the ratings"


def taste_counts(table, entries):
    """`(n_users, n_tastes)`: the number of each user's interactions among `entries` with each taste."""
    tastes = np.array([int(title.rpartition(" ")[2]) for title in table.item_titles])
    counts = np.zeros((table.n_users, 10))
    np.add.at(counts, (table.users[entries], tastes[table.items[entries]]), 1)
    return counts


def test_tastes_determine_items_and_ratings_and_change_over_time():
    table = generate()
    counts = taste_counts(table, slice(None))
    favourite = counts.argmax(1)
    assert (counts.max(1) / counts.sum(1)).mean() > 0.3, "0.1 by chance"
    tastes = np.array([int(title.rpartition(" ")[2]) for title in table.item_titles])[table.items]
    liked = tastes == favourite[table.users]
    assert table.values[liked].mean() > table.values[~liked].mean() + 0.3

    progress = table.places / table.counts[table.users]

    def similarity(start, other_start):
        """Mean cosine between the tastes in two quarters of each history."""
        one, other = (
            taste_counts(table, (progress >= begin) & (progress < begin + 0.25)) for begin in (start, other_start)
        )
        return ((one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)).mean()

    assert similarity(0, 0.25) > similarity(0, 0.75) + 0.1, "the first quarter resembles the second more than the last"


def test_a_model_is_better_than_popularity():
    split = HeldOutUsers().split(generate())
    ease = figures(ease_scores(split.train, split.test.inputs, 200), split.test)["ndcg_100"]
    popularity = figures(popularity_scores(split.train, split.test.inputs), split.test)["ndcg_100"]
    assert ease > 1.5 * popularity


@pytest.mark.parametrize("sizes", [{"n_users": 0}, {"mean_items": 0}, {"n_items": 5}, {"n_tastes": 0}])
def test_an_invalid_size_is_an_error(sizes):
    with pytest.raises(ValueError, match="expected `n_users`, .* of at least 1 and `n_items` of at least `n_tastes`"):
        generate(**sizes)


def test_small_and_large_tables():
    assert generate(1, 10).counts.tolist() == [5]
    assert generate(3, 1, n_tastes=1).shape == (3, 1)
    table = generate(20_000, 3000)
    assert table.n_users == 20_000
    assert table.counts.mean() == pytest.approx(40, rel=0.05)
