"""`kerasrec recommend`, from a run and from a server."""

import re
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from kerasrec_testing.command import error_of, invoke, user_environment
from kerasrec_testing.platforms import needs_posix_signals

from kerasrec import Interactions
from kerasrec.runs import Run, RunConfig, train


def test_each_kind_of_model_has_its_inputs(runs, table):
    rated = invoke("recommend", runs / "users", "--history", "1,2", "--ratings", "5,3", "-k", 3)
    assert len(rated.output.splitlines()) == 3
    by_user = invoke("recommend", runs / "items", "--user", table.user_ids[0], "-k", 3)
    assert len(by_user.output.splitlines()) == 3
    best = by_user.output.split()[1]
    without = invoke("recommend", runs / "items", "--user", table.user_ids[0], "--history", f"{best},999999", "-k", 3)
    assert "item 999999 is not in the catalogue and is ignored" in without.output
    items = [line.split()[1] for line in without.output.splitlines() if not line.startswith("note")]
    assert len(items) == 3
    assert best not in items


def test_an_unknown_item_is_ignored(runs):
    result = invoke("recommend", runs / "ease", "--history", "1,999999", "-k", 1)
    assert "note: --history: item 999999 is not in the catalogue and is ignored" in result.output


def test_a_user_of_the_run_gets_the_list_for_all_known_items(runs, table):
    histories = Run(runs / "ease").histories()
    users = [histories.user_ids[0], Run(runs / "ease").split().test.inputs.user_ids[0]]
    for user in users:
        row = int(np.flatnonzero(histories.user_ids == user)[0])
        history = ",".join(map(str, histories.item_ids[histories.row(row)].tolist()))
        by_user = invoke("recommend", runs / "ease", "--user", user, "-k", 4)
        assert by_user.stdout == invoke("recommend", runs / "ease", "--history", history, "-k", 4).stdout
        likes = table.at_least(4)
        own = likes.item_ids[likes.row(int(np.flatnonzero(likes.user_ids == user)[0]))]
        assert set(own.tolist()) - set(histories.item_ids.tolist()) == set(own.tolist()) - set(
            map(int, history.split(","))
        )


def test_an_unknown_user_without_a_history_gets_popular_items(runs):
    train_table = Run(runs / "items").split().train
    result = invoke("recommend", runs / "items", "--user", "999999", "-k", 2)
    assert "note: user 999999 is not in the data of the run" in result.stderr
    popular = train_table.item_ids[np.lexsort((train_table.item_ids, -train_table.item_counts))[:2]]
    assert [line.split()[1] for line in result.stdout.splitlines()] == popular.astype(str).tolist()


def test_reasons_are_printed_below_each_item(runs):
    plain = invoke("recommend", runs / "ease", "--history", "1,2,3", "-k", 3)
    result = invoke("recommend", runs / "ease", "--history", "1,2,3", "-k", 3, "--why")
    lines = result.stdout.splitlines()
    assert [line for line in lines if "because of" not in line] == plain.stdout.splitlines()
    reasons = [line for line in lines if "because of" in line]
    assert reasons
    assert all(re.match(r"       because of [123] .*\(\+\d", line) for line in reasons)


def test_similar_items_are_printed(runs):
    run = Run(runs / "ease")
    lists = run.model().similar(run.split().train, [5], 3)
    lines = invoke("similar", runs / "ease", "--item", 5, "-k", 3).stdout.splitlines()
    assert [line.split()[1] for line in lines[-3:]] == lists.item_ids[0].astype(str).tolist()
    assert "`items`" not in error_of("similar", runs / "ease", "--item", 99999)


def test_lists_of_all_users_are_those_of_recommend(runs, tmp_path):
    run = Run(runs / "ease")
    histories = run.histories()
    (tmp_path / "banned.txt").write_text(f"{histories.item_ids[1]}\n888888\nsku-7\n999999\n")
    options = ["-k", 6, "--exclude", f"@{tmp_path / 'banned.txt'}", "--min-score", 0.05]
    result = invoke("recommend", runs / "ease", "--all", *options, "--to", tmp_path / "lists.parquet")
    assert result.exit_code == 0, result.output
    assert (
        "note: --exclude: 1 of 4 ids are not integers, as the ids in the data are, and are ignored: sku-7"
        in result.stderr
    )
    assert "note: --exclude: 2 of 3 items are not in the catalogue and are ignored: 888888, 999999" in result.stderr
    assert f"Fix: kerasrec refit {runs / 'ease'} --out final" in result.stderr
    frame = pd.read_parquet(tmp_path / "lists.parquet")
    assert f"{len(frame):,} rows for {histories.n_users:,} users" in result.stdout
    expected = run.model().recommend(histories, 6, exclude=[histories.item_ids[1]]).to_frame()
    pd.testing.assert_frame_equal(frame, expected[expected["score"] >= 0.05].reset_index(drop=True))
    again = [
        "recommend",
        runs / "ease",
        "--users",
        tmp_path / "banned.txt",
        "-k",
        1,
        "--to",
        tmp_path / "lists.parquet",
    ]
    assert error_of(*again).endswith("which exists. Fix: add --overwrite")
    assert invoke(*again, "--overwrite", "--titles").exit_code == 0
    rows = pd.read_parquet(tmp_path / "lists.parquet")
    titles = dict(zip(histories.item_ids.tolist(), histories.item_titles.tolist(), strict=True))
    assert rows["title"].tolist() == [titles[item] for item in rows["item_id"]]
    assert len(rows) == 3


