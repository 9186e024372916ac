"""FeatureEASE against numpy, from the formulas, and on items without interactions."""

import numpy as np
import pytest
from kerasrec_testing.models import N_BLOCKS, blocks, in_own_block, scores

from kerasrec import EASE, ColdItems, FeatureEASE, Popularity, evaluate

NEW_IDS = np.array([1000, 1010, 1020, 1030])


def with_new_items():
    """The table of blocks with four new items, and the one-hot block of each item."""
    table = blocks()
    train = table.with_catalogue(np.append(table.item_ids, NEW_IDS))
    return train, np.eye(N_BLOCKS)[train.item_ids // 10 % N_BLOCKS]


def test_weights_of_new_items_are_the_regression_on_features():
    train, side = with_new_items()
    model = FeatureEASE.for_interactions(train, side=side, reg=5.0, feature_reg=2.0)
    model.fit(train, verbose=0)
    x = train.matrix.toarray()
    known = x[:, :-4]
    inverse = np.linalg.inv(known.T @ known + 5.0 * np.eye(30))
    of_known = -inverse / np.diag(inverse)
    np.fill_diagonal(of_known, 0.0)
    h = side[:-4] @ np.linalg.solve(side[:-4].T @ side[:-4] + 2.0 * np.eye(N_BLOCKS), side[-4:].T)
    of_new = h.T @ of_known @ h
    np.fill_diagonal(of_new, 0.0)
    expected = np.block([[of_known, of_known @ h], [h.T @ of_known, of_new]])
    np.testing.assert_allclose(np.array(model.kernel), expected, atol=1e-5)


def test_new_items_of_the_own_block_are_recommended():
    train, side = with_new_items()
    model = FeatureEASE.for_interactions(train, side=side, reg=5.0)
    model.fit(train, verbose=0)
    best = model.recommend(train, k=1, candidates=NEW_IDS.tolist())
    assert in_own_block(best.item_ids, train.user_ids).all()
    with pytest.raises(ValueError, match="`fit_gram`: expected a model without features"):
        model.fit_gram(np.eye(train.n_items), train.item_ids)


def test_features_are_never_lost_silently():
    train, side = with_new_items()
    model = FeatureEASE.for_interactions(train, side=side, reg=5.0)
    model.fit(train, verbose=0)
    with pytest.raises(ValueError, match="`side`: expected the features of the items, because some have no"):
        model.warm_start(train, train)
    np.testing.assert_array_equal(model.warm_start(train, train, side=side).kernel, model.kernel)
    loaded = FeatureEASE.from_config(model.get_config())
    with pytest.raises(ValueError, match="`side`: expected the features of the items, because some have no"):
        loaded.fit(train, verbose=0)
    loaded.set_side(side)
    loaded.fit(train, verbose=0)
    np.testing.assert_array_equal(loaded.kernel, model.kernel)


def test_without_features_it_is_ease():
    table = blocks()
    model, ease = FeatureEASE(table.n_items, reg=5.0), EASE(table.n_items, reg=5.0)
    for each in (model, ease):
        each.fit(table, verbose=0)
    np.testing.assert_array_equal(scores(model, table), scores(ease, table))


def test_the_penalties_are_chosen_on_cold_items():
    table = blocks()
    split = ColdItems(share=0.2, validation=0.2, seed=1).split(table)
    side = np.eye(N_BLOCKS)[table.item_ids // 10 % N_BLOCKS]
    config = FeatureEASE.config_for(split.train, split.validation, side=side)
    assert set(config.chosen) == {"reg", "feature_reg"}
    model = FeatureEASE.for_interactions(split.train, validation=split.validation, side=side)
    history = model.fit(split.train, validation_data=split.validation, verbose=0).history
    result = evaluate(model, split.validation).means
    assert history["val_ndcg_100"] == [result["ndcg_100"]]
    popularity = Popularity(table.n_items)
    popularity.fit(split.train, verbose=0)
    assert result["ndcg_100"] > 1.3 * evaluate(popularity, split.validation).means["ndcg_100"]


def test_features_of_other_items_are_refused():
    table = blocks()
    with pytest.raises(ValueError, match="`side`: expected a matrix with 30 rows, one per item .*, got .4, 3"):
        FeatureEASE.for_interactions(table, side=np.ones((4, 3)))
    with pytest.raises(ValueError, match="EASE reads no features. Fix: choose CFN"):
        EASE.for_interactions(table, side=np.ones((30, 3)))
