"""Mult-DAE against numpy, from the paper's formula."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import MultDAE
from kerasrec.ops.sparse_rows import l2_normalize_rows, observed_rows


def dense(layer):
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for w in (layer.kernel, layer.bias)]


@pytest.mark.parametrize("hidden_dims", [(), (13, 7)])
def test_scores_and_loss_are_the_formula(hidden_dims):
    table = blocks()
    model = MultDAE(table.n_items, hidden_dims=hidden_dims, latent_dim=5, reg=0.3, seed=1)
    layers = [*model.encoder, *model.decoder, model.logits]
    assert [layer.units for layer in layers] == [*hidden_dims, 5, *reversed(hidden_dims), table.n_items]
    x = table.matrix.toarray().astype(np.float64)
    f = x / np.sqrt((x**2).sum(1, keepdims=True))
    decay = 0.0
    for layer in layers:
        w, b = dense(layer)
        f = f @ w + b
        f = f if layer is model.logits else np.tanh(f)
        decay += 0.3 * (w**2).sum()  # the sum of squares, not half of it, without biases
    np.testing.assert_allclose(scores(model, table), f, atol=1e-5)
    log_softmax = f - np.log(np.exp(f).sum(1, keepdims=True))
    batch = model.batches(table, len(x))[0][0]
    expected = -(x * log_softmax).sum(1).mean() + decay
    assert float(model.compute_loss(batch, None, model(batch), training=False)) == pytest.approx(expected, rel=1e-5)


def test_defaults_are_those_of_the_reference_code():
    model = MultDAE(30)
    assert [w.shape for w in model.trainable_weights] == [(30, 200), (200,), (200, 30), (30,)]
    assert model.reg == pytest.approx(0.01 / 500)
    assert (model.dropout, model.default_batch_size) == (0.5, 500)
    assert float(model.default_optimizer().learning_rate) == pytest.approx(1e-3)


def test_rows_are_normalised_before_dropout_and_empty_rows_stay_0():
    model = MultDAE(6, latent_dim=2, seed=1)
    x = np.array([[1.0] * 4 + [0.0] * 2, [0.0] * 6], np.float32)
    dropped = keras.ops.convert_to_numpy(model.drop(l2_normalize_rows(observed_rows(x)).values, training=True))
    assert set(np.round(dropped[0], 5)) <= {0.0, 1.0}  # dropped, or scaled by 1 / (1 - 0.5) and not normalised again
    assert (dropped[1] == 0).all()
    np.testing.assert_array_equal(model(x), model(x))
    assert np.isfinite(np.asarray(model(x))).all()


def test_gaussian_noise_changes_all_entries_in_training_only():
    table = blocks()
    model = MultDAE(table.n_items, latent_dim=table.n_items, activation=None, dropout=0.0, noise=0.3, seed=1)
    for weight, value in zip(model.encoder[0].weights, (np.eye(table.n_items), 0.0), strict=True):
        weight.assign(np.broadcast_to(value, weight.shape))  # the code is the corrupted row
    batch = model.batches(table, 90)[0][0]
    clean = np.asarray(model.encode(batch))
    x = table.matrix.toarray()
    np.testing.assert_allclose(clean, x / np.sqrt((x**2).sum(1, keepdims=True)), atol=1e-6)
    noise = np.asarray(model.encode(batch, training=True)) - clean
    assert noise.std() == pytest.approx(0.3, rel=0.05)
    assert noise[x == 0].std() == pytest.approx(0.3, rel=0.07)
    assert abs(noise.mean()) < 0.03
    assert np.abs(noise - (np.asarray(model.encode(batch, training=True)) - clean)).max() > 0.1
