"""SVAE against numpy, from the paper's formulas, one user at a time."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import make

from kerasrec import SVAE, Interactions, losses
from kerasrec.data.batches import Batches
from kerasrec.layers import NextItemLogits
from kerasrec.models.svae import padded_at_end

SMALL = {"embedding_dim": 6, "gru_units": 5, "hidden_dims": (7, 4), "latent_dim": 3, "seed": 1}


def sequences(n_users=40, n_items=15, longest=14, seed=0):
    """Users with histories of 0 to `longest` items in a random order of time."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(n_items)[: rng.integers(0, longest + 1)] for _ in range(n_users)]
    catalogue = Interactions.from_arrays(np.zeros(n_items), np.arange(n_items))
    return Interactions.from_histories([row.tolist() for row in rows], catalogue)


def with_random_weights(table, **arguments):
    model = SVAE(table.n_items, **{**SMALL, **arguments})
    model.compile()
    rng = np.random.default_rng(5)
    for w in model.trainable_variables:  # no zero biases and small embeddings
        w.assign(rng.normal(scale=0.4, size=w.shape))
    return model


def arrays(layer):
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for w in layer.weights]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def states(model, history):
    """The GRU's states (steps, units) of one history."""
    (embedding,) = arrays(model.embedding)
    w, u, b = arrays(model.gru)
    n = model.gru_units
    h, result = np.zeros(n), []
    for item in history:
        x, r = embedding[item] @ w + b[0], h @ u + b[1]
        update, reset = sigmoid(x[:n] + r[:n]), sigmoid(x[n : 2 * n] + r[n : 2 * n])
        h = update * h + (1 - update) * np.tanh(x[2 * n :] + reset * r[2 * n :])
        result.append(h)
    return np.array(result).reshape(-1, n)


def dense(layers, x, activation=np.tanh):
    for layer in layers:
        w, b = arrays(layer)
        x = activation(x @ w + b)
    return x


def steps(model, state):
    """μ, log σ² and the logits at z = μ of each state."""
    hidden = dense(model.encoder, state)
    mean, log_var = (dense([layer], hidden, lambda x: x) for layer in (model.mean, model.log_var))
    return mean, log_var, dense([model.logits], dense(model.decoder, mean), lambda x: x)


def loss_of_one(model, history, beta):
    """Σ_t [-1/k Σ_{j ≤ k} log softmax(f(μ_t))_{item_{t+j}} + β KL_t] of one user."""
    total = 0.0
    mean, log_var, logits = steps(model, states(model, history))
    for t in range(len(history) - 1):
        target = np.zeros(model.n_items)  # the multi-hot of the next k
        target[history[t + 1 : t + 1 + model.k]] = 1
        log_softmax = logits[t] - np.log(np.exp(logits[t]).sum())
        kl = 0.5 * (np.exp(log_var[t]) + mean[t] ** 2 - 1 - log_var[t]).sum()
        total += -(target @ log_softmax) / model.k + beta * kl
    return total


def without_noise(model):
    model.sampling.call = lambda mean, log_var, training=False: mean
    return model


def loss_of_batch(model, batch):
    return float(model.compute_loss(batch, None, model(batch, training=True), training=True))


def test_the_scores_are_those_of_the_last_step():
    table = sequences()
    model = with_random_weights(table)
    result = np.asarray(model(model.batches(table, 100)[0][0]))
    for user in range(table.n_users):
        state = states(model, table.row(user))
        state = state[-1] if len(state) else np.zeros(model.gru_units)  # of an empty history
        np.testing.assert_allclose(result[user], steps(model, state)[2], atol=1e-5)
    assert (table.counts == 0).any()


def test_the_order_of_a_history_matters():
    model = with_random_weights(sequences())
    forward, backward = np.asarray(model({"ids": np.array([[1, 2, 3], [3, 2, 1]])}))
    assert np.abs(forward - backward).max() > 1e-3


