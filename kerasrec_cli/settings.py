"""Options from a configuration file and from environment variables."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
import tomllib

PREFIX = "KERASREC"


def name_of(option: click.Parameter) -> str:
    """The name of an option in a configuration file: that on the command line, without dashes in front."""
    return option.opts[0].lstrip("-")


def name_variables(command: click.Command, info_name: str) -> None:
    """Lets environment variables set the options of a command: `KERASREC_EXPORT_TOP_K` for `export --top-k`."""
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None and name_of(option) != "help":
            option.envvar = f"{PREFIX}_{info_name}_{name_of(option)}".replace("-", "_").upper()


def read_settings(file: Path, commands: Collection[str]) -> dict[str, Any]:
    """Reads a configuration file: a TOML table for each command.

    Args:
        file: the file.
        commands: names of the commands.

    Raises:
        ValueError: the file is not TOML, or has a table for an unknown command.
    """
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config: expected a TOML file, got {file} ({error})") from None
    for name, table in settings.items():
        if name not in commands or not isinstance(table, dict):
            raise ValueError(f"--config: expected tables named as commands, got {name} in {file}. Fix: write [train]")
    return settings


def defaults_of(command: click.Command, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a command by the names of its parameters, as click's `default_map` has them.

    Raises:
        ValueError: a setting is not an option of the command, or has a value of the wrong kind.
    """
    options = {name_of(option): option for option in command.params if isinstance(option, click.Option)}
    unknown = sorted(settings.keys() - options.keys())
    if unknown:
        raise ValueError(
            f"--config: {command.name} has no option {unknown[0]}. Fix: use one of {', '.join(sorted(options))}"
        )
    return {str(options[name].name): _value_of(options[name], value) for name, value in settings.items()}


def _value_of(option: click.Option, value: Any) -> Any:
    """The value of a setting as text, as on the command line: click would cut 2.5 to the integer 2.

    An option that may be repeated gets a list.

    Raises:
        ValueError: the value is a table, a list for an option that takes one value, or true or false for an option
            that is not a flag.
    """
    values = value if isinstance(value, list) and option.multiple else [value]
    for single in values:
        if isinstance(single, (list, dict)) or (isinstance(single, bool) and not option.is_flag):
            number = "values" if option.multiple else "one value"
            raise ValueError(f"--config: expected {number} for {name_of(option)}, got {single!r}")
    texts = [str(single) for single in values]
    return texts if option.multiple else texts[0]
