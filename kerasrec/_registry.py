"""The decorator that exports a class, registers it with Keras and includes it in the contract tests."""

from typing import TypeVar

import keras

T = TypeVar("T", bound=type)

PACKAGE = "kerasrec"

registry: dict[str, type] = {}
"""Every public class that Keras must be able to serialise, by its class name."""


def public(cls: T) -> T:
    """Registers `cls` with Keras under the package "kerasrec" and adds it to `registry`.

    The contract tests cover every class in `registry`. Without one decorator for both steps, a class could be exported
    that Keras cannot load again, or that no test covers.

    Args:
        cls: a subclass of a Keras layer, model, loss, metric, optimizer or callback.

    Returns:
        The same class.
    """
    registry[cls.__name__] = cls
    return keras.saving.register_keras_serializable(PACKAGE, cls.__name__)(cls)
