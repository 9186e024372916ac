"""RecVAE against numpy, from the paper's formulas, and the gradients of its encoder and decoder."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import blocks, make, scores

from kerasrec import RecVAE, export_saved_model


def array(weight):
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float64)


def numpy_posterior(model, weights, x):
    """μ and log σ² of dense rows by an encoder with the given weights."""
    arrays = dict(zip([id(w) for w in model.encoder_weights], map(array, weights), strict=True))

    def of(weight):
        return arrays[id(weight)]

    hidden = x / np.maximum(np.sqrt((x**2).sum(1, keepdims=True)), 1e-12)
    earlier = 0.0
    for dense, norm in zip(model.stack.dense, model.stack.norms, strict=True):
        a = hidden @ of(dense.kernel) + of(dense.bias) + earlier
        swish = a / (1 + np.exp(-a))
        deviation = np.sqrt(swish.var(1, keepdims=True) + 0.1)
        hidden = (swish - swish.mean(1, keepdims=True)) / deviation * of(norm.gamma) + of(norm.beta)
        earlier = earlier + hidden
    return tuple(hidden @ of(head.kernel) + of(head.bias) for head in (model.mean, model.log_var))


def normal(z, mean, log_var):
    return np.exp(-((z - mean) ** 2) / (2 * np.exp(log_var))) / np.sqrt(2 * np.pi * np.exp(log_var))


def small(**arguments):
    table = blocks()
    settings = {"hidden_dim": 9, "depth": 4, "latent_dim": 5, "gamma": 0.03, "dropout": 0.0, "seed": 1, **arguments}
    model = RecVAE(table.n_items, **settings)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, w.shape) if len(w.shape) else np.array(1) for w in model.weights])
    return model, table, table.matrix.toarray().astype(np.float64)


def test_scores_are_the_formula():
    model, table, x = small()
    mean, _ = numpy_posterior(model, model.encoder_weights, x)
    expected = mean @ array(model.logits.kernel) + array(model.logits.bias)
    np.testing.assert_allclose(scores(model, table), expected, atol=1e-4)


def test_the_losses_are_the_formula():
    """With z = μ, and step 1 of many, so that the old encoder differs from the present one."""
    model, table, x = small()
    model.sampling.call = lambda mean, log_var, training=False: mean
    batch = model.batches(table, len(x))[0][0]
    loss = float(model.compute_loss(batch, None, model(batch, training=True)))
    z, log_var = numpy_posterior(model, model.encoder_weights, x)
    logits = z @ array(model.logits.kernel) + array(model.logits.bias)
    nll = -(x * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1)
    old = numpy_posterior(model, model.old_encoder, x)
    prior = 0.15 * normal(z, 0, 0) + 0.75 * normal(z, *old) + 0.1 * normal(z, 0, 10)
    divergence = (np.log(normal(z, z, log_var)) - np.log(prior)).sum(1)
    assert np.abs(divergence).mean() > 1
    assert loss == pytest.approx((nll + 0.03 * x.sum(1) * divergence + nll).mean(), rel=1e-4)
    validation_loss = float(model.compute_loss(batch, None, model(batch), training=False))
    assert validation_loss == pytest.approx(nll.mean(), rel=1e-4)


def test_the_old_encoder_does_not_train_after_freezing_and_unfreezing():
    model, table, _ = small(refresh_steps=10**6)
    n_trainable = len(model.trainable_weights)
    model.trainable = False
    model.trainable = True
    assert len(model.trainable_weights) == n_trainable
    model.compile(keras.optimizers.SGD(0.1))
    before = [array(weight) for weight in model.old_encoder]
    with warnings.catch_warnings(action="ignore"):  # by Keras, about weights without a gradient
        model.fit(table, epochs=1, batch_size=90, verbose=0)
    for weight, expected in zip(model.old_encoder, before, strict=True):
        np.testing.assert_array_equal(array(weight), expected)


def gradients(model, batch, training=True):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, None, model(batch, training=training), training=training)
    weights = model.trainable_variables
    paths = [weight.path.partition("/")[2] for weight in weights]
    return dict(zip(paths, tape.gradient(loss, [weight.value for weight in weights]), strict=True))


def test_dropout_and_gamma_change_the_gradient_of_the_encoder_only():
    results = []
    for settings in ({}, {"dropout": 0.9, "gamma": 3.0}):
        model, table, x = small(**settings)
        model.sampling.call = lambda mean, log_var, training=False: mean
        results.append(gradients(model, model.batches(table, len(x))[0][0]))
    for path, gradient in results[0].items():
        assert np.allclose(gradient, results[1][path], rtol=1e-3, atol=1e-5) == path.startswith("logits"), path
    assert not any("old" in path for path in results[0])


def test_encoder_and_decoder_have_no_gradient_of_each_others_loss():
    """Without noise and γ, both minimise the loss of the model, so each weight must have its gradient once."""
    model, table, x = small(gamma=0.0)
    model.sampling.call = lambda mean, log_var, training=False: mean
    batch = model.batches(table, len(x))[0][0]
    expected = gradients(model, batch, training=False)
    for path, gradient in gradients(model, batch).items():
        if "log_var" not in path:
            assert np.abs(expected[path]).max() > 1e-3, path
            np.testing.assert_allclose(gradient, expected[path], rtol=1e-3, atol=1e-5, err_msg=path)


def matrices(weights):
    return [array(weight) for weight in weights if len(weight.shape) == 2]


def test_the_old_encoder_is_a_copy_that_is_refreshed_every_few_steps():
    table = blocks()
    model = make("rec_vae", table, refresh_steps=4)
    is_refreshed = []
    for _ in range(9):
        before = matrices(model.encoder_weights)
        model.train_on_batch(model.batches(table, len(table.indptr))[0][0])
        equal = {np.array_equal(*pair) for pair in zip(matrices(model.old_encoder), before, strict=True)}
        assert len(equal) == 1
        is_refreshed += equal
        assert not np.array_equal(matrices(model.old_encoder)[-1], matrices(model.encoder_weights)[-1])
    assert is_refreshed == [step % 4 == 0 for step in range(9)]


def test_an_export_does_not_contain_the_old_encoder(tmp_path):
    model, table, _ = small()
    version = export_saved_model(model, tmp_path, table)
    variables = tf.train.list_variables(str(version / "variables" / "variables"))
    assert len([shape for _, shape in variables if shape == [table.n_items, 9]]) == 1


def test_the_refreshes_are_spread_over_the_run():
    table = blocks()
    assert RecVAE.for_interactions(table, epochs=100, batch_size=45).refresh_steps == 4  # 200 steps
    assert RecVAE.for_interactions(table).refresh_steps == 700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "`depth`: expected at least 1"),
        ({"gamma": -0.1}, "`gamma`: expected at least 0, got -0.1"),
        ({"refresh_steps": 0}, "`refresh_steps`: expected at least 1"),
        ({"mixture": (0.5, 0.6, 0.1)}, "`mixture`: expected three positive weights with the sum 1, got"),
        ({"mixture": (1.0, 0.0, 0.0)}, "`mixture`: expected three positive weights with the sum 1, got"),
        ({"mixture": (0.5, 0.5)}, "`mixture`: expected 3 numbers, got"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        RecVAE(5, **arguments)


def test_targets_in_training_are_refused():
    model, table, x = small()
    model.compile()
    with pytest.raises(ValueError, match="`y`: expected None, because each row is its own target in RecVAE"):
        model.fit(x.astype("float32"), 1 - x.astype("float32"), verbose=0)
