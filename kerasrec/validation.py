"""Shared checks of arguments, with one form of message: "`name`: expected …, got …. Fix: …"."""

from __future__ import annotations

import json
import numbers
import operator
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from kerasrec.types import PlansRuns


def check_at_least(lowest: float, **arguments: float | None) -> None:
    """Checks that each argument is `lowest` or more; `None` passes, NaN does not.

    Example:
        >>> from kerasrec.validation import check_at_least
        >>> check_at_least(1, depth=0)
        Traceback (most recent call last):
        ValueError: `depth`: expected at least 1, got 0. Fix: pass 1 or more

    Raises:
        ValueError: an argument is below `lowest`, or NaN.
    """
    for name, value in arguments.items():
        if value is not None and not (isinstance(value, numbers.Real) and value >= lowest):
            raise ValueError(f"`{name}`: expected at least {lowest}, got {value}. Fix: pass {lowest} or more")


def check_above(lowest: float, **arguments: float) -> None:
    """Checks that each argument is more than `lowest`; NaN is not.

    Raises:
        ValueError: an argument is `lowest` or less.
    """
    for name, value in arguments.items():
        if not (isinstance(value, numbers.Real) and value > lowest):
            raise ValueError(f"`{name}`: expected a number above {lowest:g}, got {value}. Fix: pass more")


def as_int_at_least(lowest: int, **arguments: Any) -> int:
    """One argument as a Python integer of `lowest` or more; integers of numpy pass, booleans and floats do not.

    Raises:
        ValueError: the argument is not an integer, or is below `lowest`.
    """
    ((name, value),) = arguments.items()
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"`{name}`: expected an integer, got {value!r}. Fix: pass {lowest} or more") from None
    check_at_least(lowest, **arguments)
    return number


def check_recommender(model: Any) -> None:
    """Checks that `model` is a model of this library, not a plain one of Keras.

    Raises:
        TypeError: `model` is another object.
    """
    if not isinstance(model, PlansRuns):  # `Recommender` itself belongs to a higher layer
        raise TypeError(
            f"`model`: expected a model of kerasrec, got {type(model).__name__}. "
            "Fix: derive your own models from `kerasrec.Recommender`"
        )


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """Checks that a name is known. The message begins with the most similar name.

    Example:
        >>> from kerasrec.validation import check_name
        >>> check_name("model", "MultVAE", ["ease", "mult_vae"])
        Traceback (most recent call last):
        ValueError: unknown model 'MultVAE'. Fix: choose mult_vae, or another of ease, mult_vae

    Raises:
        ValueError: `name` is not in `known`.
    """
    if name not in known:
        similar = get_close_matches(name.lower(), known, 1)
        choice = f"{similar[0]}, or another" if similar else "one"
        raise ValueError(f"unknown {kind} {name!r}. Fix: choose {choice} of {', '.join(known)}")


def check_columns(y_true: Any, y_pred: Any) -> None:
    """Checks that `y_true` and `y_pred` have the same number of columns.

    Without the check, backends broadcast, truncate or compute NaN.

    Args:
        y_true: `(batch, n)`. Other ranks are not checked.
        y_pred: likewise.

    Raises:
        ValueError: both are matrices, and their numbers of columns differ.
    """
    shapes: list[Any] = [getattr(rows, "shape", None) or () for rows in (y_true, y_pred)]
    widths = [shape[-1] if len(shape) == 2 else None for shape in shapes]
    if None not in widths and widths[0] != widths[1]:
        raise ValueError(
            f"`y_pred`: expected {widths[0]} columns, as in `y_true`, got {widths[1]}. Fix: pass rows of one catalogue"
        )


def check_json(**arguments: Any) -> None:
    """Checks that each argument is a JSON value: no number of numpy, and no NaN or infinity.

    Raises:
        ValueError: an argument cannot be stored as JSON.
    """
    for name, value in arguments.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{name}`: expected JSON values ({error})") from None
