"""How a command runs: the library is imported without TensorFlow's log, and an error is one line."""

from __future__ import annotations

import _thread
import contextlib
import errno
import importlib
import keyword
import logging
import math
import os
import re
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from kerasrec_cli.settings import defaults_of, name_variables

OPTION_NAMES = "kerasrec option names"
"""Key in a context's `meta`: Python name → option, for messages of the library."""

UNEXPECTED = "a file is damaged, or kerasrec has a bug"
"""Message of an error that no code expects."""

MAX_UNEXPECTED = 300
"""The most characters of its description."""

ERROR, REJECTED, INTERRUPTED = 2, 3, 130
"""Exit codes: an error; the deployment gate rejects a candidate; Ctrl-C."""


class Command(click.Command):
    """A command that first imports the library, and whose options may come from a file or from the environment."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Creates the context with the settings of the configuration file as defaults."""
        name_variables(self, info_name or str(self.name))
        settings = (parent.default_map or {}).get(info_name or "") if parent else None
        if settings:
            extra["default_map"] = defaults_of(self, settings)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        options = {p.name: (p.secondary_opts or p.opts)[0] for p in self.params if isinstance(p, click.Option)}
        ctx.meta[OPTION_NAMES] = options
        for name, value in ctx.params.items():
            if isinstance(value, float) and math.isnan(value):  # passes click's check of a range
                raise ValueError(f"{options[name]}: expected a number, got nan")
        _import_library()
        return super().invoke(ctx)


def _import_library() -> None:
    """Imports kerasrec and starts its backend without the ten lines that TensorFlow logs at each start."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not sys.stderr.isatty():  # the log of a nightly job needs few states of a progress bar
        os.environ.setdefault("TQDM_MININTERVAL", "30")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with contextlib.nullcontext() if os.environ.get("KERASREC_DEBUG") else _stderr_silenced():
        import kerasrec  # noqa: F401 - before keras, because it checks the backend

        # isort: split
        import keras

        keras.ops.zeros(1)  # TensorFlow looks for devices, and logs, only now
    log = logging.getLogger("kerasrec.data")
    log.setLevel(logging.INFO)
    log.handlers = [_StderrHandler()]


class _StderrHandler(logging.Handler):
    """Prints what the readers and protocols log, each message once, although `try` splits the data for each model."""

    def __init__(self) -> None:
        super().__init__()
        self.printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() in self.printed:
            return
        self.printed.add(record.getMessage())
        context = click.get_current_context(silent=True)  # of kerasrec, of a caller's own command, or None
        names = context.meta.get(OPTION_NAMES, {}) if context else {}
        click.echo(with_option_names(self.format(record), names), err=True)


@contextlib.contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Discards what C++ libraries write to standard error. Python exceptions still pass."""
    sys.stderr.flush()
    stderr = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


