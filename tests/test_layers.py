"""Rows of the interaction matrix in a layer: by entries as by dense rows, gradients too."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kerasrec.layers
import kerasrec.losses
from kerasrec.layers import BFloat16Dense, Densify, GaussianSampling, Logits, NextItemLogits, RowDense
from kerasrec.ops.sparse_rows import observed_rows

IDS = np.array([[2, 0, 3], [3, -1, -1], [-1, -1, -1]])
VALUES = np.array([[5.0, 0.5, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
DENSE = np.array([[0.5, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 2.0], [0.0] * 4], np.float32)


def test_a_functional_model_of_lists_of_ids_can_be_cloned():
    ids = {"ids": keras.Input((None,), dtype="int32", name="ids")}
    with pytest.raises(ValueError, match="do not tell how many columns there are: give the layer `n_columns`"):
        RowDense(8)(ids)
    built = RowDense(8)
    built.build((None, 4))
    for layer in (RowDense(8, n_columns=4), built):
        model = keras.Model(ids, Logits(4)(layer(ids)))
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(clone({"ids": IDS}), model({"ids": IDS}))


def test_symbolic_shapes_are_those_that_come_out():
    states, ids = keras.Input((5, 4)), keras.Input((5,), dtype="int32")
    assert NextItemLogits(60)(states).shape == (None, 5, 60)
    assert NextItemLogits(60)(states, ids).shape == ()
    assert RowDense(4)(keras.Input((3, 60))).shape == (None, 3, 4)
    rows = Densify(4, dtype="bfloat16")
    assert rows(keras.Input((4,))).dtype == keras.backend.standardize_dtype(rows(DENSE).dtype) == "bfloat16"
    assert Densify(4)({"ids": IDS}).dtype == "float32"


@pytest.mark.parametrize("use_values", [True, False])
@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("n_columns", [4, 3000])  # a wide row is multiplied by its entries, a narrow one as it is
def test_entries_and_dense_rows_give_the_same_output_and_gradient(use_values, jit_compile, n_columns):
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
def test_rows_are_summed_in_float32_under_mixed_precision(dtype):
    layer = RowDense(1, kernel_initializer="ones", use_bias=False, dtype=dtype)
    layer.build((None, 1000))
    wide = {"ids": np.arange(1000)[None], "values": np.full((1, 1000), 0.01, np.float32)}
    total = float(layer(wide)[0, 0])
    assert total == pytest.approx(10.0, rel=0.01)  # a sum that bfloat16 itself would leave at 4
    assert keras.backend.standardize_dtype(layer(wide).dtype) == dtype.removeprefix("mixed_")


@pytest.mark.parametrize(
    ("asked", "there", "taken"),
    [(None, True, True), (None, False, False), ("float32", True, False), ("bfloat16", False, True)],
)
def test_bfloat16_is_taken_where_the_machine_multiplies_it(asked, there, taken, monkeypatch):
    monkeypatch.setattr(kerasrec.layers, "multiplies_bfloat16", lambda: there)
    monkeypatch.delenv("KERASREC_PRECISION", raising=False)
    if asked:
        monkeypatch.setenv("KERASREC_PRECISION", asked)
    assert kerasrec.layers.trains_in_bfloat16() is taken


def test_logits_are_of_lower_precision_in_training_only(monkeypatch):
    layer = Logits(50, kernel_initializer=keras.initializers.GlorotUniform(1))
    hidden = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)
    monkeypatch.setenv("KERASREC_PRECISION", "float32")
    exact = np.asarray(layer(hidden))
    np.testing.assert_array_equal(layer(hidden, training=True), exact)
    monkeypatch.setenv("KERASREC_PRECISION", "bfloat16")
    lower = np.asarray(layer(hidden, training=True))
    np.testing.assert_array_equal(layer(hidden), exact)
    assert 0 < abs(lower - exact).max() < 0.05
    bare = Logits(50, use_bias=False, kernel_initializer=keras.initializers.GlorotUniform(1))
    np.testing.assert_array_equal(bare(hidden, learn=False), exact)
    monkeypatch.setenv("KERASREC_PRECISION", "half")
    with pytest.raises(ValueError, match="must be float32 or bfloat16, not 'half'"):
        layer(hidden, training=True)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_dense_layer_of_mixed_precision_is_keras_own_but_for_the_products_of_training(policy, monkeypatch):
    layer, plain = (
        kind(6, "tanh", bias_initializer="ones", dtype=policy) for kind in (BFloat16Dense, keras.layers.Dense)
    )
    x = np.random.default_rng(0).normal(size=(2, 3, 30)).astype(np.float32)
    layer.build(x.shape)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    monkeypatch.setenv("KERASREC_PRECISION", "float32")
    np.testing.assert_allclose(ops.cast(layer(x, training=True), "float32"), ops.cast(plain(x), "float32"), atol=1e-6)
    assert layer(x).dtype == plain(x).dtype
    monkeypatch.setenv("KERASREC_PRECISION", "bfloat16")
    np.testing.assert_allclose(ops.cast(layer(x), "float32"), ops.cast(plain(x), "float32"), atol=1e-6)
    with tf.GradientTape() as tape:
        lower = layer(x, training=True)
        total = tf.reduce_sum(ops.cast(lower, "float32"))
    assert lower.dtype == plain(x).dtype
    apart = abs(np.asarray(ops.cast(lower, "float32")) - np.asarray(ops.cast(plain(x), "float32"))).max()
    assert apart < 0.05 and (policy != "float32" or apart > 0)
    assert tape.gradient(total, layer.kernel.value).dtype == tf.float32
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ops.cast(layer(x, training=True, learn=False), "float32"))
    assert tape.gradient(total, layer.kernel.value) is None


@pytest.mark.parametrize("layer", [Logits, NextItemLogits])
def test_an_activation_that_would_be_ignored_is_refused(layer):
    with pytest.raises(ValueError, match="`activation` must be None, not 'softmax'"):
        layer(50, activation="softmax")


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="rows of 7 columns were given, 4 are due"):
        Densify(4)(np.ones((2, 7), np.float32))


def test_a_negative_weight_of_the_divergence_is_refused():
    with pytest.raises(ValueError, match="`beta`: expected at least 0, got -1"):
        GaussianSampling(beta=-1)


def test_a_keras_model_learns_the_bound_from_its_sampling_layer(tmp_path):
    rng = np.random.default_rng(0)
    likes = keras.Input((20,))
    mean, log_var = (keras.layers.Dense(4, name=name)(likes) for name in ("mean", "log_var"))
    logits = keras.layers.Dense(20)(kerasrec.layers.GaussianSampling(seed=1, beta=0.2)(mean, log_var))
    model = keras.Model(likes, logits)
    model.compile(keras.optimizers.Adam(0.01), kerasrec.losses.MultinomialNLL())
    rows = (rng.random((64, 20)) < 0.2).astype(np.float32)
    parts = keras.Model(likes, {"logits": logits, "mean": mean, "log_var": log_var})
    bound = float(kerasrec.losses.NegativeELBO(beta=0.2)(rows, parts(rows)))
    assert model.evaluate(rows, rows, batch_size=64, verbose=0) == pytest.approx(bound, rel=1e-5)
    history = model.fit(rows, rows, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(rows, verbose=0), model.predict(rows, verbose=0), rtol=1e-5)
