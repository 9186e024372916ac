"""Options that several commands share, and NAME=VALUE as arguments of a model or a protocol."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import click

from kerasrec_cli.runtime import OPTION_NAMES

READ_OPTIONS = {
    "--user": "Name or number of the column of user ids.  [default: recognised by its name]",
    "--item": "Name or number of the column of item ids.  [default: recognised by its name]",
    "--value": "Name or number of the column of ratings or counts.  [default: recognised by its name]",
    "--time": "Name or number of the column of times.  [default: recognised by its name]",
    "--separator": "Character between columns.  [default: detected in the first line]",
    "--quote": "Character around fields, or '' if quotes are ordinary characters.  [default: \"]",
    "--encoding": "Encoding of a text file, such as cp1252.  [default: detected]",
    "--decimal": "Decimal mark of values: . or ,  [default: detected in the first lines]",
    "--time-unit": "Unit of numeric times since 1970: s, ms, us or ns.  [default: detected]",
    "--date-format": "Format of dates, such as '%d/%m/%Y %H:%M'.  [default: ISO 8601]",
    "--query": "SQL query, if the data are a SQLite file or a database URL.",
    "--items": "Table of items. Recommendations, the explorer and plots show its titles.",
    "--item-title": "Column of titles in that file.  [default: recognised by its name]",
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
    "float | None": "4",
    "tuple[int, ...]": "600,200",
    "tuple[float, float] | None": "0.5,5",
}
"""Type annotation → example value, where the default (`None`, or a single width) would be a poor example."""


def read_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that describe the format of a data file; they arrive as `**options` of the command."""
    flags = [
        click.option(
            "--header/--no-header", default=None, help="Whether the first line contains names.  [default: detected]"
        ),
        click.option(
            "--where",
            multiple=True,
            metavar="COLUMN=VALUE,…",
            callback=_parse_where,
            help="Read only the rows with one of these values, such as event=purchase,addtocart. Repeatable.",
        ),
        click.option(
            "--event-weights",
            metavar="COLUMN:EVENT=WEIGHT,…",
            callback=_parse_event_weights,
            help="Value of the rows of each event, such as event:view=1,addtocart=3,transaction=10.",
        ),
        click.option(
            "--duplicates",
            metavar="last|sum|count|max",
            help="Value of a repeated user and item.  [default: sum for counts, last for other values]",
        ),
        click.option(
            "--drop-missing",
            is_flag=True,
            default=None,
            help="Drop rows in which a field is missing, and print how many.",
        ),
    ]
    for option in reversed([*(click.option(name, help=text) for name, text in READ_OPTIONS.items()), *flags]):
        command = option(command)
    return command


def _parse_where(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> Any:
    """Parses `("event=purchase,addtocart",)` to `{"event": ["purchase", "addtocart"]}`."""
    where: dict[str, list[str]] = {}
    for text in texts:
        column, equals, values = text.partition("=")
        if not (column and equals and values):
            raise click.BadParameter(f"expected COLUMN=VALUE,…, got {text!r}. Fix: write --where event=purchase")
        where.setdefault(column.strip(), []).extend(split_list(values))
    return where or None


def _parse_event_weights(_context: click.Context, _option: click.Parameter, text: str | None) -> Any:
    """Parses `"event:view=1,addtocart=3"` to `{"event": {"view": 1.0, "addtocart": 3.0}}`."""
    if text is None:
        return None
    column, _, events = text.partition(":")
    try:
        pairs = [event.rpartition("=") for event in split_list(events)]
        weights = {event.strip(): float(weight) for event, _, weight in pairs}
        if not (column.strip() and weights and all(weights)):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"expected COLUMN:EVENT=WEIGHT,…, got {text!r}. Fix: write --event-weights event:view=1,purchase=10"
        ) from None
    return {column.strip(): weights}


def split_list(text: str) -> list[str]:
    """Splits a list at its commas, except inside quotes, as in a CSV file."""
    rows = csv.reader(text.split("\n"), skipinitialspace=True)
    return [field.strip() for row in rows for field in row if field.strip()]


def without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def keyword_arguments(cls: type) -> dict[str, inspect.Parameter]:
    """The arguments of a constructor that `--set` and `--split` accept: those with a default.

    The seed has its own option. `side_shape` is excluded: it follows from `--item-features` or `--user-features`.
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


def default_protocol(model_class: Any) -> str:
    """The protocol for a model: random ratings for rating models, time-ordered users if the order of items matters."""
    if model_class.feedback == "ratings":
        return "random-ratings"
    return "temporal-users" if model_class.ordered else "held-out-users"


def name_arguments(classes: Mapping[str, type]) -> None:
    """Lets later messages of the library name arguments of these classes as options, such as `--set reg`.

    Args:
        classes: option → model or protocol.
    """
    names = click.get_current_context().meta[OPTION_NAMES]
    for option, cls in classes.items():
        for name in keyword_arguments(cls):
            names.setdefault(name, f"{option} {name}")
