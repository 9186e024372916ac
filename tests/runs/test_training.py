"""`train`: complete, resumable after a kill, and never confused with another run."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from kerasrec_testing.command import invoke, user_environment
from kerasrec_testing.platforms import needs_posix_signals
from kerasrec_testing.runs import config_of, read_never, read_small

from kerasrec import ELSA, Interactions, Split, generate, read
from kerasrec.callbacks import Checkpoints
from kerasrec.runs import Run, RunConfig, train


@functools.cache
def other_table():
    return generate(n_users=400, n_items=80, seed=3)


def history_rows(run):
    header, *rows = (run.folder / "history.csv").read_text().splitlines()
    return [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]


def test_the_folder_contains_all_of_a_run(tmp_path):
    run = train(config_of(), read_small, tmp_path / "run")
    files = {"model.keras", "users.csv", "items.csv", "split", "history.csv", "checkpoints", "run.json", "metrics.json"}
    assert {path.name for path in run.folder.iterdir()} == files
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert {"model", "data", "protocol", "seed", "test", "validation", "seconds", "versions"} <= set(metrics)
    names = {"recall_20", "recall_20_se", "recall_50", "ndcg_100", "ndcg_100_se", "n", "left_out"}
    assert names <= set(metrics["test"])
    assert len(history_rows(run)) == 3
    split = run.split()
    items = (run.folder / "items.csv").read_text().splitlines()
    assert items[1].split(",")[0] == str(split.train.item_ids[0])
    assert len(items) == 1 + split.train.n_items
    assert run.evaluate()["test"].as_dict() == pytest.approx(metrics["test"], abs=1e-6)
    best = max(float(row["val_ndcg_100"]) for row in history_rows(run))
    assert metrics["validation"]["ndcg_100"] == pytest.approx(best, abs=1e-5)


def test_run_json_states_the_configuration_in_plain_names(tmp_path):
    config = config_of("ease", epochs=1, model_options={"reg": 20.0}, read_options={"value": "stars"})
    train(config, read_small, tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    digest = stored.pop("data_digest")
    assert len(digest) == 64
    assert stored == {
        "model": "ease",
        "data": "generated",
        "protocol": "held-out-users",
        "seed": 5,
        "epochs": 1,
        "batch_size": 100,
        "split_options": {"seed": 5, "held_out": 40},
        "model_options": {"reg": 20.0},
        "read_options": {"value": "stars"},
        "learning_rate": None,
        "item_features": None,
        "user_features": None,
        "shuffle": "rows",
        "settings": {
            "arguments": {"reg": 20.0},
            "epochs": 1,
            "batch_size": 100,
            "learning_rate": None,
            "patience": None,
            "trials": [],
        },
        "data_files": None,
    }


def test_a_finished_run_is_not_trained_again(tmp_path, capsys):
    train(config_of("ease"), read_small, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    train(config_of("ease"), read_small, tmp_path / "run", verbose=1)
    assert "nothing to do" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def stopped_early(run, folder):
    """A folder as a run leaves it that is killed in its first epoch."""
    (folder / "checkpoints" / ".unfinished").mkdir(parents=True)
    (folder / ".unfinished-x").mkdir()
    shutil.copy(run / "run.json", folder)
    shutil.copytree(run / "split", folder / "split")


def test_a_run_with_another_configuration_is_replaced_only_with_overwrite(tmp_path):
    train(config_of("ease", epochs=1), read_small, tmp_path / "run")
    with pytest.raises(FileExistsError, match="contains another run .epochs 1 instead of 2.*replace .* `overwrite`"):
        train(config_of("ease", epochs=2), read_small, tmp_path / "run")
    (tmp_path / "run" / "pictures").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    run = train(config_of("popularity", epochs=1), read_small, tmp_path / "run", overwrite=True)
    assert (run.metrics["model"], run.config.model) == ("popularity", "popularity")
    assert not (run.folder / "pictures").exists()
    assert (run.folder / "notes.txt").read_text() == "mine"


def test_a_run_without_a_finished_epoch_is_replaced(tmp_path):
    train(config_of("ease", epochs=1), read_small, tmp_path / "run")
    stopped_early(tmp_path / "run", tmp_path / "early")
    assert train(config_of("ease", epochs=2), read_small, tmp_path / "early").config.epochs == 2


def test_a_folder_with_other_files_is_never_used(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not empty and contains no trained run"):
        train(config_of(), read_small, tmp_path / "mine", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_finished_run_without_checkpoints_is_not_overwritten(tmp_path):
    metrics = train(config_of("ease", epochs=1), read_small, tmp_path / "run").metrics
    assert not (tmp_path / "run" / "checkpoints").exists(), "a closed-form model is stored once"
    with pytest.raises(FileExistsError, match="epochs 1 instead of 2"):
        train(config_of("ease", epochs=2), read_small, tmp_path / "run")
    assert train(config_of("ease", epochs=1), read_small, tmp_path / "run").metrics == metrics


@pytest.mark.parametrize("moment", ["split removed", "split written"])
def test_a_kill_during_replacement_never_leaves_a_configuration_with_the_split_of_another(
    tmp_path, monkeypatch, moment
):
    train(config_of("ease", epochs=1), read_small, tmp_path / "run")
    stopped_early(tmp_path / "run", tmp_path / "early")
    save = Split.save

    def kill(split, folder):
        if moment == "split written":
            save(split, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(Split, "save", kill)
    with pytest.raises(KeyboardInterrupt):
        train(config_of("ease", epochs=1, split_options={"seed": 5, "held_out": 50}), read_small, tmp_path / "early")
    monkeypatch.undo()
    assert train(config_of("ease", epochs=1), read_small, tmp_path / "early").split().protocol.held_out == 40


@pytest.mark.parametrize("form", ["file", "folder", "name"])
def test_changed_data_need_overwrite(tmp_path, monkeypatch, form):
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path))
    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "ratings.csv"
    lines = ["user,item", *(f"{u},{i}" for u in range(60) for i in range(12) if (u + i) % 3)]
    file.write_text("\n".join(lines))
    data = {"file": str(file), "folder": str(file.parent), "name": "shop"}[form]
    config = config_of("ease", data=data, epochs=1, split_options={"held_out": 5})
    first = train(config, lambda: read(data), tmp_path / "run").metrics

    assert train(config, read_never, tmp_path / "run").metrics == first
    os.utime(file, ns=(1, 1))  # another time, the same content
    assert train(config, lambda: read(data), tmp_path / "run").metrics == first

    file.write_text("\n".join([*lines, "60,3", "60,4", "60,5", "60,6", "60,7"]))
    with pytest.raises(FileExistsError, match="have changed since the run in .* began. Fix: .* `overwrite`"):
        train(config, lambda: read(data), tmp_path / "run")
    assert Run(tmp_path / "run").metrics == first
    second = train(config, lambda: read(data), tmp_path / "run", overwrite=True)
    assert second.split().train.n_users == 51
    assert train(config, read_never, tmp_path / "run", overwrite=True).metrics == second.metrics


def test_changed_data_without_files_need_overwrite(tmp_path):
    train(config_of("ease", epochs=1), read_small, tmp_path / "run")
    with pytest.raises(FileExistsError, match="the data 'generated' have changed"):
        train(config_of("ease", epochs=1), other_table, tmp_path / "run")


def test_an_interrupted_run_does_not_continue_on_changed_data(tmp_path):
    train(config_of("elsa", epochs=1), read_small, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    with pytest.raises(FileExistsError, match="have changed"):
        train(config_of("elsa", epochs=1), other_table, tmp_path / "run")
    assert train(config_of("elsa", epochs=1), read_small, tmp_path / "run").metrics["test"]["n"] == 40


@pytest.mark.parametrize(
    ("model", "protocol", "message"),
    [
        ("svd", "held-out-users", "unknown model 'svd'. Fix: choose one of auto_rec, "),
        ("ease", "holdout", "unknown protocol 'holdout'. Fix: choose one of random-ratings, "),
        ("ease", "random-ratings", "ease predicts likes, .* does not evaluate likes. Fix: choose one of held-out-"),
        ("auto_rec", "held-out-users", "auto_rec predicts ratings, .* Fix: choose random-ratings"),
    ],
)
def test_a_model_and_a_protocol_that_do_not_fit_are_refused(tmp_path, model, protocol, message):
    with pytest.raises(ValueError, match=message):
        train(config_of(model, protocol=protocol, split_options={}), read_never, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_options": {"likelihood": "poisson"}}, "`likelihood`"),
        ({"model": "ease", "learning_rate": 0.05}, "ease has a closed-form solution, so it has no learning rate"),
    ],
)
def test_a_rejected_option_leaves_no_folder(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(config_of(**changes), read_small, tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_held_out_items_leaves_no_folder(tmp_path):
    def short():
        return Interactions.from_arrays([1, 1, 1, 2, 2, 2], [1, 2, 3, 1, 2, 3])

    options = {"min_items": 1, "share": 0.4}
    with pytest.raises(ValueError, match="protocol own-items holds nothing out for validation"):
        train(RunConfig("popularity", "short", "own-items", 1, 1, 10, options), short, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", ["ease", "popularity"])
def test_closed_form_models_train(tmp_path, model):
    metrics = train(config_of(model, epochs=1), read_small, tmp_path / "run").metrics
    assert 0.05 < metrics["test"]["ndcg_100"] < 1


def test_rating_models_report_rmse(tmp_path):
    for rows in ("users", "items"):
        options = {"rows": rows, "hidden_dims": (16,)}
        config = config_of("auto_rec", protocol="random-ratings", split_options={}, model_options=options)
        run = train(config, read_small, tmp_path / rows)
        assert 0.2 < run.metrics["test"]["rmse"] < 3
        assert "ndcg_100" not in run.metrics["test"]
        baseline = run.metrics["baseline"]
        assert baseline["model"] == "bias" and baseline["n"] == run.metrics["test"]["n"]
        assert 0.2 < baseline["rmse"] < run.metrics["test"]["rmse"] + 1


KILLED = """
import os, signal, sys, threading
from kerasrec.callbacks import Checkpoints

