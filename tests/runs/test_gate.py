"""The deployment gate."""

import functools

import numpy as np
import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec import Interactions, generate
from kerasrec.runs import RunConfig, compare_on_newest, refit, train

OPTIONS = {"split_options": {"held_out": 40}, "model_options": {"reg": 20.0}}


@functools.cache
def table():
    """Events, of which the newest tenth also has users and items that are new."""
    return generate(n_users=500, n_items=80, seed=2)


@functools.cache
def until(share):
    limit = np.sort(table().times)[int(share * len(table())) - 1]
    return table().select(table().times <= limit)


def likes(events):
    return events.at_least(4).likes()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The deployed run, a good candidate with the newer data, and a broken one."""
    folder = tmp_path_factory.mktemp("gate")
    config = RunConfig("ease", "generated", "held-out-users", 1, 1, 100, **OPTIONS)
    chosen = train(config, lambda: until(0.8), folder / "chosen")
    deployed = refit(chosen, folder / "deployed", read_data=lambda: until(0.8))
    candidate = refit(chosen, folder / "candidate", read_data=lambda: until(0.9))
    broken = refit(chosen, folder / "broken", read_data=lambda: until(0.9))
    model = broken.model()
    model.kernel.assign(-model.kernel.numpy())
    model.save(broken.folder / "model.keras")
    return {"chosen": chosen, "deployed": deployed, "candidate": candidate, "broken": broken}


def test_a_good_candidate_is_accepted_and_a_broken_one_rejected(runs):
    good = compare_on_newest(runs["candidate"], runs["deployed"], likes(table()), margin=0.1)
    assert good.accepted
    assert good.metric == "ndcg_100"
    assert good.newer_than == likes(until(0.9)).times.max()
    broken = compare_on_newest(runs["broken"], runs["deployed"], likes(table()), margin=0.1)
    assert not broken.accepted
    assert broken.lower_end < broken.comparison.difference < 0
    assert broken.deployed == good.deployed
    assert "rejected" in str(broken)


def test_a_run_is_not_worse_than_itself(runs):
    result = compare_on_newest(runs["deployed"], runs["deployed"], likes(table()), margin=0)
    assert result.comparison.difference == 0.0
    assert result.candidate == result.deployed > 0


def test_the_metric_is_that_of_the_lists_and_the_items_of_both_catalogues(runs):
    name = "recall_5"
    result = compare_on_newest(runs["candidate"], runs["deployed"], likes(table()), name)
    events = likes(table())
    newest = events.select(events.times > result.newer_than, compact=False)
    known = [run.split().train.item_ids for run in (runs["candidate"], runs["deployed"])]
    newest = newest.with_catalogue(np.union1d(*known))
    history = events.select(events.times <= result.newer_than, compact=False)
    users = np.flatnonzero(newest.counts)
    train_table = runs["candidate"].split().train
    histories = history.take_users(users).with_catalogue(train_table.item_ids)
    lists = runs["candidate"].model().recommend(histories, 5)
    recalls = []
    for row, user in enumerate(users):
        targets = set(newest.item_ids[newest.row(user)].tolist())
        recalls.append(len(targets & set(lists.item_ids[row].tolist())) / min(5, len(targets)))
    assert result.candidate == pytest.approx(np.mean(recalls), abs=1e-6)


def test_without_newer_rows_the_gate_raises(runs):
    with pytest.raises(ValueError, match="expected interactions after the latest of both runs, got none"):
        compare_on_newest(runs["candidate"], runs["deployed"], likes(until(0.9)))


def test_without_a_newer_row_of_a_known_item_the_gate_raises(runs):
    newer = Interactions.from_arrays([1, 2, 3], [901, 902, 903], None, [4 * 10**9] * 3)
    with pytest.raises(ValueError, match="expected newer interactions with items that one of the runs contains"):
        compare_on_newest(runs["candidate"], runs["deployed"], newer)


def test_without_times_the_newer_rows_are_those_of_neither_run(runs):
    def timeless(events):
        return Interactions.from_arrays(events.user_ids[events.users], events.item_ids[events.items])

    result = compare_on_newest(runs["candidate"], runs["deployed"], timeless(likes(table())))
    assert result.newer_than is None
    assert result.n_users > 10


def test_rating_models_are_compared_by_the_errors_of_the_same_ratings(tmp_path):
    for rows in ("users", "items"):
        options = {"hidden_dims": (8,), "rows": rows}
        config = RunConfig("auto_rec", "generated", "random-ratings", 1, 3, 100, {}, options)
        run = train(config, lambda: until(0.8), tmp_path / rows)
        newer = refit(run, tmp_path / f"{rows}-newer", read_data=lambda: until(0.9))
        result = compare_on_newest(newer, run, table(), margin=0.5)
        assert result.metric == "rmse"
        assert 0.3 < result.candidate < 2.5
        assert result.accepted


def test_the_command_exits_with_3_if_it_rejects(runs, tmp_path):
    events = table()
    path = tmp_path / "events.csv"
    rows = zip(events.user_ids[events.users], events.item_ids[events.items], events.values, events.times, strict=True)
    path.write_text("user,item,rating,timestamp\n" + "\n".join(",".join(map(str, row)) for row in rows))
    gate = ("--data", path, "--better-than", runs["deployed"].folder, "--margin", 0.1)
    accepted = invoke("evaluate", runs["candidate"].folder, *gate)
    assert accepted.exit_code == 0, accepted.output
    assert "accepted" in accepted.output
    assert invoke("evaluate", runs["broken"].folder, *gate).exit_code == 3
    assert "--data" in error_of("evaluate", runs["candidate"].folder, "--better-than", runs["deployed"].folder)
    assert "refitted" in error_of("evaluate", runs["candidate"].folder)
