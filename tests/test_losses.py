"""Losses against numpy, from the formulas of the papers."""

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


def test_multinomial_nll():
    expected = -(LIKES * log_softmax(LOGITS)).sum(-1)
    np.testing.assert_allclose(losses.MultinomialNLL(reduction="none")(LIKES, LOGITS), expected, rtol=1e-5)
    assert float(losses.MultinomialNLL()(LIKES, LOGITS)) == pytest.approx(expected.mean(), rel=1e-6)


def test_logistic_nll():
    p = sigmoid(LOGITS)
    expected = -(LIKES * np.log(p) + (1 - LIKES) * np.log(1 - p)).sum(-1)
    np.testing.assert_allclose(losses.LogisticNLL(reduction="none")(LIKES, LOGITS), expected, rtol=1e-5)


def test_focal_loss_and_its_gradient():
    p = sigmoid(LOGITS.astype(np.float64))
    entries = np.where(LIKES > 0, -0.3 * (1 - p) ** 1.5 * np.log(p), -0.7 * p**1.5 * np.log(1 - p))
    loss = losses.FocalLoss(alpha=0.3, gamma=1.5, reduction="none")
    np.testing.assert_allclose(loss(LIKES, LOGITS), entries.sum(-1), rtol=1e-5)
    keras_loss = keras.losses.BinaryFocalCrossentropy(True, alpha=0.3, gamma=1.5, from_logits=True, reduction=None)
    logits = tf.Variable(LOGITS)
    gradients = []
    for loss in (lambda f: losses.FocalLoss(alpha=0.3, gamma=1.5)(LIKES, f), lambda f: keras_loss(LIKES, f) * 11 / 6):
        with tf.GradientTape() as tape:
            value = loss(logits)
        gradients.append(tape.gradient(value, logits))
    np.testing.assert_allclose(*gradients, atol=1e-6)
    assert np.isfinite(losses.FocalLoss()(LIKES, 300 * LOGITS))