@pytest.mark.parametrize("k", [1, 4, 30])
def test_the_loss_of_a_padded_batch_is_the_mean_of_its_users_losses(k):
    table = sequences()
    model = without_noise(with_random_weights(table, k=k, beta=0.3, anneal_steps=10, reg=0.0))
    for step, beta in ((0, 0.1), (7, 0.3)):  # β includes the present step
        model.step.assign(step)
        batch = model.batches(table, 100)[0][0]
        expected = np.mean([loss_of_one(model, table.row(u), beta) for u in range(table.n_users)])
        assert loss_of_batch(model, batch) == pytest.approx(expected, rel=1e-5)
    singles = []
    for user in range(table.n_users):
        model.step.assign(7)
        singles.append(loss_of_batch(model, {"ids": table.row(user)[None]}))
    assert np.mean(singles) == pytest.approx(expected, rel=1e-5)


def test_padding_is_allowed_anywhere_in_training_too():
    table = sequences()
    model = without_noise(with_random_weights(table, reg=0.0))
    at_end = model.batches(table, 100)[0][0]["ids"]
    rng = np.random.default_rng(0)
    anywhere = np.full((len(at_end), at_end.shape[1] + 8), -1)
    for row, ids in zip(anywhere, at_end, strict=True):
        ids = ids[ids >= 0]
        row[np.sort(rng.permutation(len(row))[: len(ids)])] = ids
    assert loss_of_batch(model, {"ids": anywhere}) == pytest.approx(loss_of_batch(model, {"ids": at_end}), rel=1e-5)
    np.testing.assert_array_equal(np.asarray(padded_at_end({"ids": anywhere}))[:, : at_end.shape[1]], at_end)


def test_weight_decay_includes_all_weights():
    table = sequences()
    plain, decayed = (without_noise(with_random_weights(table, reg=reg)) for reg in (0.0, 0.5))
    batch = plain.batches(table, 100)[0][0]
    squares = sum(float(np.square(w.numpy()).sum()) for w in plain.trainable_variables)
    assert loss_of_batch(decayed, batch) - loss_of_batch(plain, batch) == pytest.approx(0.25 * squares, rel=1e-5)


@pytest.mark.parametrize("k", [1, 3])
def test_the_loss_of_next_items_and_its_gradient(k):
    rng = np.random.default_rng(0)
    hidden = tf.constant(rng.normal(size=(2, 5, 4)), tf.float32)
    ids = np.array([[3, 0, 6, 2, 1], [5, 4, -1, -1, -1]], np.int32)
    layer = NextItemLogits(7)
    layer.build((None, None, 4))
    layer.bias.assign(rng.normal(size=7))
    watched = [hidden, layer.kernel.value, layer.bias.value]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(watched)
        loss = layer.nll(hidden, ids, k)
        log_softmax = tf.nn.log_softmax(tf.matmul(hidden, layer.kernel.value) + layer.bias.value)
        expected = -sum(
            log_softmax[row, t, item]
            for row, history in enumerate(ids)
            for t in range(5)
            for item in history[t + 1 : t + 1 + k]
            if item >= 0
        )
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    low_precision = NextItemLogits(7, product_dtype="bfloat16")
    low_precision.build((None, None, 4))
    low_precision.set_weights(layer.get_weights())
    rounded = float(low_precision.nll(hidden, ids, k))
    assert rounded != float(loss) and rounded == pytest.approx(float(loss), rel=1e-2)
    for gradient, plain in zip(tape.gradient(loss, watched), tape.gradient(expected, watched), strict=True):
        np.testing.assert_allclose(gradient, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", [1, 3])
def test_row_weights_weigh_the_loss_of_next_items(k):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(2, 5, 4)).astype(np.float32)
    ids = np.array([[3, 0, 6, 2, 1], [5, 4, -1, -1, -1]], np.int32)
    layer = NextItemLogits(7)
    layer.build((None, None, 4))
    first, second = (float(layer.nll(hidden[i : i + 1], ids[i : i + 1], k)) for i in range(2))
    weights = np.array([2.0, 0.5], np.float32)
    assert float(layer.nll(hidden, ids, k, weights)) == pytest.approx(2.0 * first + 0.5 * second, rel=1e-5)


