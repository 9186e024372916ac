"""DeepRec against numpy: its formula, and training steps with dense re-feeding."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from kerasrec_testing.models import scores, table_for

from kerasrec import DeepRec

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
RATE, MOMENTUM = 0.05, 0.9
BATCHES = [
    np.array([[5, 0, 3, 0, 1, 0], [0, 4, 0, 0, 0, 2], [1, 1, 0, 5, 0, 0]], np.float32),
    np.array([[0, 2, 0, 3, 0, 0], [4, 0, 5, 0, 0, 1], [0, 0, 0, 0, 2, 0]], np.float32),
]


def selu(x):
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * (np.exp(np.minimum(x, 0)) - 1))


def selu_slope(x):
    return SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.minimum(x, 0)))


def layers(model):
    return [*model.encoder, *model.decoder, model.ratings]


def weights(model):
    """Kernel and bias of each layer, in order, in float64."""
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for layer in layers(model) for w in layer.weights]


def forward(ws, x, code, mask):
    """f(x), and each layer's input and pre-activation; dropout as a `mask` on the output of layer `code`."""
    activations = []
    for i in range(len(ws) // 2):
        before = x @ ws[2 * i] + ws[2 * i + 1]
        activations.append((x, before))
        x = selu(before) * (mask if i == code else 1)
    return x, activations


def gradients(ws, x, code, mask, observed):
    """f(x), and the gradient of Σ_observed (x - f(x))² / |observed| with the target held fixed."""
    output, activations = forward(ws, x, code, mask)
    upstream = 2 * observed * (output - x) / observed.sum()
    result = [None] * len(ws)
    for i in reversed(range(len(activations))):
        layer_input, before = activations[i]
        upstream = upstream * (mask if i == code else 1) * selu_slope(before)
        result[2 * i], result[2 * i + 1] = layer_input.T @ upstream, upstream.sum(0)
        upstream = upstream @ ws[2 * i].T
    return output, result


def numpy_training(ws, refeeds, masks):
    """The weights after both batches, by SGD with momentum, and the mean of the two batches' losses."""
    velocity = [np.zeros_like(w) for w in ws]
    losses = []
    for batch in BATCHES:
        x = batch.astype(np.float64)
        observed = x != 0
        for refeed in range(1 + refeeds):
            output, gradient = gradients(ws, x, 1, next(masks), observed)
            if refeed == 0:
                losses.append((observed * (x - output) ** 2).sum() / observed.sum())
            velocity = [MOMENTUM * v - RATE * g for v, g in zip(velocity, gradient, strict=True)]
            ws = [w + v for w, v in zip(ws, velocity, strict=True)]
            x, observed = output, np.ones_like(output)  # f(x) before the update, and all its entries
    return ws, np.mean(losses)


def check_steps(refeeds, scale):
    """Compares two training batches in Keras with the same in numpy."""
    model = DeepRec(6, hidden_dims=(4, 3), refeeds=refeeds, seed=1)
    model.build()
    # Both sides use the same dropout masks, another one in each pass.
    n_passes = len(BATCHES) * (1 + refeeds)
    draws = (np.random.default_rng(5).random((n_passes, 3, 3)) < 0.6) / 0.6
    cycle = itertools.cycle(draws)
    model.drop.call = lambda hidden, training=False: hidden * next(cycle).astype("float32")
    expected, loss = numpy_training(weights(model), refeeds, iter(draws))
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    if scale:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024.0)
    model.compile(optimizer, run_eagerly=True)  # tracing would consume a mask
    history = model.fit(np.concatenate(BATCHES), batch_size=3, shuffle=False, verbose=0).history
    for weight, expected_weight in zip(weights(model), expected, strict=True):
        np.testing.assert_allclose(weight, expected_weight, atol=2e-5)
    np.testing.assert_allclose(history["loss"], loss, rtol=1e-5)
    assert int(model.optimizer.iterations) == n_passes


