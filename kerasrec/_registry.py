"""The decorator that makes a class public: exported, serialisable and tested, in one step."""

from typing import TypeVar

import keras

T = TypeVar("T", bound=type)

PACKAGE = "kerasrec"

registry: dict[str, type] = {}
"""Every public class that Keras must be able to serialise, by its class name."""


def public(cls: T) -> T:
    """Registers `cls` with Keras under the package "kerasrec" and adds it to `registry`.

    A class that is exported but cannot be loaded again, or that no contract test has seen, is
    a defect that nobody notices for months. The contract tests walk `registry`, so a new class
    is covered from the moment it is decorated.

    Args:
        cls: a subclass of a Keras layer, model, loss, metric or callback with `get_config`.

    Returns:
        The same class.
    """
    registry[cls.__name__] = cls
    return keras.saving.register_keras_serializable(PACKAGE, cls.__name__)(cls)
