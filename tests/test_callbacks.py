import keras
import numpy as np
import pytest

from kerasrec import HeldOut, HeldOutUsers, MultVAE, generate
from kerasrec.callbacks import Checkpoints


def model():
    made = MultVAE(60, hidden_dims=(8,), latent_dim=4, seed=1)
    made.compile()
    return made


def table():
    return generate(n_users=60, n_items=60, seed=1).with_catalogue(np.arange(1, 61))


class Figures(keras.callbacks.Callback):
    """Gives each epoch a figure, as validation would."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_ndcg_100"] = self.values[epoch]


@pytest.mark.parametrize(("mode", "best"), [("max", 2), ("min", 3)])
def test_the_last_and_the_best_epoch_are_kept(tmp_path, mode, best):
    kept = Checkpoints(tmp_path, "val_ndcg_100", mode)
    model().fit(table(), epochs=5, callbacks=[Figures([0.2, 0.5, 0.1, 0.5, 0.3]), kept], verbose=0)
    assert kept.best_epoch() == best
    assert kept.epochs() == sorted({best, 5})
    again = Checkpoints(tmp_path, "val_ndcg_100", mode)
    assert again.restore(model()) == 5
    assert again.best_epoch() == best
    assert [row["epoch"] for row in again.history] == [1, 2, 3, 4, 5]
    assert again.restore(model(), best) == best


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_figure_that_is_no_number_is_never_the_best(tmp_path, mode):
    kept = Checkpoints(tmp_path, "val_ndcg_100", mode)
    model().fit(table(), epochs=3, callbacks=[Figures([float("nan"), 0.2, float("nan")]), kept], verbose=0)
    assert kept.best_epoch() == 2


def test_an_epoch_trained_anew_replaces_itself_and_those_after_it(tmp_path):
    made = model()
    kept = Checkpoints(tmp_path, "val_ndcg_100")
    made.fit(table(), epochs=5, callbacks=[Figures([0.1, 0.2, 0.5, 0.3, 0.4]), kept], verbose=0)
    assert kept.restore(made, 3) == 3
    made.fit(table(), epochs=4, initial_epoch=3, callbacks=[Figures([0, 0, 0, 0.6]), kept], verbose=0)
    assert [row["val_ndcg_100"] for row in kept.history] == [0.1, 0.2, 0.5, 0.6]
    assert kept.epochs() == [kept.best_epoch()] == [4]
    made.fit(table(), epochs=3, callbacks=[Figures([0.3, 0.2, 0.1]), kept], verbose=0)  # from the start, not on from 4
    again = Checkpoints(tmp_path, "val_ndcg_100")
    assert again.restore(made) == 3
    for one in (kept, again):
        assert [row["val_ndcg_100"] for row in one.history] == [0.3, 0.2, 0.1]
        assert one.best_epoch() == 1
        assert one.epochs() == [1, 3]


def test_stock_callbacks_follow_the_figures(tmp_path):
    data = table()
    stock = [
        keras.callbacks.EarlyStopping("val_ndcg_100", mode="max", patience=5),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.weights.h5", "val_ndcg_100", mode="max", save_weights_only=True
        ),
    ]
    model().fit(data, epochs=1, validation_data=HeldOut(data, data), callbacks=stock, verbose=0)
    assert stock[0].best_epoch == 0


def test_the_weights_of_the_epoch_come_back(tmp_path):
    trained = model()
    trained.fit(table(), epochs=1, callbacks=Checkpoints(tmp_path), verbose=0)
    expected = trained.get_weights()
    trained.fit(table(), epochs=1, verbose=0)
    other = model()
    Checkpoints(tmp_path).restore(other)
    for a, b in zip(expected, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(other.optimizer.iterations) == 1


def test_without_checkpoints_training_begins_at_the_beginning(tmp_path):
    assert Checkpoints(tmp_path / "none").restore(model()) == 0


def test_half_a_checkpoint_is_never_seen(tmp_path, monkeypatch):
    made = model()
    kept = Checkpoints(tmp_path)
    made.fit(table(), epochs=1, callbacks=kept, verbose=0)

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("kerasrec.callbacks.write_history", full)
    with pytest.raises(OSError, match="no space"):
        made.fit(table(), epochs=2, initial_epoch=1, callbacks=kept, verbose=0)
    assert Checkpoints(tmp_path).epochs() == [1]
    assert Checkpoints(tmp_path).restore(model()) == 1


def test_which_way_is_better_is_told_by_the_name(tmp_path):
    ways = {"val_loss": "min", "val_rmse": "min", "mae": "min", "val_ndcg_100": "max", "val_plain_recall_20": "max"}
    assert {name: Checkpoints(tmp_path, name).mode for name in ways} == ways
    assert Checkpoints(tmp_path).mode == "max"


def test_epochs_without_validation_are_never_the_best(tmp_path):
    split = HeldOutUsers(held_out=10, min_items=2).split(table())
    made = MultVAE(split.train.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
    made.compile(metrics=["ndcg_10"])
    told = {"validation_data": split.validation, "validation_freq": 2, "verbose": 0}
    made.fit(split.train, epochs=1, callbacks=Checkpoints(tmp_path), verbose=0)
    kept = Checkpoints(tmp_path, "val_ndcg_10")
    done = kept.restore(made)
    made.fit(split.train, epochs=5, initial_epoch=done, callbacks=kept, **told)
    assert kept.best_epoch() in (2, 4) and set(kept.epochs()) == {kept.best_epoch(), 5}
    with pytest.raises(ValueError, match="'val_ndcg_9'; this epoch has only loss, val_loss, val_ndcg_10"):
        made.fit(split.train, epochs=2, callbacks=Checkpoints(tmp_path / "typo", "val_ndcg_9"), **told)


def test_a_figure_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="'val_rmse'; this epoch has only loss"):
        model().fit(table(), epochs=1, callbacks=Checkpoints(tmp_path, "val_rmse"), verbose=0)
    with pytest.raises(ValueError, match="`mode`"):
        Checkpoints(tmp_path, mode="best")
