"""Losses against numpy, written from the papers' formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasrec import losses

RNG = np.random.default_rng(7)
LIKES = (RNG.random((6, 11)) < 0.3).astype(np.float32)
LOGITS = RNG.normal(size=(6, 11)).astype(np.float32)
MEAN, LOG_VAR = RNG.normal(size=(2, 6, 4)).astype(np.float32)


def log_softmax(f):
    return f - np.log(np.exp(f).sum(-1, keepdims=True))


def sigmoid(f):
    return 1 / (1 + np.exp(-f))


def kl(mean, log_var):
    return 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(-1)


def test_multinomial():
    expected = -(LIKES * log_softmax(LOGITS)).sum(-1)
    np.testing.assert_allclose(losses.MultinomialNLL(reduction="none")(LIKES, LOGITS), expected, rtol=1e-5)
    assert float(losses.MultinomialNLL()(LIKES, LOGITS)) == pytest.approx(expected.mean(), rel=1e-6)


def test_logistic():
    p = sigmoid(LOGITS)
    expected = -(LIKES * np.log(p) + (1 - LIKES) * np.log(1 - p)).sum(-1)
    np.testing.assert_allclose(losses.LogisticNLL(reduction="none")(LIKES, LOGITS), expected, rtol=1e-5)


def test_gaussian():
    expected = (np.where(LIKES > 0, 3.0, 1.0) / 2 * (LIKES - LOGITS) ** 2).sum(-1)
    loss = losses.GaussianNLL(observed_weight=3.0, reduction="none")
    np.testing.assert_allclose(loss(LIKES, LOGITS), expected, rtol=1e-5)


def test_kl_is_zero_for_the_prior_and_matches_a_sampled_estimate():
    assert np.allclose(losses.gaussian_kl(np.zeros((2, 3)), np.zeros((2, 3))), 0)
    np.testing.assert_allclose(losses.gaussian_kl(MEAN, LOG_VAR), kl(MEAN, LOG_VAR), rtol=1e-5)
    sigma = np.exp(LOG_VAR[0] / 2)
    z = MEAN[0] + sigma * RNG.normal(size=(400_000, 4))
    log_q = (-0.5 * ((z - MEAN[0]) / sigma) ** 2 - np.log(sigma)).sum(-1)
    log_p = (-0.5 * z**2).sum(-1)
    assert float(losses.gaussian_kl(MEAN, LOG_VAR)[0]) == pytest.approx((log_q - log_p).mean(), rel=0.01)


@pytest.mark.parametrize("likelihood", losses.LIKELIHOODS)
def test_negative_elbo_is_the_sum_of_its_parts(likelihood):
    nll = losses.LIKELIHOODS[likelihood](reduction="none")(LIKES, LOGITS)
    outputs = {"logits": LOGITS, "mean": MEAN, "log_var": LOG_VAR}
    loss = losses.NegativeELBO(likelihood, beta=0.3, reduction="none")(LIKES, outputs)
    np.testing.assert_allclose(loss, np.asarray(nll) + 0.3 * kl(MEAN, LOG_VAR), rtol=1e-5)


def test_masked_error_counts_observed_entries_only_and_a_zero_rating_is_one():
    nan = np.nan
    truth = np.array([[5.0, nan, 0.0], [nan, nan, nan], [2.0, nan, nan]], np.float32)
    predicted = np.array([[4.0, 9.0, 2.0], [9.0, 9.0, 9.0], [2.0, 9.0, 9.0]], np.float32)
    assert float(losses.MaskedMeanSquaredError(per="row")(truth, predicted)) == pytest.approx((1 + 4) / 3)
    assert float(losses.MaskedMeanSquaredError(per="entry")(truth, predicted)) == pytest.approx((1 + 4) / 3)
    two = losses.MaskedMeanSquaredError(per="entry")(truth[:1], predicted[:1])
    assert float(two) == pytest.approx((1 + 4) / 2)


def test_masked_error_with_another_mark():
    loss = losses.MaskedMeanSquaredError(per="entry", missing=0.0)
    assert float(loss(np.array([[5.0, 0.0]]), np.array([[3.0, 8.0]]))) == pytest.approx(4.0)


def test_masked_error_has_a_finite_gradient_where_nothing_was_observed():
    import tensorflow as tf

    predicted = tf.Variable([[4.0, 9.0]])
    with tf.GradientTape() as tape:
        loss = losses.MaskedMeanSquaredError()(np.array([[5.0, np.nan]], np.float32), predicted)
    assert tape.gradient(loss, predicted).numpy().tolist() == [[-2.0, 0.0]]


@pytest.mark.parametrize("name", ["MultinomialNLL", "LogisticNLL", "GaussianNLL"])
def test_half_precision_predictions_lose_nothing_in_the_loss(name):
    loss = getattr(losses, name)()
    half = keras.ops.cast(LOGITS, "bfloat16")
    assert float(loss(LIKES, half)) == pytest.approx(float(loss(LIKES, keras.ops.cast(half, "float32"))), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.MaskedMeanSquaredError(per="user"), "`per`"),
        (lambda: losses.NegativeELBO("poisson"), "`likelihood`"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_multinomial_nll_of_ids_is_that_of_dense_rows_and_so_is_its_gradient():
    rng = np.random.default_rng(0)
    ids = np.array([[3, 0, 5, -1], [-1, 2, -1, -1], [-1, -1, -1, -1], [1, 2, 3, 4]])  # padding in front as well
    dense = np.zeros((4, 6), np.float32)
    for row, columns in enumerate(ids):
        dense[row, columns[columns >= 0]] = 1
    logits, weights = rng.normal(size=(4, 6)).astype(np.float32), np.array([1.0, 2.0, 3.0, 0.5], np.float32)
    found = []
    for truth in ({"ids": ids}, dense):
        with tf.GradientTape() as tape:
            f = tf.Variable(logits)
            loss = losses.MultinomialNLL()(truth, f + 0.0, weights)
        found.append((loss, tape.gradient(loss, f)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert abs(np.asarray(found[0][1])).max() > 0.1


@pytest.mark.parametrize("per", ["row", "entry"])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_masked_squared_error_of_entries_is_that_of_dense_rows_and_so_is_its_gradient(per, jit_compile):
    ids = np.array([[3, 0, 5, -1], [-1, 2, -1, -1], [-1, -1, -1, -1], [1, 2, 3, 4]])
    values = np.array([[5.0, 0.0, 2.5, 9.0], [9, 3, 9, 9], [9, 9, 9, 9], [1, 2, 3, 4]], np.float32)  # 9 is padding
    dense = np.full((4, 6), np.nan, np.float32)
    for row in range(4):
        dense[row, ids[row][ids[row] >= 0]] = values[row][ids[row] >= 0]
    predicted = tf.constant(RNG.normal(size=(4, 6)), tf.float32)

    @tf.function(jit_compile=jit_compile)
    def loss_and_gradient(truth):
        with tf.GradientTape() as tape:
            tape.watch(predicted)
            loss = losses.MaskedMeanSquaredError(per)(truth, predicted)
        return loss, tape.gradient(loss, predicted)

    by_entry = loss_and_gradient({"ids": tf.constant(ids), "values": tf.constant(values)})
    by_row = loss_and_gradient(tf.constant(dense))
    np.testing.assert_allclose(by_entry[0], by_row[0], rtol=1e-6)
    np.testing.assert_allclose(by_entry[1], by_row[1], rtol=1e-5, atol=1e-7)
    assert abs(by_row[1].numpy()).max() > 0.1


@pytest.mark.parametrize("reduction", ["none", "sum", "sum_over_batch_size"])
def test_losses_of_ids_are_weighed_and_reduced_as_keras_does(reduction):
    ids = np.array([np.append(np.flatnonzero(row), [-1] * (11 - int(row.sum()))) for row in LIKES], np.int32)
    weights = np.arange(6, dtype=np.float32)
    loss = losses.MultinomialNLL(reduction=reduction)
    np.testing.assert_allclose(loss({"ids": ids}, LOGITS, weights), loss(LIKES, LOGITS, weights), rtol=1e-5)


def test_an_id_that_float32_cannot_hold_is_the_one_that_counts():
    n = 2**24 + 2
    logits = np.zeros((1, n), np.float32)
    logits[0, -1] = 30.0
    loss = losses.MultinomialNLL()({"ids": np.array([[n - 1]])}, logits)
    assert float(loss) == pytest.approx(np.log1p((n - 1) * np.exp(-30.0)), abs=1e-5)


def test_what_a_loss_cannot_read_is_refused():
    ids = {"ids": np.array([[0, 1]])}
    with pytest.raises(ValueError, match="LogisticNLL takes rows as `y_true`, not lists of ids"):
        losses.LogisticNLL()(ids, np.zeros((1, 3), np.float32))
    for loss in (losses.LogisticNLL(), losses.MultinomialNLL(), losses.MaskedMeanSquaredError()):
        with pytest.raises(ValueError, match="`y_true` has 1 columns and `y_pred` 3"):
            loss(np.ones((2, 1), np.float32), np.zeros((2, 3), np.float32))
