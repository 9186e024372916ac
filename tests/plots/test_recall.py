"""The means of the groups average to the recall of all, and rating models are refused."""

import dataclasses

import numpy as np
import pytest

from kerasrec import AutoRec, RandomRatings, evaluate, generate, plots
from kerasrec.plots.recall import explained_fall, grouped


def test_recall_by_popularity_averages_to_the_share_of_hits(models, split, lines):
    figure = plots.recall_by_popularity(models, split, k=10, n_groups=3)
    assert len(figure.axes[0].get_xticklabels()) == 3
    targets = split.test.targets
    lists = models["EASE"].recommend(split.test.inputs, k=10).item_ids
    hits = [item in lists[user] for user, item in zip(targets.users, targets.item_ids[targets.items], strict=True)]
    groups, ranges = grouped(split.train.item_counts[targets.items], 3)
    assert ranges[0][0] < ranges[-1][0]
    means = lines(figure.axes[0])[0]
    assert means == pytest.approx([np.mean(np.array(hits)[groups == g]) for g in range(3)])


def test_items_that_are_no_candidates_are_in_no_list(models, split, lines):
    few = split.test.targets.items[:5]
    test = dataclasses.replace(split.test, candidates=np.unique(few))
    hits = lines(plots.recall_by_popularity(models, dataclasses.replace(split, test=test), k=5, n_groups=1).axes[0])[0]
    is_candidate = np.isin(split.test.targets.items, few)
    assert hits == pytest.approx([is_candidate.mean()])


def test_recall_by_history_length_averages_to_recall(models, split, lines):
    figure = plots.recall_by_history_length(models, split, k=10, n_groups=3)
    measured = split.test.targets.counts > 0
    groups, _ = grouped(split.test.inputs.counts[measured], 3)
    means = lines(figure.axes[0])[0]
    recall = evaluate(models["EASE"], split.test, ["recall_10"]).means["recall_10"]
    assert np.average(means, weights=np.bincount(groups)) == pytest.approx(recall)


def test_a_fall_of_capped_recall_is_explained():
    recall, divisors, groups = np.array([1.0, 1.0, 0.5, 0.6]), np.array([2, 2, 20, 10]), np.array([0, 0, 1, 1])
    note = explained_fall("EASE", recall, divisors, groups)
    assert "The curve of EASE falls although its lists have more hits (2.0 → 8.0 per user)" in note
    assert explained_fall("EASE", recall[::-1], divisors, groups) == ""  # it rises
    assert explained_fall("EASE", recall, np.full(4, 5), groups) == ""  # fewer hits


def test_equal_values_are_in_one_group():
    groups, ranges = grouped(np.array([1, 1, 1, 1, 2, 9]), 3)
    assert groups.tolist() == [0, 0, 0, 0, 1, 1]
    assert ranges == [(1, 1), (2, 9)]


@pytest.mark.parametrize("draw", [plots.recall_by_popularity, plots.recall_by_history_length])
def test_rating_models_have_no_recall(draw):
    split = RandomRatings().split(generate(n_users=60, n_items=30, seed=3))
    model = AutoRec.for_interactions(split.train, rows="users", hidden_dims=(8,), seed=1)
    with pytest.raises(plots.NotApplicableError, match="AutoRec predicts ratings"):
        draw({"AutoRec": model}, split)