def test_sample_weights_weigh_the_users_of_the_training_loss():
    table = sequences()
    model = without_noise(with_random_weights(table, beta=0.3, anneal_steps=10, reg=0.0))
    weights = np.arange(table.n_users) % 3.0
    model.step.assign(7)
    batch = model.batches(table, 100)[0][0]
    users = [weights[user] * loss_of_one(model, table.row(user), 0.3) for user in range(table.n_users)]
    outputs = model(batch, training=True)
    loss = model.compute_loss(batch, None, outputs, sample_weight=weights.astype(np.float32), training=True)
    assert float(loss) == pytest.approx(np.mean(users), rel=1e-5)


def test_annealing_counts_training_steps_only_and_is_scaled_to_the_run():
    table = sequences()
    model = make("svae", table)
    model.fit(table, batch_size=10, epochs=2, verbose=0)
    assert int(model.step.value) == 8
    model.predict(model.batches(table)[0][0], verbose=0)
    assert int(model.step.value) == 8
    planned = SVAE.for_interactions(table, epochs=350, batch_size=20)  # 2 steps per epoch
    assert planned.anneal_steps * planned.beta == pytest.approx(600, abs=1)
    assert SVAE.for_interactions(table).anneal_steps == 200_000


def test_the_validation_loss_is_that_of_the_held_out_items_after_the_last_step():
    table = sequences()
    model = with_random_weights(table, reg=0.0)
    x = model.batches(table, 100)[0][0]
    y = {"ids": np.arange(table.n_users)[:, None] % table.n_items}
    expected = losses.MultinomialNLL()(np.eye(table.n_items)[y["ids"][:, 0]], model(x))
    assert float(model.compute_loss(x, y, model(x), training=False)) == pytest.approx(float(expected), rel=1e-5)


def test_targets_in_training_are_refused():
    table = sequences()
    model = with_random_weights(table)
    x = model.batches(table, 100)[0][0]
    with pytest.raises(ValueError, match="`y`: expected None, because each row is its own target in SVAE"):
        model.fit(x, {"ids": x["ids"]}, verbose=0)


def test_dense_rows_are_refused():
    model = with_random_weights(sequences())
    with pytest.raises(ValueError, match="SVAE: expected batches of ids in time order, got dense rows"):
        model(np.ones((2, model.n_items), np.float32))


def test_summary_works_after_fit(capsys):
    table = sequences()
    model = make("svae", table)
    model.fit(table, batch_size=20, verbose=0)
    model.summary()
    assert "gru" in capsys.readouterr().out


def test_rows_of_similar_length_share_a_training_batch():
    table = sequences(n_users=403, n_items=60, longest=60)

    def widths(**arguments):
        batches = Batches(table, None, 20, seed=1, **arguments)
        return [batches[i][0]["ids"].shape[1] for i in range(len(batches))], batches

    random, _ = widths(shuffle=True)
    similar, batches = widths(shuffle=True, by_length=True)
    assert sum(similar) < 0.75 * sum(random)
    assert sorted(batches.order(0)) == list(range(403))
    assert similar != sorted(similar)  # short batches do not all come first
    first = batches.order(0)
    np.testing.assert_array_equal(batches.order(0), first)
    assert (batches.order(1) != first).any()
    np.testing.assert_array_equal(widths(by_length=True)[1].order(0), np.arange(403))  # predictions keep the order


@pytest.mark.parametrize(("name", "lowest"), [("beta", 0), ("k", 1), ("anneal_steps", 1)])
def test_invalid_arguments_raise(name, lowest):
    with pytest.raises(ValueError, match=f"`{name}`: expected at least {lowest}, got -1"):
        SVAE(5, **{name: -1})
