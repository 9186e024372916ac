"""VASP against numpy, from the paper's formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import blocks, scores

from kerasrec import VASP
from kerasrec.models.vasp import logit_of_product


def array(weight):
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float64)


def sigmoid(f):
    return 1 / (1 + np.exp(-f))


def dense(layer, x):
    return x @ array(layer.kernel) + array(layer.bias)


def summed_dense(stack, x):
    earlier = 0.0
    for layer, norm in zip(stack.dense, stack.norms, strict=True):
        a = dense(layer, x) + earlier
        swish = a * sigmoid(a)
        deviation = np.sqrt(swish.var(1, keepdims=True) + 1e-3)
        x = (swish - swish.mean(1, keepdims=True)) / deviation * array(norm.gamma) + array(norm.beta)
        earlier = earlier + x
    return x


def numpy_posterior(model, x):
    hidden = summed_dense(model.encoder, x)
    return dense(model.mean, hidden), dense(model.log_var, hidden)


def probabilities(model, x, z):
    p = sigmoid(dense(model.deep_logits, summed_dense(model.decoder, z))) * sigmoid(dense(model.linear_logits, z))
    if model.shallow_path:
        kernel = array(model.item_weights)
        p *= sigmoid(x @ (kernel - np.diag(np.diag(kernel))))
    return p


def small(**arguments):
    table = blocks()
    widths = {"hidden_dim": 9, "latent_dim": 5, "encoder_depth": 3, "decoder_depth": 2, "seed": 1}
    model = VASP(table.n_items, **widths, **arguments)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.weights])
    return model, table, table.matrix.toarray().astype(np.float64)


@pytest.mark.parametrize("shallow_path", [True, False])
def test_scores_are_the_logits_of_the_formula(shallow_path):
    model, table, x = small(shallow_path=shallow_path)
    p = probabilities(model, x, numpy_posterior(model, x)[0])
    np.testing.assert_allclose(scores(model, table), np.log(p / (1 - p)), rtol=1e-4, atol=1e-4)


def test_the_loss_of_a_step_is_the_formula():
    """With z = μ. The targets of the step are compared with the likes in the next test."""
    model, table, x = small(alpha=0.3, gamma=1.5)
    model.sampling.call = lambda mean, log_var, training=False: mean
    batch = model.batches(table, len(x))[0][0]
    outputs = model(batch, training=True)
    loss = float(model.compute_loss(batch, None, outputs))
    y = np.asarray(outputs["targets"], np.float64)
    mean, log_var = numpy_posterior(model, x - y)
    p = probabilities(model, x - y, mean)
    focal = np.where(y > 0, -0.3 * (1 - p) ** 1.5 * np.log(p), -0.7 * p**1.5 * np.log(1 - p)).sum(1)
    divergence = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).mean(1)
    assert divergence.mean() > 0.01
    assert loss == pytest.approx((focal + divergence).mean(), rel=1e-4)


def test_each_like_is_a_target_in_a_share_of_the_steps():
    model, table, x = small(dropout=0.3)
    batch = model.batches(table, len(x))[0][0]
    targets = np.array([model(batch, training=True)["targets"] for _ in range(40)])
    assert np.isin(targets, (0, 1)).all() and (targets <= x).all()
    assert targets.mean(0)[x > 0].mean() == pytest.approx(0.3, abs=0.02)
    assert len(np.unique(targets, axis=0)) == 40
    model.dropout = 0.0
    np.testing.assert_array_equal(model(batch, training=True)["targets"], x)


def test_the_diagonal_of_the_shallow_path_has_no_effect_and_no_gradient():
    model, table, x = small()
    before = scores(model, table)
    model.item_weights.assign(
        keras.ops.convert_to_tensor(array(model.item_weights) + 7 * np.eye(table.n_items), "float32")
    )
    np.testing.assert_array_equal(scores(model, table), before)
    batch = model.batches(table, len(x))[0][0]
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, None, model(batch, training=True))
    gradient = np.asarray(tape.gradient(loss, model.item_weights.value))
    assert (np.diag(gradient) == 0).all() and np.abs(gradient).max() > 1e-4


def test_logits_of_products_are_finite_and_exact_for_extreme_factors():
    factors = [np.array([-60.0, 60.0, 200.0, 0.5], np.float32), np.array([-60.0, 60.0, 200.0, -1.5], np.float32)]
    expected = [-120.0, 60 - np.log(2), None, None]
    result = np.asarray(logit_of_product(factors))
    np.testing.assert_allclose(result[:2], expected[:2], rtol=1e-5)
    assert np.isfinite(result).all() and result[2] > 60
    p = sigmoid(0.5) * sigmoid(-1.5)
    assert result[3] == pytest.approx(np.log(p / (1 - p)), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder_depth": 0}, "`encoder_depth`: expected at least 1"),
        ({"decoder_depth": 0}, "`decoder_depth`: expected at least 1"),
        ({"dropout": 1.0}, "`dropout`: expected a share of at least 0 and below 1, got 1"),
        ({"alpha": 1.5}, "`alpha`: expected a weight of at most 1, got 1.5"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        VASP(5, **{"hidden_dim": 4, "latent_dim": 2, **arguments})
