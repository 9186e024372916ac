"""The command as a person types it: what it prints, and what it says when they slip."""

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

import kerasrec_cli
from kerasrec import CFN, ZOO, AutoRec, HeldOutUsers, Interactions, MultDAE, MultVAE, RecVAE, generate
from kerasrec.runs import Run, RunConfig, train
from kerasrec_cli.settings import parse_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run of each kind of model."""
    folder = tmp_path_factory.mktemp("runs")
    table = generate(n_users=300, n_items=60, seed=2)
    for name, model, protocol, arguments in (
        ("ease", "ease", "held-out-users", {"reg": 20.0}),
        ("nodes", "cdae", "own-items", {"latent_dim": 8}),
        ("users", "auto_rec", "random-ratings", {"hidden_dims": (8,)}),
        ("items", "auto_rec", "random-ratings", {"hidden_dims": (8,), "rows": "items"}),
    ):
        settings = {"held_out": 30} if protocol == "held-out-users" else {}
        train(RunConfig(model, "generated", protocol, 1, 2, 50, settings, arguments), lambda: table, folder / name)
    return folder


def run(*arguments):
    result = CliRunner().invoke(kerasrec_cli.main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments):
    """The one sentence of an error."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.output
    return lines[0]


def test_help_comes_before_tensorflow():
    began = time.perf_counter()
    environment = as_a_user()
    check = "import sys, kerasrec_cli; print(sorted(m for m in ('keras', 'tensorflow') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
    assert time.perf_counter() - began < 3
    for command in ([], ["train"], ["export"], ["serve"], ["recommend"], ["evaluate"], ["data", "describe"], ["demo"]):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Usage:" in result.output
    assert "a tenth; 750 for temporal-users" in " ".join(run("train", "--help").output.split())


def test_help_keeps_its_examples_and_lists_line_by_line():
    for command, line in (
        ([], "  kerasrec data describe ratings.csv     what is in a file"),
        (["plot"], "latent-map        the items in two dimensions"),
    ):
        output = run(*command, "--help").output
        assert f"  {line}\n" in output
        assert "\\b" not in output and "\b" not in output


def as_a_user():
    """The environment of a fresh shell: JAX, wherever a test imports it, sets how much TensorFlow logs."""
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return {**kept, "PYTHONPATH": str(ROOT)}


