"""CFN against numpy, written from its formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import N_BLOCKS, N_ITEMS, SIDE, blocks, scores

from kerasrec import CFN, Interactions, export_saved_model
from kerasrec.data import side_information
from kerasrec.inference.item_vectors import item_vectors


def array(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def centred(rows):
    """Means of the rows of ratings from 1 to 5, and their entries scaled without them."""
    observed = rows > 0
    n = observed.sum(1, keepdims=True)
    mean = np.where(n > 0, rows.sum(1, keepdims=True) / np.maximum(n, 1), 3)
    return mean, np.where(observed, (rows - mean) / 2, 0.0)


@pytest.mark.parametrize("side", [None, SIDE])
@pytest.mark.parametrize("hidden_everywhere", [True, False])
def test_scores_and_loss_are_the_formula(side, hidden_everywhere):
    table = blocks("ratings")
    settings = {"hidden_dims": (7, 5), "reg": 0.3, "dropout": float(hidden_everywhere), "seed": 1}
    model = CFN.for_interactions(table, rows="items", side=side, **settings)
    if not model.built:
        model.build()
    rows = table.T.matrix.toarray().astype(np.float64)
    observed = rows > 0
    mean, x = centred(rows)

    def f(row):
        for i, layer in enumerate(model.dense):
            row = row @ array(layer.kernel) + array(layer.bias)
            if side is not None:
                row = row + side @ array(model.side_layers[i].kernel)
            row = np.tanh(row)
        return row

    np.testing.assert_allclose(scores(model, table), mean + 2 * f(x), atol=1e-5)
    batch = model.batches(table, len(rows))[0][0]
    answer = model(batch, training=True)
    weight, seen = (model.alpha, 0 * x) if hidden_everywhere else (model.beta, x)
    decay = sum((array(w.kernel) ** 2).sum() for w in (*model.dense, *model.side_layers)) * 0.3 / 2
    expected = weight * ((x - f(seen)) ** 2 * observed).sum(1).mean() + decay
    assert float(model.compute_loss(batch, None, answer)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(answer, mean + 2 * f(seen), atol=1e-5)


def test_input_that_is_not_centred():
    table = blocks("ratings")
    model = CFN.for_interactions(table, hidden_dims=(7,), centre_input=False, dropout=0.0, reg=0.0, seed=1)
    model.build()
    batch = model.batches(table, 90)[0][0]
    rows = table.matrix.toarray().astype(np.float64)
    mean, x = centred(rows)
    hidden = np.tanh(rows / 2 @ array(model.dense[0].kernel) + array(model.dense[0].bias))
    f = np.tanh(hidden @ array(model.dense[1].kernel) + array(model.dense[1].bias))
    answer = model(batch, training=True)
    np.testing.assert_allclose(answer, mean + 2 * f, atol=1e-5)
    expected = model.beta * ((x - f) ** 2 * (rows > 0)).sum(1).mean()
    assert float(model.compute_loss(batch, None, answer)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(scores(model, table), mean + 2 * f, atol=1e-5)
    np.testing.assert_allclose(model.encode(batch), hidden, atol=1e-5)


def test_hides_the_share_it_says_and_weighs_both_kinds():
    table = blocks("ratings")
    model = CFN.for_interactions(table, hidden_dims=(4,), reg=0.0, dropout=0.25, alpha=1.0, beta=0.0, seed=1)
    if not model.built:
        model.build()
    for layer in model.dense:  # an output of 0 whatever the input: each entry's error is x²
        layer.kernel.assign(0 * layer.kernel)
    batch = model.batches(table, 90)[0][0]
    losses = [float(model.compute_loss(batch, None, model(batch, training=True))) for _ in range(30)]
    x = centred(table.matrix.toarray())[1]
    assert np.mean(losses) == pytest.approx(0.25 * (x**2).sum(1).mean(), rel=0.05)
    assert np.std(losses) > 0


def test_dense_rows_are_not_trained_on():
    model = CFN(N_ITEMS, hidden_dims=(4,))
    model.compile()
    with pytest.raises(ValueError, match="CFN learns from batches of ids and values"):
        model.fit(np.ones((8, N_ITEMS), np.float32), verbose=0)
    with pytest.raises(ValueError, match="`side` has 4 rows, the table 30"):
        CFN.for_interactions(blocks("ratings"), rows="items", side=SIDE[:4])


def test_users_with_side_information_are_asked_for_by_their_ids(tmp_path):
    table = blocks("ratings")
    side = np.eye(N_BLOCKS)[np.arange(table.n_users) % N_BLOCKS]
    model = CFN.for_interactions(table, hidden_dims=(8,), side=side, seed=1)
    assert model.serving_inputs == ("history", "ratings", "user_id")
    assert CFN.for_interactions(table, hidden_dims=(8,), seed=1).serving_inputs == ("history", "ratings")
    two = Interactions.from_histories([[0, 10], [0, 10]], table, user_ids=[7, 8], values=[[5, 1], [5, 1]])
    with pytest.raises(ValueError, match="this CFN learned from 90 users, not 2: give the table it learned from as `t"):
        model.recommend(two)
    answer = model.recommend(two, train=table)
    assert abs(answer.scores[0] - answer.scores[1]).max() > 1e-3
    served = tf.saved_model.load(export_saved_model(model, tmp_path, table)).signatures["score"]
    history, ratings = tf.constant([[0, 10]] * 2, tf.int64), tf.constant([[5.0, 1.0]] * 2)
    found = served(history=history, ratings=ratings, user_id=tf.constant([7, 8], tf.int64))
    np.testing.assert_allclose(found["top_k_scores"][:, :10], answer.scores, rtol=1e-5)
    assert item_vectors(model, table).shape == (N_ITEMS, 8)


@pytest.mark.realdata
def test_side_information_of_movielens_1m(data_dir, monkeypatch):
    import kerasrec

    monkeypatch.setenv("KERASREC_DATA", str(data_dir))
    table = kerasrec.read("ml-1m")
    genres, names = side_information("ml-1m", table)
    assert genres.shape == (table.n_items, 18) and "Film-Noir" in names
    toy_story = genres[table.item_ids.tolist().index(1)]
    assert {n for n, has in zip(names, toy_story, strict=True) if has} == {"Animation", "Children's", "Comedy"}
    people, names = side_information("ml-1m", table, of="users")
    assert people.shape == (6040, 2 + 7 + 21) and (people.sum(1) == 3).all()
    assert people[0, [names.index(n) for n in ("gender F", "age 1", "occupation 10")]].all()