CONFIGURATIONS = [(0, False), (1, False), (2, False), (1, True)]


@pytest.mark.parametrize(("refeeds", "scale"), CONFIGURATIONS)
def test_training_equals_numpy(refeeds, scale):
    check_steps(refeeds, scale)


def test_training_equals_numpy_on_jax():
    check = f"import test_deep_rec as t\nfor c in {CONFIGURATIONS}: t.check_steps(*c)"
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parents[1])])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path}
    process = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr[-3000:]


def test_scores_and_loss_are_the_formula():
    table = table_for("deep_rec")
    model = DeepRec.for_interactions(table, hidden_dims=(9, 5), seed=1)
    x = table.matrix.toarray().astype(np.float64)
    output, _ = forward(weights(model), x, 1, 1.0)
    np.testing.assert_allclose(scores(model, table), output, atol=1e-4)
    observed = x != 0
    batch = model.batches(table, len(x))[0][0]
    loss = (observed * (x - output) ** 2).sum() / observed.sum()
    assert float(model.compute_loss(batch, None, model(batch))) == pytest.approx(loss, rel=1e-5)


def test_the_default_architecture_is_the_papers():
    model = DeepRec(700)
    assert [layer.units for layer in layers(model)] == [512, 512, 1024, 512, 512, 700]
    assert {layer.activation.__name__ for layer in layers(model)} == {"selu"}
    assert (model.drop.rate, model.default_batch_size) == (0.8, 128)


def test_the_papers_learning_rate_is_halved_over_the_planned_run():
    table = table_for("deep_rec")  # 90 users: one batch per epoch
    for refeeds, rate in ((0, 0.001), (1, 0.005)):
        optimizer = DeepRec.for_interactions(table, epochs=100, refeeds=refeeds).paper_optimizer()
        assert optimizer.momentum == 0.9
        schedule = optimizer._learning_rate
        rates = [float(schedule(epoch * (1 + refeeds))) for epoch in (0, 23, 25, 37, 49, 67, 73, 99)]
        np.testing.assert_allclose(rates, [rate / 2**n for n in (0, 0, 1, 2, 3, 4, 5, 5)], rtol=1e-6)
    assert float(DeepRec(5).paper_optimizer().learning_rate) == pytest.approx(0.005)
    assert float(DeepRec(5).paper_optimizer(0.02).learning_rate) == pytest.approx(0.02)
    assert float(DeepRec(5, refeeds=0).paper_optimizer().learning_rate) == pytest.approx(0.001)


@pytest.mark.parametrize("refeeds", [0, 1])
def test_the_default_learning_rate_falls_to_0_at_the_last_update_of_the_run(refeeds):
    model = DeepRec.for_interactions(table_for("deep_rec"), epochs=10, refeeds=refeeds)
    optimizer = model.default_optimizer()
    assert optimizer.weight_decay == 1.0
    updates = 10 * (1 + refeeds)  # 90 users: one batch per epoch
    rates = [float(optimizer._learning_rate(step)) for step in (0, updates / 2, updates)]
    np.testing.assert_allclose(rates, [1e-3, 5e-4, 0], atol=1e-9)
    unplanned = DeepRec(5, refeeds=refeeds)
    assert float(unplanned.default_optimizer().learning_rate) == pytest.approx(1e-3)
    with pytest.raises(ValueError, match="no run is planned"):
        unplanned.cosine_decay(1e-3)


def test_negative_refeeds_are_refused():
    with pytest.raises(ValueError, match="`refeeds`: expected at least 0, got -1"):
        DeepRec(5, refeeds=-1)


def test_a_frozen_model_reports_its_loss():
    table = table_for("deep_rec")
    model = DeepRec.for_interactions(table, hidden_dims=(4,), refeeds=1, seed=1)
    model.trainable = False
    model.compile()
    before = model.get_weights()
    assert np.isfinite(model.fit(table, batch_size=45, verbose=0).history["loss"]).all()
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)