def test_nothing_of_tensorflow_reaches_the_terminal(tmp_path):
    environment = as_a_user()
    command = [sys.executable, "-m", "kerasrec_cli", "data", "describe", "generated"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
    assert "2,000 users × 500 items" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m kerasrec_cli models | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=as_a_user(), check=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_models_lists_every_model_and_argument():
    output = run("models").output
    for text in (
        "auto_rec",
        "cdae",
        "ease",
        "mult_dae",
        "mult_vae",
        "popularity",
        "--set reg=500.0",
        "--set hidden_dims=600",
        "--set rows=users",
    ):
        assert text in output


def test_what_models_prints_is_what_set_takes():
    for line in run("models").output.splitlines():
        if not line.startswith("    --set "):
            cls = ZOO[line.split()[0]]
            continue
        setting = line.removeprefix("    --set ")
        name = setting.partition("=")[0]
        default = inspect.signature(cls).parameters[name].default
        assert parse_settings(cls, (setting,), "--set") == {name: default}


@pytest.mark.parametrize(
    ("cls", "setting", "value"),
    [
        (RecVAE, "mixture=0.2,0.7,0.1", (0.2, 0.7, 0.1)),
        (CFN, "value_range=0.5,5", (0.5, 5.0)),
        (AutoRec, "value_range=(0.5, 5)", (0.5, 5.0)),
        (MultDAE, "hidden_dims=600", (600,)),
        (MultDAE, "n_sampled=100", 100),
        (HeldOutUsers, "held_out=None", None),
        (HeldOutUsers, "held_out=20", 20),
    ],
)
def test_a_setting_has_the_type_that_its_argument_takes(cls, setting, value):
    (parsed,) = parse_settings(cls, (setting,), "--set").values()
    assert parsed == value
    assert type(parsed) is type(value)
    if isinstance(value, tuple):
        assert [*map(type, parsed)] == [*map(type, value)]


def test_train_evaluate_and_recommend(tmp_path):
    out = tmp_path / "run"
    result = run("train", "ease", "--held-out", 100, "--set", "reg=50", "--out", out)
    assert result.exit_code == 0, result.output
    assert "ndcg_100" in result.output
    assert "kerasrec export" in result.output
    measured = run("evaluate", out, "--metric", "plain_recall_10", "--metric", "ndcg_100")
    assert measured.output.count("plain_recall_10") == 2
    first = next(line for line in result.output.splitlines() if line.startswith("ndcg_100")).split()[1]
    assert first in measured.output
    answer = run("recommend", out, "--history", "3,4,5", "-k", 4).output.splitlines()
    assert [line.split(".")[0].strip() for line in answer] == ["1", "2", "3", "4"]
    assert not {line.split()[1] for line in answer} & {"3", "4", "5"}
    assert "Item" in answer[0]  # titles stand beside the ids


def test_train_says_what_it_does_not_do_again(tmp_path, monkeypatch):
    file, out = tmp_path / "table.csv", tmp_path / "run"
    lines = [f"{u},{i}" for u in range(60) for i in range(12) if (u + i) % 3]
    file.write_text("user,item\n" + "\n".join(lines))
    command = ["train", "mult_vae", "--data", file, "--held-out", 5, "--epochs", 3, "--out", out]
    command += ["--set", "hidden_dims=6", "--set", "latent_dim=4"]
    fit = MultVAE.fit

    def interrupted(model, *arguments, callbacks, **others):
        stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: signal.raise_signal(signal.SIGINT))
        return fit(model, *arguments, callbacks=[*callbacks, stop], **others)

    monkeypatch.setattr(MultVAE, "fit", interrupted)
    first = run(*command)
    assert first.exit_code == 1
    assert "stopped: the same command, run again, goes on after the last complete epoch" in first.stderr
    assert "Aborted" not in first.output and "going on" not in first.output
    monkeypatch.undo()
    assert "going on after epoch 1 of 3, on the split that was made then" in run(*command).stderr
    again = run(*command)
    assert again.exit_code == 0
    assert "is finished already: nothing was trained, the data was not read again" in again.stderr
    assert "note" not in again.output
    file.write_text("user,item\n" + "\n".join(lines[:-9]))
    assert f"note: {file} was changed or removed since the run in {out} began" in run(*command).stderr
    file.unlink()
    assert "was changed or removed" in run(*command).stderr


def test_columns_and_settings_by_name(tmp_path):
    lines = (f"{u}|{i}|{1 + (u * i) % 5}|{u + i}" for u in range(40) for i in range(12) if (u + i) % 3)
    (tmp_path / "table.csv").write_text("who|what|stars|day\n" + "\n".join(lines))
    form = ["--user", "who", "--item", "what", "--value", "stars", "--time", "day", "--separator", "|"]
    output = run("data", "describe", tmp_path / "table.csv", *form).output
    assert "values 1 to 5" in output
    assert "user is column " in output
    command = ["train", "mult_vae", "--data", tmp_path / "table.csv", *form, "--epochs", 1, "--out", tmp_path / "run"]
    command += ["--set", "hidden_dims=[12, 6]", "--set", "latent_dim=4", "--split", "min_items=2", "--min-value", "2"]
    assert run(*command, "--held-out", 5).exit_code == 0
    plan = Run(tmp_path / "run").plan
    assert plan.arguments == {"hidden_dims": (12, 6), "latent_dim": 4}
    assert plan.settings == {"seed": 98765, "held_out": 5, "min_value": 2.0, "min_items": 2}
    assert plan.form == {"user": "who", "item": "what", "value": "stars", "time": "day", "separator": "|"}


def test_compare_says_how_far_two_runs_are_apart(runs, tmp_path):
    table = generate(n_users=300, n_items=60, seed=2)
    train(
        RunConfig("popularity", "generated", "held-out-users", 1, 2, 50, {"held_out": 30}),
        lambda: table,
        tmp_path / "pop",
    )
    output = run("compare", runs / "ease", tmp_path / "pop").output
    line = next(line for line in output.splitlines() if line.startswith("ndcg_100")).split()
    assert float(line[3]) == pytest.approx(float(line[1]) - float(line[2]), abs=2e-4)
    shutil.copytree(runs / "ease", tmp_path / "other" / "ease")
    header, *_ = run("compare", runs / "ease", tmp_path / "other" / "ease").output.strip().splitlines()
    assert str(runs / "ease") in header and str(tmp_path / "other" / "ease") in header  # two of one name
    assert "same split" in refused("compare", runs / "ease", runs / "users")


