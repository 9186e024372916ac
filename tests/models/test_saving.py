"""Keras' own methods that save, load, export and quantize."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import fitted, scores, table_for, trained

from kerasrec import ELSA
from kerasrec.models.saving import load_model


@pytest.mark.parametrize("case", ["auto_rec items", "ease"])
def test_the_export_of_keras_has_the_scores_of_the_model(case, tmp_path):
    model, table = trained(case), table_for(case)
    model.export(tmp_path, verbose=False)
    batch = model.batches(table)[0][0]
    exported = tf.saved_model.load(tmp_path)
    result = exported.serve({name: tf.constant(array) for name, array in batch.items()})
    np.testing.assert_allclose(result, model(batch), atol=1e-5)


@pytest.mark.parametrize("case", ["elsa", "ease"])
def test_a_large_model_is_saved_and_loaded_through_a_folder(case, monkeypatch, tmp_path):
    monkeypatch.setattr("kerasrec.models.saving.LARGE", 0)
    model, table = trained(case), table_for(case)
    path = tmp_path / "model.keras"
    for _ in range(2):
        model.save(path)
    for load in (keras.saving.load_model, load_model):
        np.testing.assert_array_equal(scores(load(path), table), scores(model, table))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("method", ["save_weights", "save"])
def test_a_full_disk_is_an_error_before_hdf5_writes(monkeypatch, tmp_path, method):
    monkeypatch.setattr("kerasrec.models.saving.LARGE", 0)
    model = ELSA(1000, latent_dim=8, seed=1)
    model.compile(keras.optimizers.SGD())
    usage = shutil.disk_usage(tmp_path)._replace(free=31_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="No space left on device"):
        getattr(model, method)(tmp_path / ("model.keras" if method == "save" else "model.weights.h5"))
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_was_compiled_and_never_trained_is_loaded_without_a_warning(tmp_path):
    model = ELSA(6, latent_dim=2, seed=1)
    model.compile(metrics=["ndcg_5"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not loaded.optimizer.built and [metric.name for metric in loaded.metrics] == ["loss", "ndcg_5"]
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").optimizer.built


@pytest.mark.parametrize("case", ["elsa", "ease"])
def test_quantization_of_a_model_without_layers_is_refused(case):
    with pytest.raises(ValueError, match="`quantize`: expected a model with layers, got E"):
        trained(case).quantize("int8")


def test_quantization_keeps_the_scores_approximately():
    model, table = fitted("auto_rec users"), table_for("auto_rec users")
    before = scores(model, table)
    with pytest.warns(UserWarning):  # the first layer has no quantized form
        model.quantize("int8")
    np.testing.assert_allclose(scores(model, table), before, atol=0.05)
