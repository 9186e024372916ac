"""`refit`: the model of a run, trained on all rows."""

import datetime
import json
import re

import numpy as np
import pytest
from kerasrec_testing.runs import config_of, read_never, read_small

from kerasrec import Interactions, generate
from kerasrec.runs import Run, RunConfig, refit, refitting, save_run, train


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return train(config_of(), read_small, tmp_path_factory.mktemp("vae") / "run")


@pytest.fixture(scope="module")
def ease(tmp_path_factory):
    config = config_of("ease", epochs=1, model_options={"reg": 20.0}, split_options={"held_out": 40, "min_items": 8})
    return train(config, read_small, tmp_path_factory.mktemp("ease") / "run")


@pytest.fixture(scope="module")
def final(ease, tmp_path_factory):
    return refit(ease, tmp_path_factory.mktemp("final") / "run", read_data=read_small)


def test_the_model_is_trained_on_all_likes_of_all_users(ease, final):
    likes = read_small().at_least(4).likes()
    train_table = final.split().train
    np.testing.assert_array_equal(train_table.user_ids, likes.user_ids)
    np.testing.assert_array_equal(train_table.item_ids, likes.item_ids)
    assert len(train_table) == len(likes) > len(ease.split().train)
    expected = type(ease.model())(likes.n_items, reg=20.0)
    expected.fit(likes, verbose=0)
    np.testing.assert_allclose(final.model().get_weights()[0], expected.get_weights()[0], atol=1e-6)


def test_metrics_json_names_the_choice_and_has_no_metrics(ease, final):
    metrics = json.loads((final.folder / "metrics.json").read_text())
    assert not {"test", "validation"} & set(metrics)
    assert metrics["refit"] == {
        "chosen_by": ease.id,
        "folder": str(ease.folder),
        "started_from": ease.id,
        "epochs": 1,
        "warm_start": False,
        "until": None,
    }
    assert final.was_refitted
    assert not ease.was_refitted
    assert final.id != ease.id
    with pytest.raises(ValueError, match=re.escape(f"Fix: give the run that it was chosen by, {ease.folder}")):
        final.evaluate()


def test_a_refitted_run_can_be_refitted_and_keeps_the_choice(ease, final, tmp_path):
    next_night = refit(final, tmp_path / "run", read_data=lambda: generate(n_users=450, n_items=90, seed=2))
    assert next_night.metrics["refit"]["chosen_by"] == ease.id
    assert next_night.metrics["refit"]["started_from"] == final.id
    assert next_night.split().train.n_users > final.split().train.n_users


