"""Layers: rows of ids give the outputs and gradients of dense rows; bfloat16 products; arguments; symbolic shapes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasrec.layers import (
    AddNegativeELBO,
    BFloat16Dense,
    Densify,
    GaussianSampling,
    Logits,
    NextItemLogits,
    RowDense,
    SampledLogits,
)
from kerasrec.losses import NegativeELBO
from kerasrec.models import precision
from kerasrec.ops.sparse_rows import observed_rows

IDS = np.array([[2, 0, 3], [3, -1, -1], [-1, -1, -1]])
VALUES = np.array([[5.0, 0.5, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
DENSE = np.array([[0.5, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 2.0], [0.0] * 4], np.float32)


def test_a_functional_model_of_lists_of_ids_can_be_cloned():
    ids = {"ids": keras.Input((None,), dtype="int32", name="ids")}
    with pytest.raises(ValueError, match="`n_columns` of RowDense: expected the number of columns .*, got None"):
        RowDense(8)(ids)
    built = RowDense(8)
    built.build((None, 4))
    for layer in (RowDense(8, n_columns=4), built):
        model = keras.Model(ids, Logits(4)(layer(ids)))
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(clone({"ids": IDS}), model({"ids": IDS}))


def test_the_loss_of_next_items_builds_the_layer():
    layer = NextItemLogits(5)
    layer.nll(np.zeros((1, 2, 3), np.float32), np.array([[1, 2]]))
    assert layer.kernel.shape == (3, 5)


def test_symbolic_shapes_and_dtypes_are_those_of_the_outputs():
    assert NextItemLogits(60)(keras.Input((5, 4))).shape == (None, 5, 60)
    assert RowDense(4)(keras.Input((3, 60))).shape == (None, 3, 4)
    rows = Densify(4, dtype="bfloat16")
    assert rows(keras.Input((4,))).dtype == keras.backend.standardize_dtype(rows(DENSE).dtype) == "bfloat16"
    assert Densify(4)({"ids": IDS}).dtype == "float32"
    sampled = SampledLogits(9, n_sampled=4, dtype="mixed_float16")
    assert sampled.compute_output_spec(keras.KerasTensor((2, 3))).dtype == "float16"
    assert keras.backend.standardize_dtype(sampled(np.ones((2, 3), np.float32)).dtype) == "float16"


@pytest.mark.parametrize("use_values", [True, False])
@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("n_columns", [4, 3000])  # wide rows are multiplied entry by entry, narrow rows as dense rows
def test_row_dense_of_ids_has_the_output_and_gradient_of_dense_rows(use_values, jit_compile, n_columns):
    dense_rows = np.pad(DENSE, [(0, 0), (0, n_columns - 4)])
    layer = RowDense(5, "tanh", kernel_initializer=keras.initializers.GlorotUniform(1), bias_initializer="ones")
    layer.build((None, n_columns))

    @tf.function(jit_compile=jit_compile)
    def output_and_gradient(rows):
        with tf.GradientTape() as tape:
            output = layer(observed_rows(rows, use_values))
            total = tf.reduce_sum(output * tf.constant(np.arange(15.0).reshape(3, 5), tf.float32))
        return output, tape.gradient(total, layer.trainable_weights[0].value)

    sparse = output_and_gradient({"ids": tf.constant(IDS), "values": tf.constant(VALUES)})
    dense = output_and_gradient(tf.constant(dense_rows))
    x = dense_rows if use_values else (dense_rows != 0).astype(np.float32)
    np.testing.assert_allclose(sparse[0], np.tanh(x @ np.asarray(layer.kernel) + 1.0), atol=1e-6)
    np.testing.assert_allclose(sparse[0], dense[0], atol=1e-6)
    np.testing.assert_allclose(tf.convert_to_tensor(sparse[1]), dense[1], atol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_row_dense_sums_in_float32_under_mixed_precision(dtype):
    layer = RowDense(1, kernel_initializer="ones", use_bias=False, dtype=dtype)
    layer.build((None, 1000))
    wide = {"ids": np.arange(1000)[None], "values": np.full((1, 1000), 0.01, np.float32)}
    total = float(layer(wide)[0, 0])
    assert total == pytest.approx(10.0, rel=0.01)  # a sum in bfloat16 would stop at 4
    assert keras.backend.standardize_dtype(layer(wide).dtype) == dtype.removeprefix("mixed_")


@pytest.mark.parametrize(
    ("variable", "is_fast", "expected"),
    [
        (None, True, "bfloat16"),
        (None, False, None),
        ("float32", True, None),
        ("float32", False, None),
        ("bfloat16", True, "bfloat16"),
        ("bfloat16", False, "bfloat16"),
    ],
)
def test_models_use_bfloat16_products_on_fast_hardware_unless_the_variable_overrides_it(
    variable, is_fast, expected, monkeypatch
):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: is_fast)
    monkeypatch.delenv("KERASREC_PRECISION", raising=False)
    if variable:
        monkeypatch.setenv("KERASREC_PRECISION", variable)
    assert precision.product_dtype() == expected


def test_another_value_of_the_precision_variable_is_refused(monkeypatch):
    monkeypatch.setenv("KERASREC_PRECISION", "half")
    with pytest.raises(ValueError, match="KERASREC_PRECISION: expected float32 or bfloat16, got 'half'"):
        precision.product_dtype()


HIDDEN = np.random.default_rng(0).normal(size=(2, 3, 30)).astype(np.float32)


def as_float32(tensor):
    return np.asarray(ops.cast(tensor, "float32"))


@pytest.mark.parametrize("kind", [Logits, NextItemLogits])
def test_logits_have_bfloat16_products_in_training_only(kind):
    layer = kind(50, product_dtype="bfloat16", kernel_initializer=keras.initializers.GlorotUniform(1))
    full = kind(50, kernel_initializer=keras.initializers.GlorotUniform(1))
    expected = np.asarray(full(HIDDEN))
    np.testing.assert_array_equal(full(HIDDEN, training=True), expected)
    np.testing.assert_array_equal(layer(HIDDEN), expected)
    assert 0 < abs(np.asarray(layer(HIDDEN, training=True)) - expected).max() < 0.05
    assert keras.backend.standardize_dtype(layer(HIDDEN, training=True).dtype) == "float32"


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_bfloat16_dense_equals_dense_but_for_products_in_training(policy):
    arguments = {"activation": "tanh", "bias_initializer": "ones", "dtype": policy}
    layer, full = BFloat16Dense(6, **arguments), BFloat16Dense(6, product_dtype=None, **arguments)
    plain = keras.layers.Dense(6, **arguments)
    for dense in (layer, full, plain):
        dense.build(HIDDEN.shape)
        dense.set_weights(layer.get_weights())
    expected = as_float32(plain(HIDDEN))
    np.testing.assert_allclose(as_float32(full(HIDDEN, training=True)), expected, atol=1e-6)
    np.testing.assert_allclose(as_float32(layer(HIDDEN)), expected, atol=1e-6)
    assert layer(HIDDEN).dtype == plain(HIDDEN).dtype
    with tf.GradientTape() as tape:
        output = layer(HIDDEN, training=True)
        total = tf.reduce_sum(ops.cast(output, "float32"))
    assert output.dtype == plain(HIDDEN).dtype
    difference = abs(as_float32(output) - expected).max()
    assert difference < 0.05 and (policy != "float32" or difference > 0)
    assert tape.gradient(total, layer.kernel.value).dtype == tf.float32


def test_row_dense_has_bfloat16_products_in_training_only():
    layer = RowDense(6, product_dtype="bfloat16", kernel_initializer=keras.initializers.GlorotUniform(1))
    full = RowDense(6, kernel_initializer=keras.initializers.GlorotUniform(1))
    rows = HIDDEN[0]
    expected = np.asarray(full(rows))
    np.testing.assert_array_equal(full(rows, training=True), expected)
    np.testing.assert_array_equal(layer(rows), expected)
    assert 0 < abs(np.asarray(layer(rows, training=True)) - expected).max() < 0.05


@pytest.mark.parametrize("kind", [BFloat16Dense, Logits, NextItemLogits])
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_call_without_train_weights_has_a_gradient_for_its_input_only(kind, use_bias):
    layer = kind(6, use_bias=use_bias)
    hidden = tf.constant(HIDDEN)
    layer.build(hidden.shape)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(hidden)
        output = layer(hidden, training=True, train_weights=False)
        total = tf.reduce_sum(ops.cast(output, "float32"))
    np.testing.assert_array_equal(output, layer(hidden, training=True))
    assert tape.gradient(total, hidden) is not None
    assert all(tape.gradient(total, weight.value) is None for weight in layer.weights)


@pytest.mark.parametrize("kind", [Logits, NextItemLogits, lambda units, **kw: SampledLogits(units, 4, **kw)])
def test_an_activation_of_logits_is_refused(kind):
    with pytest.raises(ValueError, match="`activation`: expected None, got 'softmax'"):
        kind(50, activation="softmax")


@pytest.mark.parametrize("units", [0, -2, 2.5, "3", True])
@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (Densify, "n_columns"),
        (lambda units: RowDense(3, n_columns=units), "n_columns"),
        (lambda units: SampledLogits(units, n_sampled=4), "units"),
    ],
)
def test_widths_that_are_no_positive_integers_are_refused(kind, argument, units):
    with pytest.raises(ValueError, match=f"`{argument}`: expected"):
        kind(units)


def test_a_sample_of_fewer_than_two_items_is_refused():
    with pytest.raises(ValueError, match="`n_sampled`: expected at least 2, got 1"):
        SampledLogits(50, n_sampled=1)


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="expected rows with 4 columns, got 7"):
        Densify(4)(np.ones((2, 7), np.float32))
    with pytest.raises(ValueError, match="expected rows with 4 columns, got 5"):
        RowDense(3, n_columns=4)(np.ones((2, 5), np.float32))
    built = RowDense(3)
    built.build((None, 4))
    with pytest.raises(ValueError, match="expected rows with 4 columns, got 5"):
        built(np.ones((2, 5), np.float32))
    for dense in (BFloat16Dense(3), Logits(3), NextItemLogits(3)):
        dense.build((None, 4))
        with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 4"):
            dense(np.ones((2, 5), np.float32))


def test_gaussian_sampling_passes_the_mask_on():
    masked = keras.layers.Masking()(keras.Input((5, 4)))
    assert getattr(GaussianSampling()(masked, masked), "_keras_mask", None) is not None


def test_a_functional_model_with_the_negative_elbo_trains_and_is_saved(tmp_path):
    rng = np.random.default_rng(0)
    likes = keras.Input((20,))
    mean, log_var = (keras.layers.Dense(4, name=name)(likes) for name in ("mean", "log_var"))
    logits = keras.layers.Dense(20)(GaussianSampling(seed=1)(mean, log_var))
    model = keras.Model(likes, AddNegativeELBO(beta=0.2)(likes, logits, mean, log_var))
    model.compile(keras.optimizers.Adam(0.01))
    rows = (rng.random((64, 20)) < 0.2).astype(np.float32)
    outputs = {
        name: np.asarray(part)
        for name, part in zip(
            ("logits", "mean", "log_var"), keras.Model(likes, [logits, mean, log_var])(rows), strict=True
        )
    }
    log_softmax = outputs["logits"] - np.log(np.exp(outputs["logits"]).sum(1, keepdims=True))
    kl = 0.5 * (np.exp(outputs["log_var"]) + outputs["mean"] ** 2 - 1 - outputs["log_var"]).sum(1)
    expected = (-(rows * log_softmax).sum(1) + 0.2 * kl).mean()
    assert float(NegativeELBO(beta=0.2)(rows, outputs)) == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(rows, batch_size=64, verbose=0) == pytest.approx(expected, rel=1e-5)
    history = model.fit(rows, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(rows, verbose=0), model.predict(rows, verbose=0), rtol=1e-5)
    assert loaded.evaluate(rows, verbose=0) == pytest.approx(model.evaluate(rows, verbose=0), rel=1e-5)


def test_invalid_arguments_of_the_negative_elbo_layer_raise():
    with pytest.raises(ValueError, match="`beta`: expected at least 0, got -1"):
        AddNegativeELBO(beta=-1)
    with pytest.raises(ValueError, match="`likelihood`: expected one of"):
        AddNegativeELBO("poisson")
