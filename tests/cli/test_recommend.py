"""`kerasrec recommend`, from a run and from a server."""

import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec import Interactions
from kerasrec.runs import RunConfig, train


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
    assert "item 999999 is not in the catalogue and is ignored" in result.output


def test_an_unknown_user_gets_the_answer_for_the_history(runs, table):
    unknown = invoke("recommend", runs / "nodes", "--history", "1,2", "--user", "999999", "-k", 3)
    note = "note: user 999999 is not a training user; the answer uses --history only"
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
    assert unknown.stderr.splitlines() == ["note: item Shirt, red is not in the catalogue and is ignored"]


def test_a_note_says_that_no_item_is_left(runs):
    catalogue = (runs / "ease" / "items.csv").read_text().splitlines()[1:]
    history = ",".join(line.split(",")[0] for line in catalogue)
    assert "no item is left to recommend" in invoke("recommend", runs / "ease", "--history", history).output


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ease", ["--history", "1,two"], "--history: the ids of these data are integers"),
        ("users", ["--history", "1,2", "--ratings", "5"], "--ratings: expected one rating for each of the 2 items"),
        ("users", ["--history", "1,2", "--ratings", "5,good"], "--ratings"),
        ("ease", ["--history", "1", "--user", "3"], "--user: this model has only the inputs history"),
        ("ease", ["--history", "1", "--ratings", "3"], "--ratings: this model has only the inputs history"),
        ("items", ["--history", "1"], "Fix: give --user"),
        ("items", ["--user", "123456"], "--user: user 123456 is not a training user"),
        ("ease", ["--history", "1", "-k", "100000"], "-k: expected 1 to "),
    ],
)
def test_a_mistake_gets_one_line(runs, name, arguments, message):
    assert message in error_of("recommend", runs / name, *arguments)


WRONG_INPUTS = {
    "ease": {
        "--history 3 --user Bob": "--user: this model has only the inputs history. Fix: leave --user out",
        "--history 3 --ratings 5": "--ratings: this model has only the inputs history. Fix: leave --ratings out",
    },
    "items": {
        "--user 7 --history 3": "--history: this model answers by user id only. Fix: leave --history out",
        "--history 3": "Fix: give --user",
    },
}


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("ease", [["--history", "3,4,5"]]),
        ("nodes", [["--history", "3,4", "--user", "7"], ["--history", "3,4"]]),
        ("users", [["--history", "3,4", "--ratings", "5,2"]]),
        ("items", [["--user", "7"]]),
    ],
)
def test_a_server_and_a_run_give_the_same_answers(runs, tmp_path, name, queries):
    from kerasrec.serving import Server

    exported = invoke("export", runs / name, "--to", tmp_path / name, "--top-k", 20)
    assert exported.output.strip() == f"written: {tmp_path / name / '1'}"
    with Server(tmp_path / name, model="default", port=0) as server:
        address = f"127.0.0.1:{server.port}"
        for query in queries:
            served = invoke("recommend", address, *query, "-k", 5).output.splitlines()
            direct = invoke("recommend", runs / name, *query, "-k", 5).output.splitlines()
            assert len(served) == 5
            assert [line.split()[1:3] for line in served] == [line.split()[1:3] for line in direct]
        error_of("recommend", address, *queries[0], "--name", "other")
        for options, message in WRONG_INPUTS.get(name, {}).items():
            assert message in error_of("recommend", address, *options.split())