epoch, seconds = int(sys.argv[1]), float(sys.argv[2])
on_epoch_begin = Checkpoints.on_epoch_begin

def begin(self, n, logs=None):
    on_epoch_begin(self, n, logs)
    if n == epoch:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()

Checkpoints.on_epoch_begin = begin
from kerasrec_cli import main
main(sys.argv[3:])
"""


def command_to_train(folder):
    """Trains Mult-VAE for 12 epochs of about 0.1 s."""
    options = ["--epochs", "12", "--batch-size", "200", "--held-out", "100", "--set", "hidden_dims=200"]
    return ["train", "mult_vae", *options, "--set", "latent_dim=20", "--out", str(folder)]


@needs_posix_signals
@pytest.mark.slow
def test_a_run_that_was_killed_twice_ends_with_the_weights_of_an_undisturbed_run(tmp_path):
    undisturbed = invoke(*command_to_train(tmp_path / "undisturbed"))
    assert undisturbed.exit_code == 0, undisturbed.output
    for epoch, seconds_after_its_beginning in ((1, 0.03), (5, 0.07)):
        command = [sys.executable, "-c", KILLED, str(epoch), str(seconds_after_its_beginning)]
        command += command_to_train(tmp_path / "killed")
        killed = subprocess.run(command, capture_output=True, text=True, env=user_environment())
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = invoke(*command_to_train(tmp_path / "killed"))
    assert resumed.exit_code == 0, resumed.output
    assert "continues after epoch" in resumed.stderr
    one, two = (keras.saving.load_model(tmp_path / name / "model.keras") for name in ("undisturbed", "killed"))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert Run(tmp_path / "undisturbed").metrics["test"] == Run(tmp_path / "killed").metrics["test"]
    assert len(history_rows(Run(tmp_path / "killed"))) == 12


def test_settings_that_are_left_out_are_computed_once_and_stored(tmp_path):
    config = RunConfig("ease", "generated", "held-out-users", 5, split_options={"seed": 5, "held_out": 40})
    run = train(config, read_small, tmp_path / "run")
    assert run.config == config and run.config.model_options == {}
    assert run.settings.chosen == run.settings.arguments == {"reg": run.model().reg}
    assert len(run.settings.trials) >= 6
    baseline = run.metrics["baseline"]
    assert baseline["model"] == "popularity" and 0 < baseline["ndcg_100"] < run.metrics["test"]["ndcg_100"]
    assert train(config, read_small, tmp_path / "run").metrics == run.metrics


def test_training_stops_if_the_validation_results_stop_improving(tmp_path, monkeypatch):
    options = {"split_options": {"seed": 5, "held_out": 40}, "model_options": {"latent_dim": 8}}
    config = RunConfig("elsa", "generated", "held-out-users", 5, **options)
    monkeypatch.setattr(Checkpoints, "best_epoch", lambda checkpoints: 1)
    monkeypatch.setattr(ELSA, "default_updates", 1)  # 30 epochs, so 10 without a better result are too many
    run = train(config, read_small, tmp_path / "run")
    assert (run.settings.epochs, run.settings.patience, len(history_rows(run))) == (30, 10, 11)
    (tmp_path / "run" / "metrics.json").unlink()  # as if the run was killed before its results were written
    assert len(history_rows(train(config, read_small, tmp_path / "run"))) == 11
