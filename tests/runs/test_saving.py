"""Storing a model that was trained with `fit` as a run."""

import dataclasses
import math
from dataclasses import dataclass

import keras
import pytest
from kerasrec_testing.runs import SMALL_VAE, config_of, read_small

from kerasrec import HeldOutUsers, MultVAE, Popularity, Split, compare
from kerasrec.runs import save_run, train


def test_a_model_trained_by_fit_is_stored_as_a_run(tmp_path):
    split = HeldOutUsers(held_out=40).split(read_small())
    model = MultVAE(split.train.n_items, seed=1, **SMALL_VAE)
    model.compile()
    history = model.fit(split.train, epochs=2, validation_data=split.validation, verbose=0).history
    run = save_run(model, split, tmp_path / "saved", "mine")
    assert run.config is None
    assert repr(run) == f"<Run: mult_vae on mine, held-out-users, in {tmp_path / 'saved'}>"
    assert run.history()["loss"] == pytest.approx(history["loss"])
    other = train(config_of(epochs=1, split_options={"held_out": 40}), read_small, tmp_path / "trained")
    first, second = (r.evaluate(["ndcg_10"])["test"] for r in (run, other))
    difference = compare(first, second)["ndcg_10"].difference
    assert difference == pytest.approx(first.means["ndcg_10"] - second.means["ndcg_10"])
    with pytest.raises(FileExistsError, match="saved, which is not empty. Fix: choose another folder"):
        save_run(model, split, tmp_path / "saved", "mine")
    with pytest.raises(FileExistsError, match="contains no trained run"):
        train(config_of(), read_small, tmp_path / "saved", overwrite=True)


def test_a_loaded_model_is_stored_without_a_history(tmp_path):
    split = HeldOutUsers(held_out=40).split(read_small())
    model = Popularity(split.train.n_items)
    model.fit(split.train, verbose=0)
    model.save(tmp_path / "popularity.keras")
    run = save_run(keras.saving.load_model(tmp_path / "popularity.keras"), split, tmp_path / "saved", "generated")
    assert run.history() == {}


def test_a_model_trained_on_all_rows_is_stored_without_metrics(tmp_path):
    split = Split.with_nothing_held_out(read_small(), HeldOutUsers())
    model = Popularity(split.train.n_items)
    model.fit(split.train, verbose=0)
    history = {"loss": [0.5, 0.25], "val_loss": [0.75]}  # validated in one of two epochs: `validation_freq`
    run = save_run(model, split, tmp_path / "saved", "generated", history)
    assert run.history()["loss"] == [0.5, 0.25] and "val_loss" not in run.history()
    assert run.saw_all_rows
    assert run.histories() == split.train
    with pytest.raises(ValueError, match="saved, whose model was trained on all rows. Fix: give a run of `train`"):
        run.evaluate()


def test_a_diverged_model_is_not_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasrec.runs.config.MAX_LEARNING_RATE", math.inf)
    config = config_of(epochs=1, batch_size=1000, learning_rate=1e38)  # one update, after the loss
    with pytest.raises(ValueError, match="expected finite numbers in the scores, got NaN or infinite ones"):
        train(config, read_small, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_failure_leaves_no_part_of_a_run(tmp_path, monkeypatch):
    split = HeldOutUsers(held_out=40).split(read_small())
    model = Popularity(split.train.n_items)
    model.fit(split.train, verbose=0)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(Split, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_run(model, split, tmp_path / "saved", "generated")
    assert list(tmp_path.iterdir()) == []


def test_a_custom_protocol_is_stored_with_its_name_and_settings(tmp_path):
    @dataclass(frozen=True)
    class Mine:
        share: float
        name: str = "mine"

    split = dataclasses.replace(HeldOutUsers(held_out=40).split(read_small()), protocol=Mine(0.3))
    model = Popularity(split.train.n_items)
    model.fit(split.train, verbose=0)
    run = save_run(model, split, tmp_path / "saved", "generated")
    run.split().save(tmp_path / "again")
    for stored in (run.split(), Split.load(tmp_path / "again")):
        assert (stored.protocol.name, stored.protocol.settings) == ("mine", {"share": 0.3})
        assert stored.test.targets == split.test.targets
    with pytest.raises(ValueError, match="expected one of the protocols .*, got 'mine'"):
        run.split().protocol.split(read_small())
