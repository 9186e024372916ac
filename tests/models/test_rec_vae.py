"""RecVAE's maths against numpy, and what each of its parts learns from."""

import warnings

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, make, scores

from kerasrec import RecVAE


def array(weight):
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float64)


def numpy_code(encoder, x):
    """μ and log σ² of dense rows."""
    stack, *heads = encoder
    hidden = x / np.maximum(np.sqrt((x**2).sum(1, keepdims=True)), 1e-12)
    before = 0.0
    for dense, norm in zip(stack.dense, stack.norms, strict=True):
        a = hidden @ array(dense.kernel) + array(dense.bias) + before
        swish = a / (1 + np.exp(-a))
        spread = np.sqrt(swish.var(1, keepdims=True) + 0.1)
        hidden = (swish - swish.mean(1, keepdims=True)) / spread * array(norm.gamma) + array(norm.beta)
        before = before + hidden
    return tuple(hidden @ array(head.kernel) + array(head.bias) for head in heads)


def normal(z, mean, log_var):
    return np.exp(-((z - mean) ** 2) / (2 * np.exp(log_var))) / np.sqrt(2 * np.pi * np.exp(log_var))


def test_the_old_encoder_stays_old_after_freezing_and_thawing():
    model, table, _ = small(refresh_steps=10**6)
    model.trainable = False
    model.trainable = True
    model.compile(keras.optimizers.SGD(0.1))
    before = [array(w) for layer in model.old_encoder for w in layer.weights]
    with warnings.catch_warnings(action="ignore"):  # Keras': there are weights without a gradient
        model.fit(table, epochs=1, batch_size=90, verbose=0)
    after = [array(w) for layer in model.old_encoder for w in layer.weights]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def small(**arguments):
    table = blocks()
    settings = {"hidden_dim": 9, "depth": 4, "latent_dim": 5, "gamma": 0.03, "dropout": 0.0, "seed": 1, **arguments}
    model = RecVAE(table.n_items, **settings)
    model.build()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, w.shape) if len(w.shape) else np.array(1) for w in model.weights])
    return model, table, table.matrix.toarray().astype(np.float64)


def test_scores_are_the_formula():
    model, table, x = small()
    mean, _ = numpy_code(model.encoder, x)
    expected = mean @ array(model.logits.kernel) + array(model.logits.bias)
    np.testing.assert_allclose(scores(model, table), expected, atol=1e-4)


def test_the_loss_is_the_formula():
    """With z = μ, so that there is nothing to draw; step 1 of many, so that the old encoder stays another one."""
    model, table, x = small()
    model.sampling.call = lambda mean, log_var, training=False: mean
    batch = model.batches(table, len(x))[0][0]
    loss = float(model.compute_loss(batch, None, model(batch, training=True)))
    z, log_var = numpy_code(model.encoder, x)
    logits = z @ array(model.logits.kernel) + array(model.logits.bias)
    nll = -(x * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1)
    old = numpy_code(model.old_encoder, x)
    prior = 0.15 * normal(z, 0, 0) + 0.75 * normal(z, *old) + 0.1 * normal(z, 0, 10)
    apart = (np.log(normal(z, z, log_var)) - np.log(prior)).sum(1)
    assert np.abs(apart).mean() > 1
    assert loss == pytest.approx((nll + 0.03 * x.sum(1) * apart + nll).mean(), rel=1e-4)


def gradients(model, batch, training=True):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, None, model(batch, training=training), training=training)
    weights = model.trainable_variables
    return dict(
        zip([w.path.partition("/")[2] for w in weights], tape.gradient(loss, [w.value for w in weights]), strict=True)
    )


def test_each_part_learns_from_its_own_loss():
    """Dropout and γ are the encoder's: they move its gradient, and leave the decoder's as it is."""
    found = []
    for settings in ({}, {"dropout": 0.9, "gamma": 3.0}):
        model, table, x = small(**settings)
        model.sampling.call = lambda mean, log_var, training=False: mean
        found.append(gradients(model, model.batches(table, len(x))[0][0]))
    for path, gradient in found[0].items():
        assert np.allclose(gradient, found[1][path], rtol=1e-3, atol=1e-5) == path.startswith("logits"), path
    assert not any("old" in path for path in found[0])


def test_a_part_learns_nothing_from_the_others_loss():
    """Without noise and γ both minimise one loss, that of the whole model: each must find its gradient there, once."""
    model, table, x = small(gamma=0.0)
    model.sampling.call = lambda mean, log_var, training=False: mean
    batch = model.batches(table, len(x))[0][0]
    whole = gradients(model, batch, training=False)
    for path, gradient in gradients(model, batch).items():
        if "log_var" not in path:
            assert np.abs(whole[path]).max() > 1e-3, path
            np.testing.assert_allclose(gradient, whole[path], rtol=1e-3, atol=1e-5, err_msg=path)


def kernels(encoder):
    return [w.numpy() for layer in encoder for w in layer.weights if len(w.shape) == 2]


def test_the_old_encoder_is_the_one_of_the_last_look():
    table = blocks()
    model = make("rec_vae", table, refresh_steps=4)
    model.build()
    looked = []
    for _ in range(9):
        before = kernels(model.encoder)
        model.train_on_batch(model.batches(table, len(table.indptr))[0][0])
        same = {np.array_equal(*pair) for pair in zip(kernels(model.old_encoder), before, strict=True)}
        assert len(same) == 1
        looked += same
        assert not np.array_equal(kernels(model.old_encoder)[-1], kernels(model.encoder)[-1])
    assert looked == [step % 4 == 0 for step in range(9)]


def test_an_export_leaves_out_what_only_training_reads(tmp_path):
    import tensorflow as tf

    from kerasrec import export_saved_model

    model, table, _ = small()
    version = export_saved_model(model, tmp_path, table)
    written = tf.train.list_variables(str(version / "variables" / "variables"))
    assert len([shape for _, shape in written if shape == [table.n_items, 9]]) == 1


def test_the_looks_are_spread_over_the_run():
    table = blocks()
    assert RecVAE.for_interactions(table, epochs=100, batch_size=45).refresh_steps == 4  # 200 updates
    assert RecVAE.for_interactions(table).refresh_steps == 700


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"depth": 0}, "`depth`: expected at least 1"),
        ({"gamma": -0.1}, "`gamma`: expected at least 0, got -0.1"),
        ({"refresh_steps": 0}, "`refresh_steps`: expected at least 1"),
        ({"mixture": (0.5, 0.6, 0.1)}, "`mixture` must be three weights above 0 that sum to 1"),
        ({"mixture": (1.0, 0.0, 0.0)}, "`mixture` must be three weights above 0 that sum to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        RecVAE(5, **arguments)