def test_recommend_asks_each_model_its_own_way(runs):
    table = generate(n_users=300, n_items=60, seed=2)
    rated = run("recommend", runs / "users", "--history", "1,2", "--ratings", "5,3", "-k", 3)
    assert len(rated.output.splitlines()) == 3
    as_user_model = run("recommend", runs / "items", "--user", table.user_ids[0], "-k", 3)
    assert len(as_user_model.output.splitlines()) == 3
    best = as_user_model.output.split()[1]
    seen = run("recommend", runs / "items", "--user", table.user_ids[0], "--history", f"{best},999999", "-k", 3)
    assert "item 999999 is not in the catalogue and is ignored" in seen.output
    answer = [line.split()[1] for line in seen.output.splitlines() if not line.startswith("note")]
    assert len(answer) == 3
    assert best not in answer
    ignored = run("recommend", runs / "ease", "--history", "1,999999", "-k", 1)
    assert "item 999999 is not in the catalogue and is ignored" in ignored.output
    stranger = run("recommend", runs / "nodes", "--history", "1,2", "--user", "999999", "-k", 3)
    note = "note: user 999999 is not among the training users and is answered as a stranger"
    assert stranger.stderr.splitlines() == [note]
    assert stranger.stdout == run("recommend", runs / "nodes", "--history", "1,2", "-k", 3).stdout
    known = run("recommend", runs / "nodes", "--history", "1,2", "--user", table.user_ids[0], "-k", 3)
    assert known.stderr == ""


def test_ids_may_hold_commas(tmp_path):
    names = ["Shirt, blue 3", '5" disc', "Hat", *"abcdefgh"]
    table = Interactions.from_arrays(
        *zip(*((u, i) for u in range(60) for i in names if (u * len(i) + ord(i[0])) % 5), strict=True)
    )
    train(RunConfig("ease", "mine", "held-out-users", 1, 1, 50, {"held_out": 5}), lambda: table, tmp_path / "run")
    result = run("recommend", tmp_path / "run", "--history", '"Shirt, blue 3", 5" disc,Hat', "-k", 8)
    assert result.stderr == ""
    assert sorted(line.split()[1] for line in result.stdout.splitlines()) == [*"abcdefgh"]
    unknown = run("recommend", tmp_path / "run", "--history", '"Shirt, red",Hat', "-k", 1)
    assert unknown.stderr.splitlines() == ["note: item Shirt, red is not in the catalogue and is ignored"]