def test_lists_of_some_users_with_newer_data(runs, table, tmp_path):
    newer = tmp_path / "newer.csv"
    newer.write_text(
        "user,item,rating\n" + "\n".join(f"{u},{i},5" for u, i in [(1, 3), (1, 99999), (777777, 4), (2, 99998)])
    )
    (tmp_path / "users.txt").write_text("777777\n1\n555555\n2\n1\n")
    command = ["recommend", runs / "ease", "--users", tmp_path / "users.txt", "--data", newer, "-k", 3]
    result = invoke(*command, "--to", tmp_path / "lists.jsonl")
    assert result.exit_code == 0, result.output
    assert "2 of 4 items" in result.stderr
    assert "1 of 4 users" in result.stderr
    assert "2 users have no known item and get the most popular items" in result.stderr
    rows = pd.read_json(tmp_path / "lists.jsonl", lines=True)
    assert rows["user_id"].drop_duplicates().tolist() == [777777, 1, 555555, 2]
    lists = {user: part["item_id"].tolist() for user, part in rows.groupby("user_id")}
    run = Run(runs / "ease")
    expected = run.model().recommend(Interactions.from_histories([[4], [3], []], run.split().train), 3).item_ids
    assert [lists[777777], lists[1], lists[2]] == expected.tolist()
    assert lists[555555] == lists[2]
    text = tmp_path / "text.csv"
    text.write_text("user,item\nann,3\n")
    assert "expected user ids that are integers" in error_of(
        "recommend", runs / "ease", "--all", "--data", text, "--to", tmp_path / "x.csv"
    )


@needs_posix_signals
def test_a_terminated_command_leaves_nothing(runs, tmp_path):
    code = (
        "import os, signal, kerasrec_cli, kerasrec.inference as inference\n"
        "original = inference.recommend_batches\n"
        "def killed(*arguments, **options):\n"
        "    yield next(original(*arguments, **options))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    yield from original(*arguments, **options)\n"
        "inference.recommend_batches = killed\n"
        f"kerasrec_cli.main(['recommend', {str(runs / 'ease')!r}, '--all', '--to', {str(tmp_path / 'lists.csv')!r}])"
    )
    process = subprocess.run([sys.executable, "-c", code], env=user_environment(), timeout=300, capture_output=True)
    assert process.returncode == 128 + signal.SIGTERM, process.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_user_gets_the_answer_for_the_history(runs, table):
    unknown = invoke("recommend", runs / "nodes", "--history", "1,2", "--user", "999999", "-k", 3)
    note = "note: user 999999 is not a training user; only --history is used"
    assert unknown.stderr.splitlines() == [note]
    assert unknown.stdout == invoke("recommend", runs / "nodes", "--history", "1,2", "-k", 3).stdout
    known = invoke("recommend", runs / "nodes", "--history", "1,2", "--user", table.user_ids[0], "-k", 3)
    assert known.stderr == ""


def test_ids_may_contain_commas(tmp_path):
    names = ["Shirt, blue 3", '5" disc', "Hat", *"abcdefgh"]
    pairs = [(u, i) for u in range(60) for i in names if (u * len(i) + ord(i[0])) % 5]
    table = Interactions.from_arrays(*zip(*pairs, strict=True))
    train(RunConfig("ease", "mine", "held-out-users", 1, 1, 50, {"held_out": 5}), lambda: table, tmp_path / "run")
    result = invoke("recommend", tmp_path / "run", "--history", '"Shirt, blue 3", 5" disc,Hat', "-k", 8)
    assert result.stderr == ""
    assert sorted(line.split()[1] for line in result.stdout.splitlines()) == [*"abcdefgh"]
    unknown = invoke("recommend", tmp_path / "run", "--history", '"Shirt, red",Hat', "-k", 1)
    note = "note: --history: item Shirt, red is not in the catalogue and is ignored"
    assert unknown.stderr.splitlines() == [note]
    without_titles = error_of("recommend", tmp_path / "run", "--all", "--titles", "--to", tmp_path / "x.csv")
    assert "--titles: expected data with titles of the items" in without_titles


