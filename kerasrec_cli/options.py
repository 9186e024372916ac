"""Options that several commands share, and NAME=VALUE as arguments of a model or a protocol."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import click

from kerasrec_cli.runtime import OPTION_NAMES

READ_OPTIONS = {
    "--user": "Column of the user ids.  [default: by its name]",
    "--item": "Column of the item ids.  [default: by its name]",
    "--value": "Column of the ratings or counts.  [default: by its name]",
    "--time": "Column of the times.  [default: by its name]",
    "--separator": "Character between columns.  [default: detected in the first line]",
    "--quote": "Character around fields, or '' if quotes are ordinary characters.  [default: \"]",
    "--encoding": "Encoding of a text file, such as cp1252.  [default: detected]",
    "--decimal": "Decimal mark of values: . or ,  [default: detected in the first lines]",
    "--time-unit": "Unit of numeric times since 1970: s, ms, us or ns.  [default: s]",
    "--date-format": "Format of dates, such as '%d/%m/%Y %H:%M'.  [default: ISO 8601]",
    "--layout": "Layout of a file with one user per line: user-items or count-items.  [default: detected]",
}

PARSERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
}
"""Type annotation of an argument → parser of its values."""

EXAMPLES = {
    "int | None": "100",
    "tuple[int, ...]": "600,200",
    "tuple[float, float] | None": "0.5,5",
}
"""Type annotation → example value, where the default (`None`, or a single width) would be a poor example."""


def read_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that describe the format of a data file; they arrive as `**options` of the command."""
    for name, text in reversed(READ_OPTIONS.items()):
        command = click.option(name, help=text)(command)
    drop_missing = "Drop rows in which a field is missing, and print how many."
    return click.option("--drop-missing", is_flag=True, default=None, help=drop_missing)(command)


def without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def keyword_arguments(cls: type) -> dict[str, inspect.Parameter]:
    """The arguments of a constructor that `--set` and `--split` accept: those with a default.

    The seed has its own option. No option reads side information, so its shape is excluded.
    """
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    excluded = ("seed", "side_shape")
    return {name: p for name, p in parameters.items() if p.default is not p.empty and name not in excluded}


def parse_arguments(cls: type, texts: tuple[str, ...], option: str) -> dict[str, Any]:
    """Parses `("reg=500",)` to arguments of the constructor of a model or a protocol.

    Args:
        cls: the model or protocol.
        texts: values of the option.
        option: name of the option, for errors.

    Raises:
        ValueError: a text has no `=`, or `cls` has no such argument, or the value has the wrong type.
    """
    known = keyword_arguments(cls)
    parsed = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals:
            example = f"{next(iter(known), 'name')}=…"
            raise ValueError(f"{option}: expected NAME=VALUE, got {text}. Fix: write {option} {example}")
        if name not in known:
            raise ValueError(
                f"{option}: {cls.__name__} has no option {name}. Fix: use one of {', '.join(known) or 'none'}"
            )
        parsed[name] = _parse(value.strip(), known[name], f"{option} {text}")
    return parsed


def _parse(text: str, parameter: inspect.Parameter, where: str) -> Any:
    """Parses a value by the annotation of its argument: `float`, `int | None`, `tuple[int, ...]`."""
    annotation = str(parameter.annotation)
    kind = annotation.removesuffix(" | None")
    if text == "None" and kind != annotation:
        return None
    try:
        if not kind.startswith("tuple["):
            return PARSERS[kind](text)
        first, *others = kind.removeprefix("tuple[").removesuffix("]").split(", ")
        values = tuple(PARSERS[first](value) for value in text.strip("()[]").split(",") if value.strip())
        if others != ["..."] and len(values) != 1 + len(others):
            raise ValueError
        return values
    except (KeyError, ValueError):
        example = EXAMPLES.get(annotation, as_text(parameter.default))
        raise ValueError(f"{where}: expected {kind}, such as {example}") from None


def as_text(value: Any) -> str:
    """Writes a value as `--set` accepts it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def protocol_arguments(
    protocol: Any, texts: tuple[str, ...], seed: int, own_options: Mapping[str, Any]
) -> dict[str, Any]:
    """Collects the arguments of a protocol from its options.

    Args:
        protocol: class of the protocol.
        texts: values of `--split`.
        seed: the seed, for protocols that have one.
        own_options: arguments that have an option of their own, such as `--held-out`; `None` if not given.

    Raises:
        ValueError: the protocol has no such argument, or a value has the wrong type.
    """
    accepted = inspect.signature(protocol).parameters
    for name in without_none(own_options):
        if name not in accepted:
            raise ValueError(
                f"protocol {protocol.name} has no option --{name.replace('_', '-')}. Fix: leave the option out"
            )
    seeded = {"seed": seed} if "seed" in accepted else {}
    return {**seeded, **without_none(own_options), **parse_arguments(protocol, texts, "--split")}


def name_arguments(classes: Mapping[str, type]) -> None:
    """From now on, messages of the library name arguments of these classes as options, such as `--set reg`.

    Args:
        classes: option → model or protocol.
    """
    names = click.get_current_context().meta[OPTION_NAMES]
    for option, cls in classes.items():
        for name in keyword_arguments(cls):
            names.setdefault(name, f"{option} {name}")
