"""How a command of `kerasrec` runs: the library imported quietly, a user's mistake told in one sentence."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from kerasrec_cli.settings import arguments

SETTINGS = "kerasrec settings"
"""Where a command's context keeps what `name_settings` was told."""


@contextlib.contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Sends what C++ libraries write to standard error nowhere; Python's exceptions pass."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Notes(logging.Handler):
    """Shows what reading data logs."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


class Command(click.Command):
    """A command that imports the library first, quietly: TensorFlow greets each start with ten lines."""

    def invoke(self, ctx: click.Context) -> Any:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        with contextlib.nullcontext() if os.environ.get("KERASREC_DEBUG") else _stderr_silenced():
            import keras

            keras.ops.zeros(1)  # the devices are looked for, and complained about, only now
            import kerasrec  # noqa: F401
        log = logging.getLogger("kerasrec.data")
        log.setLevel(logging.INFO)
        log.handlers = [Notes()]
        return super().invoke(ctx)


class OneLineErrors(click.Group):
    """A command group that turns a user's mistake into one sentence and exit code 2."""

    command_class = Command
    group_class = type  # groups below it are of this class too

    def invoke(self, ctx: click.Context) -> Any:
        def spelled(message: object) -> str:
            return in_options(str(message), {**ctx.meta.get(SETTINGS, {}), **options(self)})

        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *_: click.echo(f"Warning: {spelled(message)}", err=True)
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads, `head` say, has seen enough: click ends quietly
        except (ValueError, OSError, ImportError, MemoryError) as error:
            if os.environ.get("KERASREC_DEBUG"):
                raise
            message = error.args[0] if len(error.args) == 1 else error
            if isinstance(error, OSError) and error.filename is not None:
                message = f"{error.filename}: {error.strerror}"  # without the number of the operating system's
            click.echo(f"Error: {spelled(message)}", err=True)
            ctx.exit(2)


def in_options(message: str, known: Mapping[str, str]) -> str:
    """A message with options in place of Python's `name` and name='value'."""
    message = re.sub(r"`(\w+)`", lambda name: known.get(name[1], name[0]), message)
    return re.sub(r"\b(\w+)=(?=')", lambda name: f"{known[name[1]]} " if name[1] in known else name[0], message)


def name_settings(classes: Mapping[str, type]) -> None:
    """From here on, messages name the arguments of these classes as the options that set them, `--set NAME`.

    Args:
        classes: option → class.
    """
    known = click.get_current_context().meta.setdefault(SETTINGS, {})
    for option, cls in classes.items():
        known.update({name: f"{option} {name}" for name in arguments(cls)})


def options(command: click.Command) -> dict[str, str]:
    """Name of an argument → the option that sets it, of a command and those below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {p.name: next((o for o in p.opts if o.startswith("--")), "") for p in command.params if p.name}
    found = {name: option for name, option in own.items() if option}
    return found | {name: option for other in below for name, option in options(other).items()}


def stop_when_told() -> None:
    """Lets Ctrl-C end a server as SIGTERM does: that is how it is stopped, so nothing went wrong."""
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, lambda *_: sys.exit(0))


def check_file(option: str, file: Path) -> None:
    """That a file can be written there, before the work is done that it is to hold."""
    if file.is_dir():
        raise ValueError(f"{option} {file} is a folder: give the name of a file")
    if not file.parent.is_dir():
        raise ValueError(f"{option} {file}: there is no folder {file.parent}: make it first")


def one_of(known: dict[str, Any], name: str, what: str) -> Any:
    """What is known by that name, or one sentence that lists the names."""
    if name not in known:
        raise ValueError(f"no {what} {name!r}: there are {', '.join(known)}")
    return known[name]
