"""The command as a whole: help, start-up, exit codes and errors."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kerasrec_testing.command import COMMAND, error_of, invoke, user_environment

import kerasrec_cli
from kerasrec_cli.runtime import repeated_interrupts, shell

NAMES = list(kerasrec_cli.COMMANDS)


def modules_after(code):
    """The modules that a new process has imported after `code`."""
    code += "\nimport sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=user_environment(), check=True).stdout.split()


def test_help_imports_neither_the_library_nor_a_command():
    help_text = (
        "from click.testing import CliRunner; from kerasrec_cli import main; CliRunner().invoke(main, ['--help'])"
    )
    modules = modules_after(help_text)
    assert not {"keras", "tensorflow", "kerasrec", "numpy"} & set(modules)
    assert {name for name in modules if name.startswith("kerasrec_cli")} == {
        "kerasrec_cli",
        "kerasrec_cli.runtime",
        "kerasrec_cli.settings",
    }


def test_help_of_a_command_does_not_import_the_library():
    help_text = "from click.testing import CliRunner; from kerasrec_cli import main\n"
    help_text += f"for name in {NAMES}: assert CliRunner().invoke(main, [name, '--help']).exit_code == 0"
    assert not {"keras", "tensorflow", "kerasrec"} & set(modules_after(help_text))


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_commands_has_the_first_sentence_of_each_help_text(name):
    command = kerasrec_cli.main.get_command(click.Context(kerasrec_cli.main), name)
    assert command.name == name
    assert kerasrec_cli.COMMANDS[name][1] == command.help.split("\n\n")[0].replace("\n", " ")
    assert kerasrec_cli.COMMANDS[name][1] in " ".join(invoke("--help").output.split())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "    kerasrec data describe ratings.csv     what a file contains"),
        (["plot"], "  latent-map        items in two dimensions"),
    ],
)
def test_help_keeps_the_lines_of_examples_and_lists(arguments, line):
    output = invoke(*arguments, "--help").output
    assert f"{line}\n" in output
    assert "\\b" not in output and "\b" not in output


def test_an_unknown_command_is_an_error():
    result = invoke("trian")
    assert result.exit_code == 2
    assert "No such command 'trian'" in result.output


def test_the_log_of_tensorflow_does_not_reach_the_terminal():
    command = [*COMMAND, "data", "describe", "generated"]
    result = subprocess.run(command, capture_output=True, text=True, env=user_environment(), check=True)
    assert result.stderr == ""
    assert "2,000 users × 500 items" in result.stdout


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m kerasrec_cli models | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, env=user_environment(), check=True)
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("InvalidArgumentError REPLACED BY KeyboardInterrupt: <EMPTY MESSAGE>")]
)
def test_an_interrupted_command_exits_with_130(monkeypatch, error):
    def interrupt(*_, **__):
        raise error

    monkeypatch.setattr("kerasrec.read", interrupt)
    result = invoke("data", "describe", "generated")
    assert (result.exit_code, result.stderr) == (130, "\ninterrupted\n")


def test_an_unexpected_exception_is_one_line(monkeypatch):
    def fail(*_, **__):
        raise TypeError("'int' object\nis not iterable")

    monkeypatch.setattr("kerasrec.read", fail)
    result = CliRunner().invoke(kerasrec_cli.main, ["data", "describe", "generated"])
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "(TypeError: 'int' object is not iterable). Fix: set KERASREC_DEBUG=1" in result.output


def test_a_full_disk_is_one_line_with_the_fix(monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kerasrec.read", fail)
    assert error_of("data", "describe", "generated").startswith("Error: No space left on device. Fix: free space")


def test_paths_in_suggested_commands_are_quoted():
    assert (shell(Path("my runs/é")), shell(Path("run"))) == ("'my runs/é'", "run")


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("KERASREC_DEBUG", "1")
    with pytest.raises(ValueError, match="no-such-file"):
        invoke("data", "describe", "no-such-file.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "describe", "no-such-file.csv"], "no-such-file.csv"),
        (["train", "ease", "--data", "no-such-file.csv"], "no-such-file.csv"),
        (["train", "svd"], "unknown model 'svd'. Fix: choose one of auto_rec, "),
        (["train", "ease", "--protocol", "holdout"], "unknown protocol 'holdout'. Fix: choose one of"),
        (["train", "ease", "--protocol", "random-ratings"], "predicts likes"),
        (["train", "auto_rec", "--protocol", "held-out-users"], "predicts ratings"),
        (["train", "ease", "--set", "reg"], "--set: expected NAME=VALUE, got reg. Fix: write --set reg=…"),
        (["train", "ease", "--set", "lambda=3"], "--set: EASE has no option lambda. Fix: use one of reg"),
        (["train", "ease", "--set", "reg=much"], "--set reg=much: expected float, such as 500.0"),
        (["train", "mult_vae", "--set", "likelihood=poisson"], "--set likelihood"),
        (["train", "ease", "--held-out", "1000"], "held"),
        (["train", "auto_rec", "--held-out", "10"], "protocol random-ratings has no option --held-out"),
        (["train", "ease", "--set", "reg=-1"], "--set reg: expected a number above 0, got -1"),
        (["train", "ease", "--split", "min_items=10000"], "lower --split min_items"),
        (["train", "mult_vae", "--learning-rate", "nan"], "--learning-rate: expected a number, got nan"),
        (["train", "elsa", "--learning-rate", "1e3"], "--learning-rate: expected at most 10, got 1000"),
        (["evaluate", "run", "--margin", "nan"], "--margin: expected a number, got nan"),
        (
            ["train", "ease", "--split", "shares=0.3"],
            "--split: HeldOutUsers has no option shares. Fix: use one of held_out, min_value",
        ),
        (
            ["train", "ease", "--value", "stars", "--data", "{table}"],
            "expected a column 'stars' (--value), got the columns who, what",
        ),
        (
            ["train", "auto_rec", "--data", "{table}"],
            "every value of the table is 1. Fix: name the column of the ratings (--value)",
        ),
        (["train", "mult_vae", "--set", "hidden_dims=wide"], "such as 600,200"),
        (["train", "mult_vae", "--set", "n_sampled=100.5"], "--set n_sampled=100.5: expected int, such as 100"),
        (["train", "mult_vae", "--split", "held_out=2.5"], "--split held_out=2.5: expected int, such as 100"),
        (["train", "auto_rec", "--set", "value_range=5"], "expected tuple[float, float], such as 0.5,5"),
        (["train", "rec_vae", "--set", "mixture=0.2,0.8"], "tuple[float, float, float], such as 0.15,0.75,0.1"),
        (["train", "cfn", "--set", "side_shape=3,4"], "--set: CFN has no option side_shape. Fix: use one of rows"),
        (["train", "cfn", "--set", "centre_input=maybe"], "expected bool, such as True"),
        (["evaluate", "{tmp}"], "is not a run"),
        (["compare", "{tmp}", "{tmp}"], "is not a run"),
        (["export", "{tmp}", "--to", "{tmp}/x"], "is not a run"),
        (["serve", "{tmp}"], "no SavedModel"),
        (["recommend", "{tmp}", "--history", "1"], "is not a run"),
        (["explore", "{tmp}"], "is not a run"),
        (["recommend", "127.0.0.1:1", "--history", "1"], "127.0.0.1:1: no server listens at this address"),
    ],
)
def test_a_mistake_gets_one_line_with_the_names_of_options(arguments, message, tmp_path):
    (tmp_path / "plain.csv").write_text("who,what\n" + "".join(f"{u},{i}\n" for u in range(20) for i in range(10)))
    if "{table}" in arguments:
        arguments = [*arguments, "--user", "who", "--item", "what"]
    arguments = [a.replace("{tmp}", str(tmp_path)).replace("{table}", f"{tmp_path}/plain.csv") for a in arguments]
    if arguments[0] == "train":
        arguments += ["--out", str(tmp_path / "out")]
    assert message in error_of(*arguments)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_in_a_destructor_is_repeated_until_it_ends_the_command():
    class Interrupted:
        def __del__(self):
            raise KeyboardInterrupt

    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), repeated_interrupts():
        for _ in range(3):
            Interrupted()
        for _ in range(12_000):
            time.sleep(0.01)
    assert sys.unraisablehook is hook
