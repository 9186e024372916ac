"""Checkpoints: which epochs are stored, what is restored, and crashes while writing."""

import keras
import numpy as np
import pytest

from kerasrec import AutoRec, HeldOut, HeldOutUsers, MultVAE, generate
from kerasrec.callbacks import Checkpoints


def compiled_model():
    model = MultVAE(60, hidden_dims=(8,), latent_dim=4, seed=1)
    model.compile()
    return model


def table():
    return generate(n_users=60, n_items=60, seed=1).with_catalogue(np.arange(1, 61))


class FixedMetric(keras.callbacks.Callback):
    """Sets `val_ndcg_100` of each epoch, as validation would."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_ndcg_100"] = self.values[epoch]


@pytest.mark.parametrize(("mode", "best"), [("max", 2), ("min", 3)])
def test_the_last_and_the_best_epoch_are_stored(tmp_path, mode, best):
    checkpoints = Checkpoints(tmp_path, "val_ndcg_100", mode)
    metric = FixedMetric([0.2, 0.5, 0.1, 0.5, 0.3])
    compiled_model().fit(table(), epochs=5, callbacks=[metric, checkpoints], verbose=0)
    assert checkpoints.best_epoch() == best
    assert checkpoints.epochs() == sorted({best, 5})
    new = Checkpoints(tmp_path, "val_ndcg_100", mode)
    assert new.restore(compiled_model()) == 5
    assert new.best_epoch() == best
    assert [row["epoch"] for row in new.history] == [1, 2, 3, 4, 5]
    assert new.restore(compiled_model(), best) == best


@pytest.mark.parametrize("mode", ["max", "min"])
def test_an_epoch_whose_metric_is_nan_is_not_the_best(tmp_path, mode):
    checkpoints = Checkpoints(tmp_path, "val_ndcg_100", mode)
    metric = FixedMetric([float("nan"), 0.2, float("nan")])
    compiled_model().fit(table(), epochs=3, callbacks=[metric, checkpoints], verbose=0)
    assert checkpoints.best_epoch() == 2


def test_training_from_an_earlier_epoch_replaces_the_later_ones(tmp_path):
    model = compiled_model()
    checkpoints = Checkpoints(tmp_path, "val_ndcg_100")

    def fit(epochs, values, initial_epoch=0):
        callbacks = [FixedMetric(values), checkpoints]
        model.fit(table(), epochs=epochs, initial_epoch=initial_epoch, callbacks=callbacks, verbose=0)

    fit(5, [0.1, 0.2, 0.5, 0.3, 0.4])
    assert checkpoints.restore(model, 3) == 3
    fit(4, [0, 0, 0, 0.6], initial_epoch=3)
    assert [row["val_ndcg_100"] for row in checkpoints.history] == [0.1, 0.2, 0.5, 0.6]
    assert checkpoints.epochs() == [checkpoints.best_epoch()] == [4]
    fit(3, [0.3, 0.2, 0.1])  # from epoch 1
    new = Checkpoints(tmp_path, "val_ndcg_100")
    assert new.restore(model) == 3
    for either in (checkpoints, new):
        assert [row["val_ndcg_100"] for row in either.history] == [0.3, 0.2, 0.1]
        assert either.best_epoch() == 1
        assert either.epochs() == [1, 3]


def test_keras_callbacks_read_the_validation_metrics(tmp_path):
    data = table()
    path = tmp_path / "best.weights.h5"
    callbacks = [
        keras.callbacks.EarlyStopping("val_ndcg_100", mode="max", patience=5),
        keras.callbacks.ModelCheckpoint(path, "val_ndcg_100", mode="max", save_weights_only=True),
    ]
    compiled_model().fit(data, epochs=1, validation_data=HeldOut(data, data), callbacks=callbacks, verbose=0)
    assert callbacks[0].best_epoch == 0
    assert path.exists()


@pytest.mark.parametrize(("monitor", "rises"), [("val_ndcg_100", True), ("val_rmse", False)])
def test_early_stopping_needs_no_mode(monitor, rises):
    data = table()
    if monitor == "val_rmse":
        model = AutoRec.for_interactions(data, rows="users", hidden_dims=(4,), seed=1)
        model.compile()
    else:
        model = compiled_model()
    stop = keras.callbacks.EarlyStopping(monitor)
    model.fit(data, epochs=1, validation_data=HeldOut(data, data), callbacks=[stop], verbose=0)
    assert bool(stop.monitor_op(2.0, 1.0)) == rises


def test_restore_loads_the_weights_of_the_epoch(tmp_path):
    trained = compiled_model()
    trained.fit(table(), epochs=1, callbacks=Checkpoints(tmp_path), verbose=0)
    expected = trained.get_weights()
    trained.fit(table(), epochs=1, verbose=0)
    restored = compiled_model()
    Checkpoints(tmp_path).restore(restored)
    for weight, expected_weight in zip(restored.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, expected_weight)
    assert int(restored.optimizer.iterations) == 1


def test_restore_returns_0_without_checkpoints(tmp_path):
    assert Checkpoints(tmp_path / "none").restore(compiled_model()) == 0


def test_a_failed_write_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    model = compiled_model()
    checkpoints = Checkpoints(tmp_path)
    model.fit(table(), epochs=1, callbacks=checkpoints, verbose=0)

    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("kerasrec.callbacks.checkpoints.write_history", fail)
    with pytest.raises(OSError, match="no space"):
        model.fit(table(), epochs=2, initial_epoch=1, callbacks=checkpoints, verbose=0)
    assert Checkpoints(tmp_path).epochs() == [1]
    assert Checkpoints(tmp_path).restore(compiled_model()) == 1


def test_the_default_mode_follows_from_the_name_of_the_metric(tmp_path):
    modes = {"val_loss": "min", "val_rmse": "min", "mae": "min", "val_ndcg_100": "max", "val_plain_recall_20": "max"}
    assert {name: Checkpoints(tmp_path, name).mode for name in modes} == modes
    assert Checkpoints(tmp_path).mode == "max"


def test_epochs_without_validation_are_never_the_best(tmp_path):
    split = HeldOutUsers(held_out=10, min_items=2).split(table())
    model = MultVAE(split.train.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
    model.compile(metrics=["ndcg_10"])
    validation = {"validation_data": split.validation, "validation_freq": 2, "verbose": 0}
    model.fit(split.train, epochs=1, callbacks=Checkpoints(tmp_path), verbose=0)
    checkpoints = Checkpoints(tmp_path, "val_ndcg_10")
    epoch = checkpoints.restore(model)
    model.fit(split.train, epochs=5, initial_epoch=epoch, callbacks=checkpoints, **validation)
    assert checkpoints.best_epoch() in (2, 4) and set(checkpoints.epochs()) == {checkpoints.best_epoch(), 5}
    message = "`monitor`: expected one of loss, val_loss, val_ndcg_10, got 'val_ndcg_9'"
    with pytest.raises(ValueError, match=message):
        model.fit(split.train, epochs=2, callbacks=Checkpoints(tmp_path / "typo", "val_ndcg_9"), **validation)


def test_a_monitor_that_the_logs_lack_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`monitor`: expected one of loss, got 'val_rmse'"):
        compiled_model().fit(table(), epochs=1, callbacks=Checkpoints(tmp_path, "val_rmse"), verbose=0)


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`mode`: expected"):
        Checkpoints(tmp_path, mode="best")


def test_a_missing_epoch_and_an_uncompiled_model_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`epoch`: expected one of those in .* \(none\), got 7"):
        Checkpoints(tmp_path).restore(compiled_model(), 7)
    with pytest.raises(ValueError, match="`model`: expected a compiled model"):
        Checkpoints(tmp_path).restore(MultVAE(5, hidden_dims=(2,), latent_dim=2))
