"""A run in a folder: complete, resumable after a kill, and never mistaken for another."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasrec import HeldOutUsers, Interactions, MultVAE, Popularity, Split, compare, generate
from kerasrec.plots.run_plots import draw_all
from kerasrec.runs import RunConfig, Run, build, save_run, train

ROOT = Path(__file__).parents[2]
SMALL = {"hidden_dims": (32,), "latent_dim": 8}


def plan(model="mult_vae", **changes):
    settings = {
        "model": model,
        "data": "generated",
        "protocol": "held-out-users",
        "seed": 5,
        "epochs": 3,
        "batch_size": 100,
        "settings": {"seed": 5, "held_out": 40},
        "arguments": SMALL if model == "mult_vae" else {},
    }
    return RunConfig(**{**settings, **changes})


def data():
    return generate(n_users=400, n_items=80, seed=2)


def cli(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "kerasrec_cli", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, cwd=ROOT, text=True, **options)


def test_a_folder_says_all_about_its_run(tmp_path):
    run = train(plan(), data, tmp_path / "run")
    names = {p.name for p in run.folder.iterdir()}
    expected = {
        "model.keras",
        "users.csv",
        "items.csv",
        "split",
        "history.csv",
        "curves.png",
        "checkpoints",
        "run.json",
    }
    assert names == {*expected, "metrics.json"}
    figures = json.loads((run.folder / "metrics.json").read_text())
    assert {"model", "data", "protocol", "seed", "test", "validation", "seconds", "versions"} <= set(figures)
    assert {"recall_20", "recall_20_se", "recall_50", "ndcg_100", "ndcg_100_se", "n", "left_out"} <= set(
        figures["test"]
    )
    assert len((run.folder / "history.csv").read_text().splitlines()) == 1 + 3
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    split = run.split()
    items = (run.folder / "items.csv").read_text().splitlines()
    assert items[1].split(",")[0] == str(split.train.item_ids[0])
    assert len(items) == 1 + split.train.n_items
    again = run.evaluate()["test"].as_dict()
    assert again == pytest.approx(figures["test"], abs=1e-6)
    best = max(float(line.split(",")[header(run).index("val_ndcg_100")]) for line in rows(run))
    assert figures["validation"]["ndcg_100"] == pytest.approx(best, abs=1e-5)


def test_a_model_trained_by_fit_is_kept_as_a_run(tmp_path):
    split = HeldOutUsers(held_out=40).split(data())
    model = MultVAE(split.train.n_items, seed=1, **SMALL)
    model.compile()
    history = model.fit(split.train, epochs=2, validation_data=split.validation, verbose=0).history
    run = save_run(model, split, tmp_path / "kept", "mine")
    assert run.plan is None
    assert repr(run) == f"<Run: mult_vae on mine, held-out-users, in {tmp_path / 'kept'}>"
    assert (run.metrics["model"], run.metrics["data"], run.metrics["protocol"]) == (
        "mult_vae",
        "mine",
        "held-out-users",
    )
    assert run.history()["loss"] == pytest.approx(history["loss"])
    assert (run.folder / "curves.png").exists()
    other = train(plan(epochs=1, settings={"held_out": 40}), data, tmp_path / "trained")
    tests = [r.evaluate(["ndcg_10"])["test"] for r in (run, other)]
    difference = compare(*tests)["ndcg_10"].difference
    assert difference == pytest.approx(tests[0].means["ndcg_10"] - tests[1].means["ndcg_10"])
    assert draw_all(run, tmp_path / "pictures")
    with pytest.raises(FileExistsError, match="kept is not empty: choose another folder"):
        save_run(model, split, tmp_path / "kept", "mine")
    with pytest.raises(FileExistsError, match="holds no run"):
        train(plan(), data, tmp_path / "kept")


def test_a_split_of_ones_own_is_kept_with_its_name_and_settings(tmp_path):
    @dataclass(frozen=True)
    class Mine:
        share: float
        name: str = "mine"

    split = dataclasses.replace(HeldOutUsers(held_out=40).split(data()), protocol=Mine(0.3))
    model = Popularity(split.train.n_items)
    model.fit(split.train, verbose=0)
    run = save_run(model, split, tmp_path / "kept", "generated")
    run.split().save(tmp_path / "again")
    for read in (run.split(), Split.load(tmp_path / "again")):
        assert (read.protocol.name, read.protocol.settings) == ("mine", {"share": 0.3})
        assert read.test.targets == split.test.targets
    with pytest.raises(ValueError, match="'mine' is none of kerasrec's protocols"):
        run.split().protocol.split(data())


def header(run):
    return (run.folder / "history.csv").read_text().splitlines()[0].split(",")


def rows(run):
    return (run.folder / "history.csv").read_text().splitlines()[1:]


def test_a_finished_run_is_not_trained_again(tmp_path):
    train(plan(), data, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.json").stat().st_mtime_ns

    def never():
        raise AssertionError

    train(plan(), never, tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").stat().st_mtime_ns == before


def stopped_early(run, folder):
    """A folder as a run leaves it that is stopped in its first epoch."""
    (folder / "checkpoints" / ".unfinished").mkdir(parents=True)
    (folder / ".unfinished-x").mkdir()
    shutil.copy(run / "run.json", folder)
    shutil.copytree(run / "split", folder / "split")


def test_another_run_in_the_same_folder_is_refused(tmp_path):
    train(plan(epochs=1), data, tmp_path / "run")
    with pytest.raises(FileExistsError, match="epochs 1 instead of 2"):
        train(plan(epochs=2), data, tmp_path / "run")
    stopped_early(tmp_path / "run", tmp_path / "early")
    assert train(plan(epochs=2), data, tmp_path / "early").plan.epochs == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds no run"):
        train(plan(), data, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_finished_run_without_its_checkpoints_is_not_overwritten(tmp_path):
    figures = train(plan(epochs=1), data, tmp_path / "run").figures
    shutil.rmtree(tmp_path / "run" / "checkpoints")  # as somebody does who needs the space
    with pytest.raises(FileExistsError, match="epochs 1 instead of 2"):
        train(plan(epochs=2), data, tmp_path / "run")
    assert train(plan(epochs=1), data, tmp_path / "run").figures == figures


@pytest.mark.parametrize("moment", ["split removed", "split written"])
def test_killed_as_it_takes_a_folder_over_no_plan_stands_beside_anothers_split(tmp_path, monkeypatch, moment):
    train(plan(epochs=1), data, tmp_path / "run")
    stopped_early(tmp_path / "run", tmp_path / "early")
    save = Split.save

    def kill(split, folder):
        if moment == "split written":
            save(split, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(Split, "save", kill)
    with pytest.raises(KeyboardInterrupt):
        train(plan(epochs=1, settings={"seed": 5, "held_out": 50}), data, tmp_path / "early")
    monkeypatch.undo()
    assert train(plan(epochs=1), data, tmp_path / "early").split().protocol.held_out == 40


@pytest.mark.parametrize(
    ("model", "protocol", "message"),
    [
        ("svd", "held-out-users", "no model 'svd': there are auto_rec, "),
        ("ease", "holdout", "no protocol 'holdout': there are random-ratings, "),
        ("ease", "random-ratings", "ease predicts likes, .* random-ratings does not measure: use one of the others"),
        ("auto_rec", "held-out-users", "auto_rec predicts ratings, .* does not measure: use random-ratings"),
    ],
)
def test_a_model_and_a_protocol_that_do_not_go_together_are_refused(tmp_path, model, protocol, message):
    def never():
        raise AssertionError

    with pytest.raises(ValueError, match=message):
        train(plan(model, protocol=protocol, settings={}), never, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_refused_argument_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="`likelihood`"):
        train(plan(arguments={"likelihood": "poisson"}), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_learning_rate_is_that_of_the_models_own_optimizer(tmp_path):
    model = build(plan("cdae", learning_rate=0.05), data())
    assert type(model.optimizer) is keras.optimizers.Adagrad
    assert model.optimizer.get_config()["initial_accumulator_value"] == 1e-4
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    model.optimizer.iterations.assign(model.planned_steps)
    assert float(model.optimizer.learning_rate) == pytest.approx(0)
    feeding_again = build(plan("deep_rec", learning_rate=0.05), data())  # two updates a batch
    feeding_again.optimizer.iterations.assign(feeding_again.planned_steps)
    assert float(feeding_again.optimizer.learning_rate) == pytest.approx(0.025)
    with pytest.raises(ValueError, match="ease is solved, not trained step by step"):
        train(plan("ease", learning_rate=0.05), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_could_not_be_measured_is_not_begun(tmp_path):
    def short():
        return Interactions.from_arrays([1, 1, 1, 2, 2, 2], [1, 2, 3, 1, 2, 3])

    with pytest.raises(ValueError, match="nothing is held out for validation"):
        settings = {"min_items": 1, "share": 0.4}
        train(RunConfig("popularity", "short", "own-items", 1, 1, 10, settings), short, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unfinished_run_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run"):
        Run(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="was interrupted"):
        Run(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics.json", "{}", "metrics.json lacks model, data, .*: it is damaged, or of another version"),
        ("metrics.json", "nonsense", "metrics.json is damaged .*: remove the folder"),
        ("run.json", "{}", "run.json lacks model, data, .*: it is damaged, or of another version"),
        ("run.json", "[1", "run.json is damaged"),
        ("model.keras", "PK", "model.keras is damaged: remove the folder"),
    ],
)
def test_a_damaged_run_says_which_file_it_is(tmp_path, file, content, message):
    train(plan("popularity"), data, tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        Run(tmp_path / "run").model()
    if file != "model.keras":
        with pytest.raises(ValueError, match=message):
            train(plan("popularity"), data, tmp_path / "run")


@pytest.mark.parametrize("model", ["ease", "popularity"])
def test_solved_models_run_too(tmp_path, model):
    figures = train(plan(model, epochs=1), data, tmp_path / "run").figures
    assert 0.05 < figures["test"]["ndcg_100"] < 1


def test_rating_models_report_rmse(tmp_path):
    for rows in ("users", "items"):
        arguments = {"rows": rows, "hidden_dims": (16,)}
        run = train(
            plan("auto_rec", protocol="random-ratings", settings={}, arguments=arguments), data, tmp_path / rows
        )
        assert 0.2 < run.metrics["test"]["rmse"] < 3
        assert "ndcg_100" not in run.metrics["test"]


def test_killed_at_random_moments_it_ends_with_the_weights_of_an_undisturbed_run(tmp_path):
    command = ["train", "mult_vae", "--epochs", "12", "--batch-size", "200", "--held-out", "100"]
    command += ["--set", "hidden_dims=200", "--set", "latent_dim=20"]
    undisturbed = cli(*command, "--out", tmp_path / "undisturbed", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert undisturbed.wait() == 0
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    kills = 0
    for _ in range(20):
        process = cli(*command, "--out", tmp_path / "killed", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if kills < 2:
            wait_for_epochs(process, tmp_path / "killed" / "checkpoints", 4 * kills + 1)
            time.sleep(moments.uniform(0, 0.4))
        if kills < 2 and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        if process.wait() == 0:
            break
    assert process.returncode == 0
    assert kills == 2, f"seed {seed}: the run was too fast to be killed twice"
    one, two = (keras.saving.load_model(tmp_path / name / "model.keras") for name in ("undisturbed", "killed"))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"kill moments drawn from seed {seed}")
    figures = [json.loads((tmp_path / n / "metrics.json").read_text()) for n in ("undisturbed", "killed")]
    assert figures[0]["test"] == figures[1]["test"]
    assert len((tmp_path / "killed" / "history.csv").read_text().splitlines()) == 1 + 12


def wait_for_epochs(process, folder, epoch):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if any(int(p.name[-4:]) >= epoch for p in folder.glob("epoch-*")):
            return
        time.sleep(0.02)
