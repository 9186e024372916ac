"""CDAE against numpy, written from its paper's formulas, and whose node is whose."""

import keras
import numpy as np
import pytest
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


def made(table, **arguments):
    """A model all of whose weights differ from 0."""
    model = CDAE.for_interactions(table, **{"latent_dim": 5, "reg": 0.3, "seed": 1, **arguments})
    model.build()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(scale=0.3, size=w.shape) for w in model.get_weights()])
    return model


def by_hand(model, x, nodes):
    """f_u of each row."""
    code = x @ array(model.kernel) + nodes + array(model.hidden_bias)
    code = code if model.activation is None else sigmoid(code)
    f = code @ array(model.output_kernel).T + array(model.bias)
    return f if model.output_activation is None else sigmoid(f)


@pytest.mark.parametrize("negatives", [1, 5, None])
@pytest.mark.parametrize("name", SETTINGS)
def test_scores_and_loss_are_the_formula(name, negatives):
    table = blocks()
    model = made(table, negatives=negatives, **SETTINGS[name])
    x = table.matrix.toarray().astype(np.float64)
    nodes = array(model.nodes) if model.user_node else np.zeros((1, 5))
    f = by_hand(model, x, nodes)
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


def test_negatives_are_unseen_and_five_a_like_and_new_in_each_row_and_step():
    model = CDAE(1000, 10, seed=1)
    likes = np.zeros((200, 1000), np.float32)
    for row in likes:
        row[:20] = 1
    first, second = (array(model.in_loss(likes)) for _ in range(2))
    assert (first[:, :20] == 1).all()
    drawn = first[:, 20:]
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn.sum(1).mean() == pytest.approx(100, abs=3)  # standard error 0.7
    assert drawn.mean(0).std() == pytest.approx(np.sqrt(0.102 * 0.898 / 200), rel=0.2)  # every item alike
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(first, second)
    assert (array(model.in_loss(np.ones((1, 1000), np.float32))) == 1).all()  # nothing unseen: no 0 / 0
    assert array(model.in_loss(np.zeros((1, 1000), np.float32))).sum() == 0


def test_entries_outside_the_sample_have_no_gradient():
    import tensorflow as tf

    table = blocks()
    model = made(table, reg=0.0, negatives=1, dropout=0.0)
    x = {"ids": np.array([[0, 3]], np.int32), "row": np.array([4], np.int32)}
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, None, model(x))
    in_loss = tape.gradient(loss, model.bias.value).numpy() != 0
    assert in_loss[[0, 3]].all()
    assert 2 < in_loss.sum() < 12


def test_corruption_masks_likes_and_scales_the_rest_in_training_only():
    model = CDAE(2000, 3, dropout=0.2, seed=1)
    row = np.ones((1, 2000), np.float32)
    corrupted = array(model.corrupt(row, training=True))
    assert set(np.round(np.unique(corrupted), 4)) == {0.0, 1.25}
    assert (corrupted == 0).mean() == pytest.approx(0.2, abs=0.04)
    np.testing.assert_array_equal(model.corrupt(row, training=False), row)


def test_a_stranger_has_a_node_of_zero_and_nobody_else_s_is_touched():
    table = blocks()
    model = made(table)
    x = {"ids": np.array([[1, 2], [1, 2], [1, 2]], np.int32), "row": np.array([-1, 7, 0], np.int32)}
    dense = np.zeros((3, N_ITEMS))
    dense[:, [1, 2]] = 1
    nodes = np.stack([np.zeros(5), array(model.nodes)[7], array(model.nodes)[0]])
    np.testing.assert_allclose(model(x), by_hand(model, dense, nodes), atol=1e-5)
    np.testing.assert_allclose(model(dense)[1], model(x)[0], atol=1e-6)  # a dense row does not say whose it is

    before = array(model.nodes)
    model.compile("sgd")
    rows = np.where(np.arange(N_USERS) < 3, np.arange(N_USERS), -1)
    model.fit(batches(table, rows=rows), shuffle=False, verbose=0)
    moved = np.abs(array(model.nodes) - before).max(1) > 0
    assert moved.tolist() == [True] * 3 + [False] * (N_USERS - 3)


def test_recommend_finds_users_by_their_ids_in_the_training_table():
    table = table_for("cdae")
    model = fitted("cdae", table)
    everyone = model.recommend(table, k=5)
    some = table.take_users([40, 3, 17])
    answer = model.recommend(some, k=5, train=table)
    np.testing.assert_array_equal(answer.item_ids, everyone.item_ids[[40, 3, 17]])
    np.testing.assert_allclose(answer.scores, everyone.scores[[40, 3, 17]], atol=1e-5)
    one = model.recommend(some, k=5, users=[3], train=table)
    np.testing.assert_allclose(one.scores[0], everyone.scores[3], atol=1e-5)
    np.testing.assert_allclose(model.recommend(table, k=5, users=[3]).scores[0], everyone.scores[3], atol=1e-5)

    items = table.item_ids[table.row(3)].tolist()
    asked = Interactions.from_histories([items, items], table, user_ids=[3, 40])
    answer = model.recommend(asked, k=5, train=table)
    np.testing.assert_allclose(answer.scores[0], everyone.scores[3], atol=1e-5)
    assert np.abs(answer.scores[1] - answer.scores[0]).max() > 1e-3
    strangers = Interactions.from_histories([items] * 2, table)  # numbered, but nobody of the training table
    answer = model.recommend(strangers, k=5, train=table)
    x = {"ids": np.array([table.row(3)]), "row": np.array([-1])}
    unseen = np.setdiff1d(np.arange(N_ITEMS), table.row(3))
    best = np.sort(np.asarray(model(x))[0, unseen])[::-1][:5]
    np.testing.assert_allclose(answer.scores, [best, best], atol=1e-5)


def test_whose_rows_they_are_must_be_said():
    table = table_for("cdae")
    model = fitted("cdae", table)
    known = Interactions.from_histories([[10]], table)
    with pytest.raises(ValueError, match="learned from 90 users, not 1: give the table it learned from as `train`"):
        model.recommend(known)
    few = CDAE.for_interactions(table.take_users(np.arange(50)), latent_dim=8)
    few.compile()
    with pytest.raises(ValueError, match="the data has 90 users, this CDAE knows 50"):
        few.fit(table, verbose=0)
    without = fitted("cdae without users", table)
    assert without.serving_inputs == ("history",)
    assert without.recommend(known, k=3).item_ids.shape == (1, 3)


def test_held_out_users_are_strangers():
    table = table_for("cdae")
    model = fitted("cdae", table)
    part = held_out(table)
    known, strange = (scores(model, HeldOut(part.inputs, rows=rows)) for rows in (None, np.full(N_USERS, -1)))
    assert np.abs(known - strange).max() > 1e-3
    np.testing.assert_allclose(strange, model.predict(part.inputs.matrix.toarray(), verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objective": "hinge"}, "`objective` must be one of logistic, square, not 'hinge'"),
        ({"output_activation": "sigmoid"}, "`output_activation` must be None"),
        ({"negatives": 0}, "`negatives`: expected at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CDAE(5, 5, **arguments)