@contextlib.contextmanager
def keyboard_interrupts() -> Iterator[None]:
    """Raises `KeyboardInterrupt` for Ctrl-C in TensorFlow's C++ code, which raises other exceptions with its name."""
    try:
        yield
    except Exception as error:
        if KeyboardInterrupt.__name__ in str(error):
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def repeated_interrupts() -> Iterator[None]:
    """Repeats a Ctrl-C that Python discards because it interrupts a destructor, for example one that `gc` calls."""
    previous, timers = sys.unraisablehook, []

    def hook(unraisable: Any) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            return previous(unraisable)
        # Later, because an exception of this function would be discarded as well.
        timers.append(threading.Timer(0.1, _thread.interrupt_main))
        timers[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = previous
        for timer in timers:
            timer.cancel()


@contextlib.contextmanager
def resumable(stored: Path, place: str) -> Iterator[None]:
    """Ends an interrupted command with exit code 130, and prints where the same command will continue.

    Args:
        stored: a file or folder. If it does not exist, nothing can be continued.
        place: "after the last complete epoch", for example.
    """
    try:
        with keyboard_interrupts():
            yield
    except KeyboardInterrupt:
        if not stored.exists():
            raise
        click.echo(f"\ninterrupted: the same command continues {place}", err=True)
        sys.exit(INTERRUPTED)


class OneLineErrors(click.Group):
    """A command group that prints a user's mistake as one line, with exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        def spelled(message: object) -> str:
            return with_option_names(str(message), ctx.meta.get(OPTION_NAMES, {}))

        try:
            with repeated_interrupts(), keyboard_interrupts(), warnings.catch_warnings():
                warnings.showwarning = lambda message, *_: click.echo(f"Warning: {spelled(message)}", err=True)
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe, such as `head`, has ended; click exits without a message
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (ValueError, OSError, ImportError, MemoryError) as error:
            if os.environ.get("KERASREC_DEBUG"):
                raise
            message = error.args[0] if len(error.args) == 1 else error
            if isinstance(error, OSError) and error.errno is not None:  # without the number of the error
                message = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
                if error.errno == errno.ENOSPC:
                    message = f"{message}. Fix: free space on the disk, or choose a folder on another one"
            click.echo(f"Error: {spelled(message)}", err=True)
            ctx.exit(ERROR)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:  # such as a file of a run with values of other types
            if os.environ.get("KERASREC_DEBUG"):
                raise
            description = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_UNEXPECTED]
            click.echo(f"Error: {UNEXPECTED} ({description}). Fix: set KERASREC_DEBUG=1 to see where", err=True)
            ctx.exit(ERROR)


class LazyGroup(OneLineErrors):
    """A command group that imports the module of a command when the command runs.

    Args:
        commands_by_module: command → module and summary for `--help`. The module has the command as the attribute of
            the same name, with `_` after a Python keyword.
        **options: as for `click.Group`.
    """

    def __init__(self, commands_by_module: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self.commands_by_module = commands_by_module

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of `--help`."""
        return list(self.commands_by_module)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        if cmd_name not in self.commands_by_module:
            return None
        module, _ = self.commands_by_module[cmd_name]
        attribute = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.commands_by_module.items()])


def with_option_names(message: str, options: Mapping[str, str]) -> str:
    """Replaces Python names in a message (`name` and name='value') with the options that set them."""
    message = re.sub(r"`(\w+)`", lambda match: options.get(match[1], match[0]), message)
    return re.sub(r"\b(\w+)=(?=')", lambda match: f"{options[match[1]]} " if match[1] in options else match[0], message)


def exit_on_signals() -> None:
    """Makes the usual signals to stop a server end it with exit code 0: SIGINT (Ctrl-C), SIGTERM and SIGHUP.

    SIGHUP is sent when the terminal is closed. Under `nohup` it remains ignored.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, lambda *_: sys.exit(0))


def end_on_signals() -> None:
    """Makes SIGINT (Ctrl-C) and SIGTERM end the process at once with exit code 0, if a command has nothing to finish.

    An exception from a handler is lost if it interrupts a function that TensorFlow's C++ code or a destructor calls.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))


def shell(path: Path) -> str:
    """A path in a command that a message suggests: quoted if it contains a blank, for example."""
    return shlex.quote(str(path))


def check_file(option: str, file: Path) -> None:
    """Checks that a file can be written, before the work whose result it stores.

    Raises:
        ValueError: `file` is a folder, or its folder does not exist.
    """
    if file.is_dir():
        raise ValueError(f"{option}: expected a file, got the folder {file}. Fix: add a file name")
    if not file.parent.is_dir():
        raise ValueError(f"{option} {file}: the folder {file.parent} does not exist. Fix: create it first")


def one_of(known: Mapping[str, Any], name: str, kind: str) -> Any:
    """Looks a name up.

    Raises:
        ValueError: `name` is unknown.
    """
    from kerasrec.validation import check_name

    check_name(kind, name, known)
    return known[name]
