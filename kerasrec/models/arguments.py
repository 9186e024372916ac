"""Checks of the constructor arguments of all models, by their annotations and their names."""

from __future__ import annotations

import inspect
import math
import numbers
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasrec.validation import check_at_least

WIDTHS = ("n_items", "n_columns", "n_users", "latent_dim", "hidden_dim", "embedding_dim", "gru_units", "depth")
"""Arguments that must be 1 or more."""

NOT_NEGATIVE = ("reg", "noise", "alpha", "beta", "observed_weight")
"""Arguments of trained models that must be 0 or more."""


def check_arguments(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any], trained: bool
) -> None:
    """Checks constructor arguments: numbers are finite and of the annotated kind, and widths are positive.

    Keras' layers would report some mistakes under the names of their own arguments, others as a `TypeError`, and
    others not at all.

    Args:
        signature: that of `__init__`.
        args: positional arguments, with `self`.
        kwargs: keyword arguments.
        trained: whether the model is trained by gradient descent; a closed-form model checks its own penalties.

    Raises:
        ValueError: an argument has the wrong type, or is out of range.
    """
    try:
        arguments = signature.bind_partial(*args, **kwargs).arguments
    except TypeError:  # the call itself reports an unknown or repeated argument
        return
    for name, value in arguments.items():
        annotation = str(signature.parameters[name].annotation)
        kind = annotation.removesuffix(" | None")
        if value is None and kind != annotation:
            continue
        check_kind(name, value, kind)
        if name in WIDTHS:
            check_at_least(1, **{name: value})
        if trained and name in NOT_NEGATIVE:
            check_at_least(0, **{name: value})
        if trained and name == "dropout" and not 0 <= value <= 1:
            raise ValueError(f"`dropout`: expected 0 to 1, got {value}. Fix: pass a share, for example 0.5")
        if name == "value_range" and not value[0] < value[1]:
            raise ValueError(f"`value_range`: expected (lowest, highest) rating, got {value}. Fix: for example (1, 5)")


def check_kind(name: str, value: Any, kind: str) -> None:
    """Checks that a value is of an annotated kind. Other annotations than those of numbers are not checked.

    Raises:
        ValueError: `value` is of another kind.
    """
    first, _, others = kind.removeprefix("tuple[").removesuffix("]").partition(", ")
    if kind == "bool":
        if not isinstance(value, bool) and type(value).__name__ != "bool":  # that of numpy
            raise ValueError(f"`{name}`: expected True or False, got {value!r}")
    elif kind in ("int", "float"):
        check_number(name, value, kind)
    elif kind.startswith("tuple[") and first in ("int", "float"):
        try:
            entries = list(value)
        except TypeError:
            expected = (
                f"a width per layer, for example ({value},)" if others == "..." else "numbers, for example (1, 5)"
            )
            raise ValueError(f"`{name}`: expected {expected}, got {value!r}") from None
        if others != "..." and len(entries) != 1 + len(others.split(", ")):
            raise ValueError(f"`{name}`: expected {1 + len(others.split(', '))} numbers, got {value!r}")
        for entry in entries:
            check_number(name, entry, first)
            if others == "...":  # widths of layers
                check_at_least(1, **{name: entry})


def check_number(name: str, value: Any, kind: str) -> None:
    """Checks that a value is an integer, or a finite number.

    Raises:
        ValueError: `value` is neither.
    """
    if kind == "int":
        try:
            is_valid = not isinstance(value, bool) and operator.index(value) is not None
        except TypeError:
            is_valid = False
        expected = "an integer"
    else:
        is_valid = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
        expected = "a finite number"
    if not is_valid:
        raise ValueError(f"`{name}`: expected {expected}, got {value!r}")


def without_numpy(value: Any) -> Any:
    """A scalar of numpy, or a tuple of them, as numbers of Python, which Keras' layers and JSON need."""
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(map(without_numpy, value))
    return value.item() if isinstance(value, np.generic) else value
