"""CDAE against numpy, from the paper's formulas, and the nodes of known and unknown users."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import N_ITEMS, N_USERS, blocks, fitted, held_out, scores, table_for

from kerasrec import CDAE, HeldOut, Interactions, batches

SETTINGS = {
    "logistic": {},
    "square": {"objective": "square", "output_activation": "sigmoid"},
    "linear": {"objective": "square", "activation": None},
    "untied": {"tied": False},
    "without users": {"user_node": False},
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(weight):
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float64)


def with_random_weights(table, **arguments):
    """A model whose weights all differ from 0."""
    model = CDAE.for_interactions(table, **{"latent_dim": 5, "reg": 0.3, "seed": 1, **arguments})
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(scale=0.3, size=w.shape) for w in model.get_weights()])
    return model


def numpy_scores(model, x, nodes):
    """f_u of each row."""
    code = x @ array(model.kernel) + nodes + array(model.hidden_bias)
    code = code if model.activation is None else sigmoid(code)
    f = code @ array(model.output_kernel).T + array(model.bias)
    return f if model.output_activation is None else sigmoid(f)


@pytest.mark.parametrize("negatives", [1, 5, None])
@pytest.mark.parametrize("name", SETTINGS)
def test_scores_and_loss_are_the_formula(name, negatives):
    table = blocks()
    model = with_random_weights(table, negatives=negatives, **SETTINGS[name])
    x = table.matrix.toarray().astype(np.float64)
    nodes = array(model.nodes) if model.user_node else np.zeros((1, 5))
    f = numpy_scores(model, x, nodes)
    np.testing.assert_allclose(scores(model, table), f, atol=1e-5)

    entry = 0.5 * (x - f) ** 2 if model.objective == "square" else np.log(1 + np.exp(f)) - x * f
    likes = x.sum(1, keepdims=True)
    odds = np.ones_like(x) if negatives is None else np.minimum(1, negatives * likes / (N_ITEMS - likes))
    rows = (np.where(x > 0, 1, odds) * entry).sum(1) + 0.15 * (nodes**2).sum(1)
    others = [model.kernel, model.hidden_bias, model.bias, *([] if model.tied else [model.output_kernel])]
    expected = rows.mean() + 0.15 * sum((array(w) ** 2).sum() for w in others)
    batch = model.batches(table, N_USERS)[0][0]
    assert float(model.compute_loss(batch, None, model(batch), training=False)) == pytest.approx(expected, rel=1e-5)
    assert len(model.trainable_weights) == 3 + model.user_node + (not model.tied)


def test_five_unseen_negatives_per_like_are_drawn_anew_in_each_row_and_step():
    model = CDAE(1000, 10, seed=1)
    likes = np.zeros((200, 1000), np.float32)
    for row in likes:
        row[:20] = 1
    first, second = (array(model.loss_weights(likes)) for _ in range(2))
    assert (first[:, :20] == 1).all()
    drawn = first[:, 20:]
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn.sum(1).mean() == pytest.approx(100, abs=3)  # standard error 0.7
    assert drawn.mean(0).std() == pytest.approx(np.sqrt(0.102 * 0.898 / 200), rel=0.2)  # all items are equally likely
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(first, second)
    assert (array(model.loss_weights(np.ones((1, 1000), np.float32))) == 1).all()  # no unseen item: no 0 / 0
    assert array(model.loss_weights(np.zeros((1, 1000), np.float32))).sum() == 0


def test_entries_outside_the_sample_have_no_gradient():
    table = blocks()
    model = with_random_weights(table, reg=0.0, negatives=1, dropout=0.0)
    x = {"ids": np.array([[0, 3]], np.int32), "row": np.array([4], np.int32)}
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, None, model(x))
    has_gradient = tape.gradient(loss, model.bias.value).numpy() != 0
    assert has_gradient[[0, 3]].all()
    assert 2 < has_gradient.sum() < 12


def test_dropout_masks_likes_and_scales_the_others_in_training_only():
    model = CDAE(2000, 3, dropout=0.2, seed=1)
    row = np.ones((1, 2000), np.float32)
    corrupted = array(model.corrupt(row, training=True))
    assert set(np.round(np.unique(corrupted), 4)) == {0.0, 1.25}
    assert (corrupted == 0).mean() == pytest.approx(0.2, abs=0.04)
    np.testing.assert_array_equal(model.corrupt(row, training=False), row)


def test_unknown_users_have_a_node_of_0_and_only_nodes_of_the_batch_are_updated():
    table = blocks()
    model = with_random_weights(table)
    x = {"ids": np.array([[1, 2], [1, 2], [1, 2]], np.int32), "row": np.array([-1, 7, 0], np.int32)}
    dense = np.zeros((3, N_ITEMS))
    dense[:, [1, 2]] = 1
    nodes = np.stack([np.zeros(5), array(model.nodes)[7], array(model.nodes)[0]])
    np.testing.assert_allclose(model(x), numpy_scores(model, dense, nodes), atol=1e-5)
    np.testing.assert_allclose(model(dense)[1], model(x)[0], atol=1e-6)  # a dense row has no user

    before = array(model.nodes)
    model.compile("sgd")
    rows = np.where(np.arange(N_USERS) < 3, np.arange(N_USERS), -1)
    model.fit(batches(table, rows=rows), shuffle=False, verbose=0)
    moved = np.abs(array(model.nodes) - before).max(1) > 0
    assert moved.tolist() == [True] * 3 + [False] * (N_USERS - 3)


def test_recommend_finds_users_by_id_in_the_training_table():
    table = table_for("cdae")
    model = fitted("cdae", table)
    expected = model.recommend(table, k=5)
    subset = table.take_users([40, 3, 17])
    lists = model.recommend(subset, k=5, train=table)
    np.testing.assert_array_equal(lists.item_ids, expected.item_ids[[40, 3, 17]])
    np.testing.assert_allclose(lists.scores, expected.scores[[40, 3, 17]], atol=1e-5)
    for histories in (subset, table):
        lists = model.recommend(histories, k=5, users=[3], train=table)
        np.testing.assert_allclose(lists.scores[0], expected.scores[3], atol=1e-5)
    np.testing.assert_allclose(model.recommend(table, k=5, users=[3]).scores[0], expected.scores[3], atol=1e-5)

    items = table.item_ids[table.row(3)].tolist()
    histories = Interactions.from_histories([items, items], table, user_ids=[3, 40])
    lists = model.recommend(histories, k=5, train=table)
    np.testing.assert_allclose(lists.scores[0], expected.scores[3], atol=1e-5)
    assert np.abs(lists.scores[1] - lists.scores[0]).max() > 1e-3
    unknown = Interactions.from_histories([items] * 2, table)  # ids outside the training table
    lists = model.recommend(unknown, k=5, train=table)
    x = {"ids": np.array([table.row(3)]), "row": np.array([-1])}
    unseen = np.setdiff1d(np.arange(N_ITEMS), table.row(3))
    best = np.sort(np.asarray(model(x))[0, unseen])[::-1][:5]
    np.testing.assert_allclose(lists.scores, [best, best], atol=1e-5)


def test_tables_with_other_users_are_refused():
    table = table_for("cdae")
    model = fitted("cdae", table)
    known = Interactions.from_histories([[10]], table)
    with pytest.raises(
        ValueError, match="this CDAE has weights for 90 users, and the table has 1. Fix: pass the training table"
    ):
        model.recommend(known)
    few = CDAE.for_interactions(table.take_users(np.arange(50)), latent_dim=8)
    few.compile()
    with pytest.raises(ValueError, match="the table has 90 users, and this CDAE has weights for 50"):
        few.fit(table, verbose=0)
    without = fitted("cdae without users", table)
    assert without.serving_inputs == ("history",)
    assert without.recommend(known, k=3).item_ids.shape == (1, 3)


def test_row_minus_1_is_an_unknown_user():
    table = table_for("cdae")
    model = fitted("cdae", table)
    part = held_out(table)
    known, unknown = (scores(model, HeldOut(part.inputs, rows=rows)) for rows in (None, np.full(N_USERS, -1)))
    assert np.abs(known - unknown).max() > 1e-3
    np.testing.assert_allclose(unknown, model.predict(part.inputs.matrix.toarray(), verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objective": "hinge"}, "`objective`: expected one of logistic, square, got 'hinge'"),
        (
            {"output_activation": "sigmoid"},
            "`output_activation`: expected None with the logistic objective, got 'sigmoid'",
        ),
        ({"negatives": 0}, "`negatives`: expected at least 1"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        CDAE(5, 5, **arguments)