def test_export_serve_and_ask_the_server(runs, tmp_path):
    from kerasrec.serving import Server

    senseless = {
        "ease": {
            "--history 3 --user Bob": "--user has no meaning for this model, which asks for history: leave it out",
            "--history 3 --ratings 5": "--ratings has no meaning for this model, which asks for history: leave it out",
        },
        "items": {
            "--user 7 --history 3": "--history has no meaning for this served model, which asks for user_id",
            "--history 3": "give --user",
        },
    }
    for name, question in (
        ("ease", ["--history", "3,4,5"]),
        ("nodes", ["--history", "3,4", "--user", "7"]),
        ("nodes", ["--history", "3,4"]),
        ("users", ["--history", "3,4", "--ratings", "5,2"]),
        ("items", ["--user", "7"]),
    ):
        if not (tmp_path / name).exists():
            result = run("export", runs / name, "--to", tmp_path / name, "--top-k", 20)
            assert result.output.strip() == f"written: {tmp_path / name / '1'}"
        with Server(tmp_path / name, model="default", port=0) as server:
            served = run("recommend", f"127.0.0.1:{server.port}", *question, "-k", 5).output.splitlines()
            refused("recommend", f"127.0.0.1:{server.port}", *question, "--name", "other")
            for options, message in senseless.get(name, {}).items():
                assert message in refused("recommend", f"127.0.0.1:{server.port}", *options.split())
        direct = run("recommend", runs / name, *question, "-k", 5).output.splitlines()
        assert len(served) == 5
        assert [line.split()[1:3] for line in served] == [line.split()[1:3] for line in direct]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_served_model_answers_until_it_is_told_to_stop(runs, tmp_path, how):
    from kerasrec.serving import Client

    run("export", runs / "ease", "--to", tmp_path / "served")
    command = [sys.executable, "-m", "kerasrec_cli", "serve", str(tmp_path / "served"), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        line = process.stdout.readline()
        with Client(line.split(" on ")[1].split(";")[0], model="default") as client:
            client.wait_until_ready()
            assert client.recommend([[3, 4]], k=2)[0].shape == (1, 2)
        process.send_signal(how)
        _, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors and "Aborted" not in errors
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "describe", "no-such-file.csv"], "no-such-file.csv"),
        (["train", "ease", "--data", "no-such-file.csv"], "no-such-file.csv"),
        (["train", "svd"], "no model 'svd': there are auto_rec, "),
        (["train", "ease", "--protocol", "holdout"], "no protocol 'holdout': there are"),
        (["train", "ease", "--protocol", "random-ratings"], "predicts likes"),
        (["train", "auto_rec", "--protocol", "held-out-users"], "predicts ratings"),
        (["train", "ease", "--set", "reg"], "NAME=VALUE"),
        (["train", "ease", "--set", "lambda=3"], "--set lambda: EASE takes reg"),
        (["train", "ease", "--set", "reg=much"], "--set reg=much: that takes float, as in 500.0"),
        (["train", "mult_vae", "--set", "likelihood=poisson"], "--set likelihood"),
        (["train", "ease", "--held-out", "1000"], "held"),
        (["train", "auto_rec", "--held-out", "10"], "--held-out has no meaning"),
        (["train", "ease", "--set", "reg=-1"], "--set reg must be above 0"),
        (["train", "ease", "--split", "min_items=10000"], "lower --split min_items"),
        (["train", "mult_vae", "--learning-rate", "nan"], "--learning-rate must be a number above 0, not nan"),
        (
            ["train", "ease", "--split", "shares=0.3"],
            "--split shares: HeldOutUsers takes held_out, min_value",
        ),
        (["train", "ease", "--value", "stars", "--data", "{table}"], "no column 'stars'"),
        (["train", "auto_rec", "--data", "{table}"], "every rating is 1, so there is nothing for AutoRec to predict"),
        (["train", "mult_vae", "--set", "hidden_dims=wide"], "as in 600,200"),
        (["train", "mult_vae", "--set", "n_sampled=100.5"], "--set n_sampled=100.5: that takes int, as in 100"),
        (["train", "mult_vae", "--split", "held_out=2.5"], "--split held_out=2.5: that takes int, as in 100"),
        (["train", "auto_rec", "--set", "value_range=5"], "that takes tuple[float, float], as in 0.5,5"),
        (["train", "rec_vae", "--set", "mixture=0.2,0.8"], "tuple[float, float, float], as in 0.15,0.75,0.1"),
        (["train", "cfn", "--set", "side_shape=3,4"], "--set side_shape: CFN takes rows"),
        (["train", "cfn", "--set", "centre_input=maybe"], "that takes bool, as in True"),
        (["evaluate", "{tmp}"], "is not a run"),
        (["export", "{tmp}", "--to", "{tmp}/x"], "is not a run"),
        (["serve", "{tmp}"], "no SavedModel"),
        (["recommend", "{tmp}", "--history", "1"], "is not a run"),
        (["recommend", "127.0.0.1:1", "--history", "1"], "127.0.0.1:1: no server listens at this address"),
    ],
)
def test_a_slip_gets_one_sentence(arguments, message, tmp_path):
    (tmp_path / "plain.csv").write_text("who,what\n" + "".join(f"{u},{i}\n" for u in range(20) for i in range(10)))
    if "{table}" in arguments:
        arguments = [*arguments, "--user", "who", "--item", "what"]
    arguments = [a.replace("{tmp}", str(tmp_path)).replace("{table}", f"{tmp_path}/plain.csv") for a in arguments]
    if arguments[0] == "train":
        arguments += ["--out", str(tmp_path / "out")]
    assert message in refused(*arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ease", ["--history", "1,two"], "--history: ids in this data are integers"),
        (
            "users",
            ["--history", "1,2", "--ratings", "5"],
            "--ratings: 2 items but 1 values: give each item",
        ),
        ("users", ["--history", "1,2", "--ratings", "5,good"], "--ratings"),
        ("ease", ["--history", "1", "--user", "3"], "--user has no meaning for this model, which asks for history"),
        ("ease", ["--history", "1", "--ratings", "3"], "--ratings has no meaning"),
        ("items", ["--history", "1"], "give --user"),
        ("items", ["--user", "123456"], "--user: user 123456 is not among the training users"),
        ("ease", ["--history", "1", "-k", "100000"], "`k` must be between 1 and"),
    ],
)
def test_a_bad_question_gets_one_sentence(runs, name, arguments, message):
    assert message in refused("recommend", runs / name, *arguments)


