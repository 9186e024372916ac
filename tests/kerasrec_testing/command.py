"""Running the `kerasrec` command in tests, in this process and in a process of its own."""

import os
import sys
from pathlib import Path

from click.testing import CliRunner

import kerasrec_cli
from kerasrec_cli.runtime import UNEXPECTED

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "kerasrec_cli"]


def invoke(*arguments):
    """Runs the command in this process and returns the result of click."""
    result = CliRunner().invoke(kerasrec_cli.main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert UNEXPECTED not in result.output, result.output
    return result


def error_of(*arguments):
    """Runs a command that fails, and returns its one line of error."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result.output
    return errors[0]


def user_environment():
    """The environment of a fresh shell. A test that imports JAX sets TF_CPP_MIN_LOG_LEVEL, which a user has not set."""
    variables = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return {**variables, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