def test_training_stops_after_the_best_epoch_with_the_schedules_of_the_run(vae, tmp_path):
    (vae.folder / "metrics.json").write_text(json.dumps({**vae.metrics, "best_epoch": 2}))
    final = refit(Run(vae.folder), tmp_path / "run", read_data=read_small)
    assert len(final.history()["loss"]) == 2
    model, original = final.model(), vae.model()
    batches = [-(-run.split().train.n_users // 100) for run in (final, vae)]
    assert [model.planned_steps, original.planned_steps] == [3 * n for n in batches]


def test_the_same_call_does_nothing_and_changed_data_are_an_error(ease, final):
    before = (final.folder / "model.keras").stat().st_mtime_ns
    refit(ease, final.folder, read_data=read_small)
    assert (final.folder / "model.keras").stat().st_mtime_ns == before
    changed = generate(n_users=400, n_items=80, seed=3)
    with pytest.raises(FileExistsError, match=r"have changed.*`overwrite`"):
        refit(ease, final.folder, read_data=lambda: changed)
    with pytest.raises(FileExistsError, match="contains a run of `refit`, and not a run of `train`"):
        train(ease.config, read_small, final.folder)
    with pytest.raises(FileExistsError, match="contains another run .until None instead of '2030-01-01'"):
        refit(ease, final.folder, read_data=read_small, until="2030-01-01")


def test_a_run_is_not_refitted_into_its_own_folder(ease):
    with pytest.raises(FileExistsError, match="expected another folder than that of the run"):
        refit(ease, ease.folder, read_data=read_small, overwrite=True)
    assert not Run(ease.folder).was_refitted


def test_an_interrupted_refit_continues(vae, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    whole = refit(vae, tmp_path / "whole", read_data=read_small)
    monkeypatch.setattr(refitting, "write_results", fail)
    with pytest.raises(KeyboardInterrupt):
        refit(vae, tmp_path / "run", read_data=read_small)
    monkeypatch.undo()
    final = refit(vae, tmp_path / "run", read_data=read_small)
    for a, b in zip(final.model().get_weights(), whole.model().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_without_a_configuration_and_ids_of_another_type_raise(ease, tmp_path):
    stored = save_run(ease.model(), ease.split(), tmp_path / "stored", "generated")
    with pytest.raises(ValueError, match="no configuration"):
        refit(stored, tmp_path / "run", read_data=read_never)
    table = read_small()
    text = Interactions.from_arrays(table.user_ids[table.users].astype(str), table.items)
    with pytest.raises(ValueError, match="expected user ids that are integers, as in the run, got strings"):
        refit(ease, tmp_path / "run", read_data=lambda: text)
    assert not (tmp_path / "run").exists()


def test_interactions_from_a_date_on_are_left_out(ease, tmp_path):
    table = read_small()
    limit = datetime.datetime.fromtimestamp(int(np.median(table.times)), datetime.UTC)
    final = refit(ease, tmp_path / "run", read_data=read_small, until=limit.isoformat())
    likes = table.select(table.times < limit.timestamp()).at_least(4)
    assert len(final.split().train) == len(likes) > 0
    for until, message in (("yesterday", "expected a date"), ("1970-01-01", "after the earliest interaction")):
        with pytest.raises(ValueError, match=f"`until`: .*{message}"):
            refit(ease, tmp_path / "other", read_data=read_small, until=until)
    timeless = Interactions.from_arrays(table.user_ids[table.users], table.items)
    with pytest.raises(ValueError, match="expected data with times"):
        refit(ease, tmp_path / "other", read_data=lambda: timeless, until="2020-01-01")


def test_data_that_are_gone_are_an_error(ease, tmp_path):
    with pytest.raises(ValueError, match=r"gone\.csv"):
        refit(ease, tmp_path / "run", data=str(tmp_path / "gone.csv"))


def test_a_rating_model_is_refitted_on_all_ratings(tmp_path):
    config = RunConfig("auto_rec", "generated", "random-ratings", 1, 1, 100, {}, {"hidden_dims": (8,), "rows": "items"})
    run = train(config, read_small, tmp_path / "run")
    final = refit(run, tmp_path / "final", read_data=read_small)
    assert len(final.split().train) == len(read_small())


def test_a_warm_start_begins_with_the_weights_of_the_run(vae, tmp_path):
    newer = generate(n_users=440, n_items=88, seed=2)
    warm = refit(vae, tmp_path / "warm", read_data=lambda: newer, warm_start=True)
    cold = refit(vae, tmp_path / "cold", read_data=lambda: newer)
    assert warm.history()["loss"][0] < cold.history()["loss"][0]
    assert warm.metrics["refit"]["warm_start"]
    likes = newer.at_least(4)
    np.testing.assert_array_equal(warm.split().train.user_ids, likes.user_ids)
    np.testing.assert_array_equal(warm.split().train.item_ids, likes.item_ids)


def test_a_closed_form_model_is_solved_again_with_a_warm_start(ease, final, tmp_path, capsys):
    warm = refit(ease, tmp_path / "warm", read_data=read_small, warm_start=True, verbose=1)
    assert "warm start: ease has a closed form, so it is solved again on all rows" in capsys.readouterr().err
    np.testing.assert_array_equal(warm.model().get_weights()[0], final.model().get_weights()[0])


def test_items_that_only_the_features_have_can_be_recommended(tmp_path):
    table = generate(n_users=200, n_items=60, seed=1)
    features = tmp_path / "items.csv"
    rows = [f"{item},kind {item % 10}\n" for item in [*table.item_ids.tolist(), 901]]
    features.write_text("item,kind\n" + "".join(rows))
    options = {"split_options": {"share": 0.2, "validation": 0.2}, "model_options": {"reg": 20.0, "feature_reg": 1.0}}
    config = RunConfig("feature_ease", "generated", "cold-items", seed=1, item_features=str(features), **options)
    run = train(config, lambda: table, tmp_path / "run")
    assert run.split().train.item_ids[-1] == 901
    assert run.metrics["test"]["ndcg_100"] > run.metrics["baseline"]["ndcg_100"]
    final = refit(run, tmp_path / "final", read_data=lambda: table)
    histories = final.split().train
    assert (final.model().recommend(histories, k=1, candidates=[901]).item_ids == 901).all()