def test_a_note_says_that_no_item_is_left(runs):
    catalogue = (runs / "ease" / "items.csv").read_text().splitlines()[1:]
    history = ",".join(line.split(",")[0] for line in catalogue)
    assert "no item is left to recommend" in invoke("recommend", runs / "ease", "--history", history).output


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ease", ["--history", "1,two"], "--history: expected integers, as the ids in the data are, got two"),
        ("ease", ["--user", "Bob"], "--user: expected integers, as the ids in the data are, got Bob"),
        ("users", ["--history", "1,2", "--ratings", "5"], "--ratings: expected one rating for each of the 2 items"),
        ("users", ["--history", "1,2", "--ratings", "5,good"], "--ratings"),
        ("ease", ["--history", "1", "--user", "3"], "--user and --history: expected one of them"),
        ("ease", ["--history", "1", "--ratings", "3"], "--ratings: this model has only the inputs history"),
        ("items", ["--history", "1"], "Fix: add --user ID"),
        ("ease", ["--history", "1", "--candidates", "99999"], "--candidates: expected at least one item"),
        ("ease", ["--history", "1", "--candidates", ""], "--candidates: expected at least one item"),
        ("ease", ["--history", "1", "--titles"], "--titles: expected --to with it"),
        ("ease", ["--history", "1", "--exclude", "@missing"], "--exclude: expected a text file with one id per line"),
        ("ease", ["--all"], "Fix: add --to recommendations.parquet"),
        ("ease", ["--all", "--user", "3", "--to", "x.csv"], "--user: expected no --user with --all or --users"),
        ("ease", ["--all", "--to", "x.xlsx"], "ends in .parquet, .csv or .jsonl"),
        ("ease", ["--history", "1", "--to", "x.csv"], "--to: expected --all or --users with it"),
        ("ease", ["--users", "missing", "--to", "x.csv"], "--users: expected a text file with one id per line"),
        ("ease", ["--history", "1", "-k", "100000"], "-k: expected 1 to "),
    ],
)
def test_a_mistake_gets_one_line(runs, name, arguments, message):
    assert message in error_of("recommend", runs / name, *arguments)


WRONG_INPUTS = {
    "ease": {
        "--history 3 --user Bob": "--user: the server reads only history for this model. Fix: give --history, or a RUN",
        "--history 3 --candidates abc": "--candidates: expected at least one item of the catalogue, got none",
        "--history abc": "--history: expected integers, as the ids in the data are, got abc",
        "--all": "--all and --users: expected a RUN folder, got the server",
        "--history 3 --ratings 5": "--ratings: this model has only the inputs history. Fix: leave --ratings out",
    },
    "items": {
        "--user 7 --history 3": "--history: expected --user only, because this model reads no history",
        "--history 3": "Fix: add --user ID",
    },
}


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("ease", [["--history", "3,4,5"], [], ["--history", "3", "--exclude", "7", "--candidates", "7,8,9,10,11,12"]]),
        ("nodes", [["--history", "3,4", "--user", "7"], ["--history", "3,4"]]),
        ("users", [["--history", "3,4", "--ratings", "5,2"]]),
        ("items", [["--user", "123456"]]),
    ],
)
def test_a_server_and_a_run_give_the_same_answers(runs, tmp_path, name, queries):
    from kerasrec.serving import Server

    exported = invoke("export", runs / name, "--to", tmp_path / name, "--top-k", 20)
    assert exported.stdout.strip() == f"written: {tmp_path / name / '1'}; next step: kerasrec serve {tmp_path / name}"
    assert f"Fix: kerasrec refit {runs / name} --out final" in exported.stderr
    with Server(tmp_path / name, model="default", port=0) as server:
        address = f"127.0.0.1:{server.port}"
        for query in queries:
            served = invoke("recommend", address, *query, "-k", 5).stdout.splitlines()
            direct = invoke("recommend", runs / name, *query, "-k", 5).stdout.splitlines()
            assert len(served) == 5
            assert served == direct, "with the titles"
        error_of("recommend", address, *queries[0], "--name", "other")
        if name == "ease":
            unknown = invoke("recommend", address, "--history", "3,123456").stderr
            assert "note: --history: 1 of 2 items are not in the catalogue and are ignored" in unknown
        for options, message in WRONG_INPUTS.get(name, {}).items():
            assert message in error_of("recommend", address, *options.split())