def test_what_is_warned_of_names_options(tmp_path):
    (tmp_path / "x.csv").write_text("who,what\n" + "".join(f"{u},{i}\n" for u in range(20) for i in range(u % 7 + 3)))
    told = "--user", "who", "--item", "what", "--protocol", "leave-one-out"
    with warnings.catch_warnings(action="always"):
        done = run("train", "popularity", "--data", tmp_path / "x.csv", *told, "--out", tmp_path / "out")
    (warning,) = [line for line in done.output.splitlines() if "no times" in line]
    assert warning.startswith("Warning: ") and "pass the name of the column of times as --time" in warning
    assert "UserWarning" not in done.output


def test_a_run_that_learned_nothing_is_not_kept(tmp_path):
    message = refused("train", "mult_vae", "--epochs", "1", "--learning-rate", "1e30", "--out", tmp_path / "out")
    assert "the loss is nan after epoch 1" in message and message.endswith("train again with a lower --learning-rate")
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_nothing_left_is_said(runs):
    everything = (runs / "ease" / "items.csv").read_text().splitlines()[1:]
    asked = ",".join(line.split(",")[0] for line in everything)
    assert "nothing is left to recommend" in run("recommend", runs / "ease", "--history", asked).output


def test_a_picture_that_cannot_be_drawn_fails_no_run(tmp_path):
    told = "--epochs", "1", "--set", "latent_dim=1", "--held-out", "20"
    assert "next: kerasrec export" in run("train", "mult_dae", *told, "--out", tmp_path / "out").output
    assert not (tmp_path / "out" / "pictures" / "latent-map.png").exists()
    assert "there is no map of" in refused("plot", "latent-map", tmp_path / "out", "--to", tmp_path / "x.png")


def test_bfloat16_is_exported_and_what_it_does_is_said(runs, tmp_path):
    told = run("export", runs / "ease", "--to", tmp_path, "--bfloat16").output
    assert re.search(r"of the best 60 items \d+\.\d% are those of float32", told)


def test_advice_names_options(tmp_path):
    (tmp_path / "dates.csv").write_text("user,item,time\n1,2,13/02/2001\n")
    advice = refused("data", "describe", tmp_path / "dates.csv")
    assert advice.endswith("say how other dates are written, as in --date-format '%d/%m/%Y %H:%M'")
    written = run("data", "describe", tmp_path / "dates.csv", "--date-format", "%d/%m/%Y")
    assert "2001-02-13" in written.output


def test_a_run_must_be_exported_to_be_served(runs):
    message = refused("serve", runs / "ease")
    assert message.endswith(f"export it first, kerasrec export {runs / 'ease'} --to served")


def test_an_existing_version_or_run_is_never_overwritten(runs, tmp_path):
    run("export", runs / "ease", "--to", tmp_path)
    assert run("export", runs / "ease", "--to", tmp_path).output.strip().endswith("/2")
    assert "holds another run" in refused("train", "ease", "--set", "reg=1", "--out", runs / "ease")


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("KERASREC_DEBUG", "1")
    with pytest.raises(ValueError, match="no-such-file"):
        run("data", "describe", "no-such-file.csv")