@pytest.mark.parametrize(("arguments", "name"), [({"alpha": 1.5}, "alpha"), ({"gamma": -1.0}, "gamma")])
def test_invalid_arguments_of_the_focal_loss_raise(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`: expected"):
        losses.FocalLoss(**arguments)


def test_gaussian_nll():
    expected = (np.where(LIKES > 0, 3.0, 1.0) / 2 * (LIKES - LOGITS) ** 2).sum(-1)
    loss = losses.GaussianNLL(observed_weight=3.0, reduction="none")
    np.testing.assert_allclose(loss(LIKES, LOGITS), expected, rtol=1e-5)


def test_gaussian_kl_is_zero_for_the_prior_and_equals_a_sampled_estimate():
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


def test_masked_squared_error_counts_observed_entries_including_ratings_of_0():
    nan = np.nan
    ratings = np.array([[5.0, nan, 0.0], [nan, nan, nan], [2.0, nan, nan]], np.float32)
    predicted = np.array([[4.0, 9.0, 2.0], [9.0, 9.0, 9.0], [2.0, 9.0, 9.0]], np.float32)
    assert float(losses.MaskedMeanSquaredError(per="row")(ratings, predicted)) == pytest.approx((1 + 4) / 3)
    assert float(losses.MaskedMeanSquaredError(per="entry")(ratings, predicted)) == pytest.approx((1 + 4) / 3)
    one_row = losses.MaskedMeanSquaredError(per="entry")(ratings[:1], predicted[:1])
    assert float(one_row) == pytest.approx((1 + 4) / 2)


def test_masked_squared_error_with_0_as_the_missing_value():
    loss = losses.MaskedMeanSquaredError(per="entry", missing=0.0)
    assert float(loss(np.array([[5.0, 0.0]]), np.array([[3.0, 8.0]]))) == pytest.approx(4.0)


def test_masked_squared_error_has_gradient_0_at_unobserved_entries():
    predicted = tf.Variable([[4.0, 9.0]])
    with tf.GradientTape() as tape:
        loss = losses.MaskedMeanSquaredError()(np.array([[5.0, np.nan]], np.float32), predicted)
    assert tape.gradient(loss, predicted).numpy().tolist() == [[-2.0, 0.0]]


@pytest.mark.parametrize("name", ["MultinomialNLL", "LogisticNLL", "GaussianNLL"])
def test_losses_of_bfloat16_predictions_are_computed_in_float32(name):
    loss = getattr(losses, name)()
    low_precision = keras.ops.cast(LOGITS, "bfloat16")
    expected = float(loss(LIKES, keras.ops.cast(low_precision, "float32")))
    assert float(loss(LIKES, low_precision)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.MaskedMeanSquaredError(per="user"), "`per`"),
        (lambda: losses.NegativeELBO("poisson"), "`likelihood`"),
        (lambda: losses.NegativeELBO(beta=-1), "`beta`: expected at least 0, got -1"),
        (lambda: losses.PointwiseLoss("hinge"), "`objective`: expected one of logistic, square, got 'hinge'"),
    ],
)
def test_invalid_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_multinomial_nll_and_gradient_of_ids_equal_those_of_dense_rows():
    rng = np.random.default_rng(0)
    ids = np.array([[3, 0, 5, -1], [-1, 2, -1, -1], [-1, -1, -1, -1], [1, 2, 3, 4]])  # padding in front as well
    dense = np.zeros((4, 6), np.float32)
    for row, columns in enumerate(ids):
        dense[row, columns[columns >= 0]] = 1
    logits, weights = rng.normal(size=(4, 6)).astype(np.float32), np.array([1.0, 2.0, 3.0, 0.5], np.float32)
    results = []
    for targets in ({"ids": ids}, dense):
        with tf.GradientTape() as tape:
            f = tf.Variable(logits)
            loss = losses.MultinomialNLL()(targets, f + 0.0, weights)
        results.append((loss, tape.gradient(loss, f)))
    for of_ids, of_rows in zip(*results, strict=True):
        np.testing.assert_allclose(of_ids, of_rows, rtol=1e-5, atol=1e-6)
    assert abs(np.asarray(results[0][1])).max() > 0.1


@pytest.mark.parametrize("per", ["row", "entry"])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_masked_squared_error_and_gradient_of_ids_equal_those_of_dense_rows(per, jit_compile):
    ids = np.array([[3, 0, 5, -1], [-1, 2, -1, -1], [-1, -1, -1, -1], [1, 2, 3, 4]])
    values = np.array([[5.0, 0.0, 2.5, 9.0], [9, 3, 9, 9], [9, 9, 9, 9], [1, 2, 3, 4]], np.float32)  # 9 is padding
    dense = np.full((4, 6), np.nan, np.float32)
    for row in range(4):
        dense[row, ids[row][ids[row] >= 0]] = values[row][ids[row] >= 0]
    predicted = tf.constant(RNG.normal(size=(4, 6)), tf.float32)

    @tf.function(jit_compile=jit_compile)
    def loss_and_gradient(targets):
        with tf.GradientTape() as tape:
            tape.watch(predicted)
            loss = losses.MaskedMeanSquaredError(per)(targets, predicted)
        return loss, tape.gradient(loss, predicted)

    by_entry = loss_and_gradient({"ids": tf.constant(ids), "values": tf.constant(values)})
    by_row = loss_and_gradient(tf.constant(dense))
    np.testing.assert_allclose(by_entry[0], by_row[0], rtol=1e-6)
    np.testing.assert_allclose(by_entry[1], by_row[1], rtol=1e-5, atol=1e-7)
    assert abs(by_row[1].numpy()).max() > 0.1


@pytest.mark.parametrize("reduction", ["none", "sum", "sum_over_batch_size"])
def test_losses_of_ids_are_weighted_and_reduced_as_those_of_dense_rows(reduction):
    ids = np.array([np.append(np.flatnonzero(row), [-1] * (11 - int(row.sum()))) for row in LIKES], np.int32)
    weights = np.arange(6, dtype=np.float32)
    loss = losses.MultinomialNLL(reduction=reduction)
    np.testing.assert_allclose(loss({"ids": ids}, LOGITS, weights), loss(LIKES, LOGITS, weights), rtol=1e-5)


def test_ids_above_16777216_are_not_rounded():
    n = 2**24 + 2
    logits = np.zeros((1, n), np.float32)
    logits[0, -1] = 30.0
    loss = losses.MultinomialNLL()({"ids": np.array([[n - 1]])}, logits)
    assert float(loss) == pytest.approx(np.log1p((n - 1) * np.exp(-30.0)), abs=1e-5)


def test_losses_that_need_dense_rows_refuse_ids():
    ids = {"ids": np.array([[0, 1]])}
    for loss in (losses.LogisticNLL(), losses.GaussianNLL()):
        message = f"`y_true` of {type(loss).__name__}: expected dense rows .*, got lists of ids. Fix: .*Densify"
        with pytest.raises(ValueError, match=message):
            loss(ids, np.zeros((1, 3), np.float32))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (losses.NegativeELBO(), "`y_pred` of NegativeELBO: expected a dictionary .* Fix: .*AddNegativeELBO"),
        (losses.PointwiseLoss(), "`y_true` of PointwiseLoss: expected a dictionary .* Fix: .*compute_loss"),
    ],
)
def test_losses_that_need_several_arrays_refuse_one(loss, message):
    with pytest.raises(ValueError, match=message):
        loss(LIKES, LIKES)


@pytest.mark.parametrize("name", ["LogisticNLL", "MultinomialNLL", "GaussianNLL", "MaskedMeanSquaredError"])
def test_targets_with_another_number_of_columns_are_refused(name):
    with pytest.raises(ValueError, match="`y_pred`: expected 1 columns, as in `y_true`, got 3"):
        getattr(losses, name)()(np.ones((2, 1), np.float32), np.zeros((2, 3), np.float32))


def masked(predictions, mask):
    """Predictions with the mask that Keras' masking layers attach."""
    tensor = keras.ops.convert_to_tensor(predictions)
    tensor._keras_mask = keras.ops.convert_to_tensor(mask)
    return tensor


def test_masked_rows_are_not_in_the_mean_over_entries():
    ratings = np.array([[5.0, 0.0, 3.0], [1.0, 2.0, 4.0]], np.float32)
    predictions = masked(np.zeros((2, 3), np.float32), [True, False])
    loss = losses.MaskedMeanSquaredError("entry", missing=0.0)
    assert float(loss(ratings, predictions)) == pytest.approx((25 + 9) / 2)
    assert float(loss(ratings, masked(np.zeros((2, 3), np.float32), [False, False]))) == 0.0


def test_masked_rows_are_not_in_the_mean_over_rows():
    ratings = np.array([[5.0, 0.0, 3.0], [1.0, 2.0, 4.0]], np.float32)
    predictions = masked(np.zeros((2, 3), np.float32), [True, False])
    assert float(losses.MaskedMeanSquaredError("row", missing=0.0)(ratings, predictions)) == pytest.approx(25 + 9)


@pytest.mark.parametrize("name", ["LogisticNLL", "MultinomialNLL", "GaussianNLL", "MaskedMeanSquaredError"])
def test_losses_accept_python_lists(name):
    targets, predictions = [[1.0, 0.0, 1.0]], [[0.5, -1.0, 2.0]]
    loss = getattr(losses, name)()
    assert float(loss(targets, predictions)) == pytest.approx(float(loss(np.array(targets), np.array(predictions))))


@pytest.mark.parametrize(("beta", "expected_beta"), [(None, 0.3), (0.05, 0.05)])
def test_a_beta_among_the_outputs_replaces_the_constant(beta, expected_beta):
    outputs = {"logits": LOGITS, "mean": MEAN, "log_var": LOG_VAR, **({} if beta is None else {"beta": beta})}
    loss = losses.NegativeELBO(beta=0.3, reduction="none")(LIKES, outputs)
    nll = -(LIKES * log_softmax(LOGITS)).sum(-1)
    np.testing.assert_allclose(loss, nll + expected_beta * kl(MEAN, LOG_VAR), rtol=1e-5)
