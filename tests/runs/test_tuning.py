"""Searches end as runs, continue after a kill, and never use test data."""

import csv
import json
from dataclasses import replace

import pytest
from kerasrec_testing.runs import config_of, read_small

from kerasrec import EASE, generate
from kerasrec.models.search_space import Choice, Range
from kerasrec.runs import Run, tune, tuning
from kerasrec.runs.config import protocol_of
from kerasrec.runs.trial_table import read_trials
from kerasrec.runs.trials import default_parameters, run_trial, space_for

EASE_CONFIG = config_of("ease", epochs=None, batch_size=None, model_options={})
VAE_CONFIG = config_of(
    epochs=2, batch_size=100, model_options={"hidden_dims": (16,), "latent_dim": 4, "dropout": 0.5, "beta": 0.2}
)


def rows_of(folder):
    with (folder / "tuning" / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Trial:
    """An Optuna trial that is never stopped."""

    def __init__(self):
        self.values, self.user_attrs = [], {}

    def report(self, value, step):
        self.values.append((step, value))

    def should_prune(self):
        return False

    def set_user_attr(self, name, value):
        self.user_attrs[name] = value


@pytest.fixture(scope="module")
def ease(tmp_path_factory):
    return tune(EASE_CONFIG, read_small, tmp_path_factory.mktemp("runs") / "ease", trials=3)


def test_the_run_has_the_best_validation_result_of_all_trials(ease):
    rows = rows_of(ease.folder)
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert {row["state"] for row in rows} == {"complete"}
    best = max(rows, key=lambda row: float(row["value"]))
    assert ease.metrics["validation"]["ndcg_100"] == pytest.approx(float(best["value"]), rel=1e-6)
    assert ease.config.model_options["reg"] == pytest.approx(float(best["reg"]), rel=1e-3)
    assert Run(ease.folder).model().reg == ease.config.model_options["reg"]
    assert [row.settings["reg"] for row in read_trials(ease.folder)] == [row["reg"] for row in rows]


def test_the_first_trial_has_the_default_settings(ease):
    split = protocol_of(EASE_CONFIG).split(read_small())
    default = EASE.config_for(split.train, split.validation).arguments["reg"]
    assert default_parameters(EASE_CONFIG, split, space_for(EASE_CONFIG)) == {"reg": default}
    assert float(rows_of(ease.folder)[0]["reg"]) == pytest.approx(default, rel=1e-3)


def test_a_finished_search_has_nothing_to_do_and_more_trials_extend_it(ease, capsys, monkeypatch):
    results = (ease.folder / "metrics.json").stat().st_mtime_ns
    monkeypatch.setattr(tuning, "run_trial", lambda *_: pytest.fail("a trial ran"))
    tune(EASE_CONFIG, read_small, ease.folder, trials=3, verbose=1)
    assert "nothing to do" in capsys.readouterr().err
    assert (ease.folder / "metrics.json").stat().st_mtime_ns == results
    monkeypatch.setattr(tuning, "run_trial", lambda *_: 1.0)
    assert len({row["reg"] for row in rows_of(tune(EASE_CONFIG, read_small, ease.folder, trials=5).folder)}) == 5


def test_a_killed_search_repeats_the_interrupted_trial_and_does_the_others_once(tmp_path, monkeypatch):
    calls = []

    def killed(trial, config, split, folder):
        calls.append((config.model_options["reg"], folder))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run_trial(trial, config, split, folder)

    monkeypatch.setattr(tuning, "run_trial", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(EASE_CONFIG, read_small, tmp_path / "run", trials=3)
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert len(rows_of(tmp_path / "run")) == 1
    run = tune(EASE_CONFIG, read_small, tmp_path / "run", trials=3)
    assert calls[1] == calls[2]  # the same values, and the folder of the same checkpoints
    assert len(calls) == 4
    assert len(rows_of(tmp_path / "run")) == 3
    assert run.metrics["validation"]["ndcg_100"] == pytest.approx(max(float(r["value"]) for r in rows_of(run.folder)))


def test_a_trained_model_is_stored_without_training_it_again(tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr("kerasrec.runs.training.fit", lambda model, settings, *_: folders.append(settings.epochs))
    run = tune(VAE_CONFIG, read_small, tmp_path / "run", trials=2)
    assert folders == [2]  # replaced, so the result below is that of the trial's checkpoints
    best = max(rows_of(run.folder), key=lambda row: float(row["value"] or 0))
    assert run.metrics["validation"]["ndcg_100"] == pytest.approx(float(best["value"]), rel=1e-5)
    assert run.metrics["learning_rate"] == pytest.approx(float(best["learning_rate"]), rel=1e-3)
    assert not list((run.folder / "tuning").glob("trial-*"))


def test_a_trial_does_not_use_test_data_and_reports_each_epoch(tmp_path):
    split = replace(protocol_of(VAE_CONFIG).split(read_small()), test=None)
    trial = Trial()
    value = run_trial(trial, VAE_CONFIG, split, tmp_path / "trial")
    assert [step for step, _ in trial.values] == [1, 2]
    assert value == max(value for _, value in trial.values)
    assert dict(trial.values)[trial.user_attrs["best_epoch"]] == value
    again = Trial()
    assert run_trial(again, VAE_CONFIG, split, tmp_path / "trial") == value  # from its checkpoints
    assert again.values == trial.values


def test_a_trial_that_is_stopped_early_has_no_value_and_no_checkpoints(tmp_path):
    trial = Trial()
    trial.should_prune = lambda: True
    split = protocol_of(VAE_CONFIG).split(read_small())
    assert run_trial(trial, VAE_CONFIG, split, tmp_path / "trial") is None
    assert len(trial.values) == 1
    assert not (tmp_path / "trial").exists()


def test_another_search_or_other_data_in_the_folder_is_an_error_without_overwrite(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "run_trial", lambda *_: 1.0)
    folder = tmp_path / "run"
    tune(EASE_CONFIG, read_small, folder, trials=1)
    with pytest.raises(FileExistsError, match="another search .seed 5 instead of 6."):
        tune(replace(EASE_CONFIG, seed=6), read_small, folder, trials=1)

    def read_other():
        return generate(n_users=400, n_items=80, seed=3)

    with pytest.raises(FileExistsError, match="another search .other data."):
        tune(EASE_CONFIG, read_other, folder, trials=1)
    digest = json.loads((folder / "tuning" / "search.json").read_text())["data_digest"]
    tune(EASE_CONFIG, read_other, folder, trials=1, overwrite=True)
    assert json.loads((folder / "tuning" / "search.json").read_text())["data_digest"] != digest
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(FileExistsError, match="is not empty and contains no search"):
        tune(EASE_CONFIG, read_small, tmp_path / "other", trials=1)


def test_a_database_that_cannot_be_written_is_an_error_of_a_file(tmp_path):
    (tmp_path / "run" / "tuning" / "study.db").mkdir(parents=True)
    with pytest.raises(OSError, match=r"^cannot write .*study.db: .*unable to open database file\. Fix: "):
        tune(EASE_CONFIG, read_small, tmp_path / "run", trials=1)


def test_a_search_without_a_result_or_without_settings_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="popularity has nothing to tune: it has no settings"):
        tune(config_of("popularity"), read_small, tmp_path / "run", trials=1)
    with pytest.raises(ValueError, match="ease has nothing to tune: all of reg have a value"):
        tune(config_of("ease", model_options={"reg": 5.0}), read_small, tmp_path / "run", trials=1)

    def fail(*_):
        raise ValueError("`reg` is too small")

    monkeypatch.setattr(tuning, "run_trial", fail)
    with pytest.raises(ValueError, match="none of the 2 trials succeeded. The last error: `reg` is too small"):
        tune(EASE_CONFIG, read_small, tmp_path / "run", trials=2)
    assert [row["state"] for row in rows_of(tmp_path / "run")] == ["fail", "fail"]


def test_ranges_contain_their_ends_and_choices_their_values():
    assert 5 in Range(5, 10) and 10 in Range(5, 10) and 11 not in Range(5, 10) and "5" not in Range(5, 10)
    assert Range(5, 10).is_integer and not Range(5.0, 10.0).is_integer
    assert (600,) in Choice(((600,), (200,))) and 600 not in Choice(((600,),))