def test_plot_draws_runs(runs, tmp_path):
    result = run("plot", "comparison", runs / "ease", "--to", tmp_path / "figure.svg")
    assert "written" in result.output
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")
    assert "there are curves, train-validation" in refused("plot", "curve", runs / "ease", "--to", tmp_path / "a.png")
    assert "no curves" in refused("plot", "curves", runs / "ease", "--to", tmp_path / "a.png")
    assert "must end in" in refused("plot", "curves", runs / "ease", "--to", tmp_path / "a.bmp")
    (tmp_path / "costs.csv").write_text("name,size,cost\na,10,1\na,100,20\n")
    assert run("plot", "costs", tmp_path / "costs.csv", "--to", tmp_path / "costs.png").exit_code == 0
    assert "costs.png" in refused("plot", "costs", tmp_path / "costs.png", "--to", tmp_path / "b.png")
    assert "from one CSV file" in refused("plot", "costs", runs / "ease", "--to", tmp_path / "b.png")
    assert run("plot", "comparison", runs / "ease", runs / "ease", "--to", tmp_path / "c.png").exit_code == 0
    for picture in ("comparison", "popularity"):
        apart = refused("plot", picture, runs / "ease", runs / "nodes", "--to", tmp_path / "d.png")
        assert "train them on the same split" in apart
    for picture in ("curves", "train-validation", "reconstruction", "latent-map"):
        assert "one run" in refused("plot", picture, runs / "nodes", runs / "nodes", "--to", tmp_path / "d.png")


def test_what_cannot_be_written_or_read_is_told_in_words(runs, tmp_path):
    nowhere, folder, file = tmp_path / "nodir" / "x.png", tmp_path / "x.png", tmp_path / "file"
    folder.mkdir()
    file.write_text("")
    for command in (["plot", "latent-map", runs / "ease", "--to"], ["explore", runs / "ease", "--save"]):
        assert f"{nowhere}: there is no folder {nowhere.parent}: make it first" in refused(*command, nowhere)
        assert f"{folder} is a folder: give the name of a file" in refused(*command, folder)
    assert f"--to {file} is a file: give a folder" in refused("export", runs / "ease", "--to", file)
    below = refused("export", runs / "ease", "--to", file / "served")
    assert below == f"Error: {file / 'served'}: Not a directory"


def test_explore_saves_a_page(runs, tmp_path):
    result = run("explore", runs / "ease", "--save", tmp_path / "page.html")
    assert "written" in result.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '"list": [' in page
    assert "no test user 'nobody'" in refused(
        "explore", runs / "ease", "--save", tmp_path / "a.html", "--user", "nobody"
    )
    assert "one or two" in refused("explore", runs / "ease", runs / "ease", runs / "ease")
    assert "--save" in refused("explore", runs / "ease", "--user", "3")
    assert "is not a run" in refused("explore", tmp_path)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_explore_answers_until_it_is_told_to_stop(runs, how):
    command = [sys.executable, "-m", "kerasrec_cli", "explore", str(runs / "ease"), "--port", "0", "--no-open"]
    environment = as_a_user()
    explorer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = explorer.stdout.readline()
        address = line.split(" on ")[1].split(";")[0]
        with urllib.request.urlopen(address + "api/about") as answer:
            assert b'"EASE"' in answer.read()
        explorer.send_signal(how)
        assert explorer.communicate(timeout=20) == ("", "")
        assert explorer.returncode == 0
    finally:
        explorer.kill()
        explorer.communicate()


def test_a_sentence_names_the_option_that_sets_it(tmp_path):
    (tmp_path / "a.csv").write_text("buyer,item\n1,2\n")
    message = refused("data", "describe", tmp_path / "a.csv")
    assert message.endswith("got the columns buyer, item. Fix: pass the name of one of them as --user")
    message = refused("data", "describe", tmp_path / "a.csv", "--user", "Buyer")
    assert "expected a column 'Buyer' (--user), got the columns buyer, item. Fix: " in message


def test_training_says_what_the_protocol_left_of_the_data(tmp_path):
    # Of users with four likes nothing is held out. The last two have no likes at all.
    rows = [f"{u},{i},5" for u in range(20) for i in range(4 if u % 2 else 8)] + ["90,1,2", "91,1,2"]
    (tmp_path / "a.csv").write_text("\n".join(["user,item,rating", *rows]))
    form = ["--data", tmp_path / "a.csv", "--split", "min_items=1", "--held-out", "9", "--out", tmp_path / "run"]
    told = run("train", "popularity", *form).output
    assert "protocol held-out-users (held_out=9," in told
    assert "train 2 users" in told
    left_out = Run(tmp_path / "run").metrics["test"]["left_out"]
    assert left_out > 0
    assert f" test rows; users with nothing held out, left aside: {left_out};" in told
