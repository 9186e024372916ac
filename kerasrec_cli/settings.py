"""NAME=VALUE on the command line, as arguments of the constructor of a model or a protocol."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
}
"""How the value of a setting is read, by the annotation of the argument."""

EXAMPLES = {
    "int | None": "100",
    "tuple[int, ...]": "600,200",
    "tuple[float, float] | None": "0.5,5",
}
"""Values for the annotations whose default would be a poor example: `None`, or one width."""


def parse_settings(cls: type, settings: tuple[str, ...], option: str) -> dict[str, Any]:
    """`("reg=500",)` as arguments of the constructor of a model or a protocol.

    Raises:
        ValueError: it has no such argument, or it takes another type.
    """
    known = arguments(cls)
    parsed = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"{option} {setting}: write NAME=VALUE, as in {next(iter(known), 'name')}=…")
        if name not in known:
            raise ValueError(f"{option} {name}: {cls.__name__} takes {', '.join(known) or 'no settings'}")
        parsed[name] = _value(text.strip(), known[name], f"{option} {setting}")
    return parsed


def arguments(cls: type) -> dict[str, inspect.Parameter]:
    """The arguments of a constructor that a user may set: those with a default.

    The seed has an option of its own, and there is none that reads side information.
    """
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    return {n: p for n, p in parameters.items() if p.default is not p.empty and n not in ("seed", "side_shape")}


def _value(text: str, parameter: inspect.Parameter, where: str) -> Any:
    """Text as what an argument is annotated as: `float`, `int | None`, `tuple[int, ...]`."""
    annotation = str(parameter.annotation)
    kind = annotation.removesuffix(" | None")
    if text == "None" and kind != annotation:
        return None
    try:
        if not kind.startswith("tuple["):
            return READERS[kind](text)
        first, *others = kind.removeprefix("tuple[").removesuffix("]").split(", ")
        parts = tuple(READERS[first](part) for part in text.strip("()[]").split(",") if part.strip())
        if others != ["..."] and len(parts) != 1 + len(others):
            raise ValueError
        return parts
    except (KeyError, ValueError):
        example = EXAMPLES.get(annotation, spell(parameter.default))
        raise ValueError(f"{where}: that takes {kind}, as in {example}") from None


def spell(value: Any) -> str:
    """A value as it is written on the command line."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def protocol_settings(rules: Any, settings: tuple[str, ...], seed: int, shortcuts: dict[str, Any]) -> dict[str, Any]:
    """All that was said of a protocol, as arguments of its class; all but the seed must mean something to it."""
    takes = inspect.signature(rules).parameters
    for name in given(shortcuts):
        if name not in takes:
            raise ValueError(f"--{name.replace('_', '-')} has no meaning for --protocol {rules.name}")
    seeded = {"seed": seed} if "seed" in takes else {}
    return {**seeded, **given(shortcuts), **parse_settings(rules, settings, "--split")}
