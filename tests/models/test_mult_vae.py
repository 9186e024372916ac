"""Mult-VAE against numpy, from the paper's formulas."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, make, scores

from kerasrec import MultVAE
from kerasrec.ops.sparse_rows import l2_normalize_rows, observed_rows


def dense(layer):
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for w in (layer.kernel, layer.bias)]


def numpy_encode(model, x):
    """μ and log σ² of dense rows without dropout."""
    norm = np.sqrt((x**2).sum(1, keepdims=True))
    hidden = x / np.maximum(norm, 1e-12)
    for layer in model.encoder:
        w, b = dense(layer)
        hidden = np.tanh(hidden @ w + b)
    (wm, bm), (wv, bv) = dense(model.mean), dense(model.log_var)
    return hidden @ wm + bm, hidden @ wv + bv


def numpy_decode(model, code):
    for layer in model.decoder:
        w, b = dense(layer)
        code = np.tanh(code @ w + b)
    w, b = dense(model.logits)
    return code @ w + b


def numpy_nll(likelihood, x, f, observed_weight):
    if likelihood == "gaussian":
        return (np.where(x > 0, observed_weight, 1.0) / 2 * (x - f) ** 2).sum(1)
    if likelihood == "logistic":
        p = 1 / (1 + np.exp(-f))
        return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1)
    return -(x * (f - np.log(np.exp(f).sum(1, keepdims=True)))).sum(1)


def decay_of(model, reg):
    kernels = [*model.encoder, model.mean, model.log_var, *model.decoder, model.logits]
    return reg * sum((dense(layer)[0] ** 2).sum() for layer in kernels)


@pytest.mark.parametrize("likelihood", ["multinomial", "gaussian", "logistic"])
def test_scores_and_losses_are_the_formula(likelihood):
    table = blocks()
    settings = {"hidden_dims": (13, 7), "latent_dim": 5, "likelihood": likelihood, "observed_weight": 3.0}
    model = MultVAE(table.n_items, dropout=0.0, beta=0.2, anneal_steps=100, reg=0.3, seed=1, **settings)
    x = table.matrix.toarray().astype(np.float64)
    mean, log_var = numpy_encode(model, x)
    np.testing.assert_allclose(scores(model, table), numpy_decode(model, mean), atol=1e-5)
    batch, decay = model.batches(table, len(x))[0][0], decay_of(model, 0.3)

    # Training: z is drawn. The step is counted before the loss: β = min(0.2, steps / 100).
    noise = np.random.default_rng(0).normal(size=mean.shape)
    model.sampling.call = lambda mean, log_var, training=False: mean + keras.ops.exp(log_var / 2) * noise.astype("f4")
    logits = numpy_decode(model, mean + np.exp(log_var / 2) * noise)
    kl = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(1)
    assert kl.mean() > 0.1
    for steps, beta in ((0, 0.01), (9, 0.10), (99, 0.2)):
        model.step.assign(steps)
        expected = (numpy_nll(likelihood, x, logits, 3.0) + beta * kl).mean() + decay
        loss = model.compute_loss(batch, None, model(batch, training=True), training=True)
        assert float(loss) == pytest.approx(expected, rel=1e-5)
        assert int(model.step.value) == steps + 1

    # Validation: z is its mean, and the loss has no KL term.
    expected = numpy_nll(likelihood, x, numpy_decode(model, mean), 3.0).mean() + decay
    assert float(model.compute_loss(batch, None, model(batch), training=False)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("likelihood", ["multinomial", "gaussian", "logistic"])
def test_sample_weights_weigh_the_rows_of_the_training_loss(likelihood):
    table = blocks()
    model = MultVAE(table.n_items, hidden_dims=(8,), latent_dim=4, dropout=0.0, likelihood=likelihood, seed=1)
    model.sampling.call = lambda mean, log_var, training=False: mean
    x = table.matrix.toarray().astype(np.float64)
    weights = np.arange(len(x)) % 3.0
    batch = model.batches(table, len(x))[0][0]
    outputs = model(batch, training=True)
    mean, log_var = numpy_encode(model, x)
    kl = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(1)
    rows = numpy_nll(likelihood, x, numpy_decode(model, mean), 1.0) + float(model.current_beta()) * kl
    loss = model.compute_loss(batch, None, outputs, sample_weight=weights.astype(np.float32), training=True)
    assert float(loss) == pytest.approx((weights * rows).mean(), rel=1e-5)


def test_beta_is_annealed_to_its_cap_and_only_training_steps_count():
    table = blocks()
    model = make("mult_vae", table, beta=0.2, anneal_steps=10)
    model.fit(table, batch_size=45, epochs=1, validation_data=None, verbose=0)
    assert int(model.step.value) == 2
    assert float(model.current_beta()) == pytest.approx(0.2)
    model.predict(table.matrix.toarray(), verbose=0)
    assert int(model.step.value) == 2
    model.step.assign(1)
    assert float(model.current_beta()) == pytest.approx(0.1)
    assert model.annealed_values() == {"beta": pytest.approx(0.1)}


def test_annealing_is_scaled_to_the_run():
    table = blocks()
    model = MultVAE.for_interactions(table, epochs=350, batch_size=45)  # 2 steps per epoch
    assert model.anneal_steps * model.beta == pytest.approx(600, abs=1)
    assert MultVAE.for_interactions(table, epochs=350, anneal_steps=5).anneal_steps == 5
    assert MultVAE.for_interactions(table).anneal_steps == 200_000
    assert MultVAE(table.n_items).anneal_steps == 200_000


def test_the_noise_has_unit_variance_and_the_width_of_the_code():
    table = blocks()
    model = MultVAE(table.n_items, hidden_dims=(8,), latent_dim=50, seed=1)
    zeros = np.zeros((400, 50), np.float32)
    z = keras.ops.convert_to_numpy(model.sampling(zeros, zeros, training=True))
    assert z.shape == (400, 50)
    assert z.std() == pytest.approx(1.0, abs=0.02)
    assert model.mean.units == model.log_var.units == 50


def test_rows_are_normalised_before_dropout_and_empty_rows_stay_0():
    model = MultVAE(6, hidden_dims=(4,), latent_dim=2, dropout=0.5, seed=1)
    x = np.array([[1.0] * 4 + [0.0] * 2, [0.0] * 6], np.float32)
    normalised = keras.ops.convert_to_numpy(l2_normalize_rows(observed_rows(x)).values)
    np.testing.assert_allclose(normalised[0, :4], 0.5, atol=1e-6)
    assert (normalised[1] == 0).all()
    dropped = keras.ops.convert_to_numpy(model.drop(normalised, training=True))
    assert set(np.round(dropped[0], 5)) <= {0.0, 1.0}  # dropped, or scaled by 1 / (1 - 0.5) and not normalised again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dims": 16}, r"`hidden_dims`: expected a width per layer, for example \(16,\), got 16"),
        ({"likelihood": "poisson"}, "`likelihood`: expected one of"),
        ({"beta": -0.1}, "`beta`: expected at least 0, got -0.1"),
        ({"anneal_steps": 0}, "`anneal_steps`: expected at least 1, got 0"),
        ({"n_sampled": 1}, "`n_sampled`: expected at least 2, got 1"),
        ({"n_sampled": 8, "likelihood": "gaussian"}, "`n_sampled`: expected None with the gaussian likelihood, got 8"),
        ({"n_sampled": 8, "reg": 0.1}, "`reg`: expected 0 with `n_sampled`, got 0.1"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultVAE(30, **arguments)
