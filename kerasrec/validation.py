"""What arguments are refused for, in one wording."""

from __future__ import annotations

import operator
from typing import Any


def check_at_least(lowest: float, **arguments: float | None) -> None:
    """Refuses arguments below what they mean something from; `None` is none of them.

    Raises:
        ValueError: one is.
    """
    for name, value in arguments.items():
        if value is not None and value < lowest:
            raise ValueError(f"`{name}` must be at least {lowest}, not {value}")


def as_int_at_least(lowest: int, **arguments: Any) -> int:
    """One argument as an integer, of numpy say, from what it means something from.

    Raises:
        ValueError: it is none, or below.
    """
    ((name, value),) = arguments.items()
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"`{name}` must be a whole number, not {value!r}") from None
    check_at_least(lowest, **arguments)
    return number


def check_columns(y_true: Any, y_pred: Any) -> None:
    """Refuses rows that are not of one width, which a backend may broadcast, cut off or answer with NaN.

    Raises:
        ValueError: they are not.
    """
    shapes: list[Any] = [getattr(rows, "shape", None) or () for rows in (y_true, y_pred)]
    widths = [shape[-1] if len(shape) == 2 else None for shape in shapes]
    if None not in widths and widths[0] != widths[1]:
        raise ValueError(f"`y_true` has {widths[0]} columns and `y_pred` {widths[1]}: they must have the same ones")
