"""FeatureVAE against numpy, from its formulas, and on items without interactions."""

import numpy as np
import pytest
from keras import ops
from kerasrec_testing.models import N_BLOCKS, blocks, in_own_block, scores

from kerasrec import ColdItems, FeatureVAE, MultVAE, evaluate

SETTINGS = {"hidden_dims": (16,), "latent_dim": 6, "seed": 1}


def array(weight):
    return ops.convert_to_numpy(weight)


def with_new_items():
    """The table of blocks with four new items, and the one-hot block of each item."""
    table = blocks()
    train = table.with_catalogue(np.append(table.item_ids, [1000, 1010, 1020, 1030]))
    return train, np.eye(N_BLOCKS, dtype=np.float32)[train.item_ids // 10 % N_BLOCKS]


def test_scores_are_the_formula():
    train, side = with_new_items()
    model = FeatureVAE.for_interactions(train, side=side, **SETTINGS)
    own = np.append(np.ones(30), np.zeros(4))
    x = train.matrix.toarray()[:5]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    first, decoder, last = model.encoder[0], model.decoder[0], model.logits
    hidden = np.tanh((x * own) @ array(first.kernel) + array(first.bias) + x @ side @ array(model.of_features.kernel))
    code = hidden @ array(model.mean.kernel) + array(model.mean.bias)
    h = np.tanh(code @ array(decoder.kernel) + array(decoder.bias))
    by_features = (h @ array(model.to_features.kernel) + array(model.to_features.bias)) @ side.T
    expected = own * (h @ array(last.kernel) + array(last.bias)) + by_features
    np.testing.assert_allclose(scores(model, train.take_users(range(5))), expected, atol=1e-5)


def test_training_leaves_new_items_out_and_drops_the_own_weights_of_others():
    train, side = with_new_items()
    model = FeatureVAE.for_interactions(train, side=side, item_dropout=0.5, **SETTINGS)
    hidden = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    logits = array(model.output_logits(hidden, training=True))
    own = array(model.logits(hidden))
    by_features = (hidden @ array(model.to_features.kernel) + array(model.to_features.bias)) @ side.T
    assert (logits[:, 30:] == -1e9).all()
    dropped = np.isclose(logits[:, :30], by_features[:, :30], atol=1e-5)
    assert (dropped.all(axis=0) == dropped.any(axis=0)).all() and 3 < dropped[0].sum() < 27
    np.testing.assert_allclose(logits[:, :30][~dropped], (own + by_features)[:, :30][~dropped], atol=1e-5)


def test_new_items_of_the_own_block_are_recommended_and_validated():
    table = blocks()
    split = ColdItems(share=0.2, validation=0.2, seed=1).split(table)
    side = np.eye(N_BLOCKS)[table.item_ids // 10 % N_BLOCKS]
    model = FeatureVAE.for_interactions(split.train, 20, 16, side=side, **SETTINGS)
    model.compile()
    model.optimizer.learning_rate = 0.01
    history = model.fit(split.train, epochs=20, batch_size=16, validation_data=split.validation, verbose=0).history
    assert history["val_ndcg_100"][-1] == evaluate(model, split.validation).means["ndcg_100"]
    cold = split.train.item_ids[split.test.candidates].tolist()
    best = model.recommend(split.train, k=1, candidates=cold)
    has_targets = split.test.targets.counts > 0  # the test items are of two blocks
    assert in_own_block(best.item_ids, split.train.user_ids)[has_targets].mean() > 0.9


def test_without_features_it_is_mult_vae():
    table = blocks()
    model, plain = FeatureVAE(table.n_items, **SETTINGS), MultVAE(table.n_items, **SETTINGS)
    np.testing.assert_array_equal(scores(model, table), scores(plain, table))
    with pytest.raises(ValueError, match="`side`: expected a model with `side_shape`"):
        model.set_side(np.ones((30, 3)))
    with pytest.raises(ValueError, match="`item_dropout`: expected a number from 0 to below 1, got 1"):
        FeatureVAE(table.n_items, item_dropout=1.0)
