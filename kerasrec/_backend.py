"""Check of the Keras backend, at the import of kerasrec and before any other module uses it."""

from __future__ import annotations

import os

BACKENDS = ("tensorflow", "jax")
"""The backends that kerasrec supports."""


def check_backend() -> None:
    """Checks that Keras runs on a supported backend.

    Raises:
        ImportError: The backend is unknown, not installed or not supported.
    """
    expected = f"expected the Keras backend {' or '.join(BACKENDS)}"
    try:
        import keras
    except (ImportError, ValueError) as error:  # Keras raises ValueError for an unknown name
        name = os.environ.get("KERAS_BACKEND")
        if name is not None and name not in BACKENDS:
            raise ImportError(f"{expected}, got KERAS_BACKEND={name}. {_fix()}") from None
        raise ImportError(
            f"{expected}, got {name or 'the default'}, which cannot be imported ({error}). "
            "Fix: install it, or set the environment variable KERAS_BACKEND to the other one"
        ) from error
    if keras.config.backend() not in BACKENDS:
        raise ImportError(f"{expected}, got {keras.config.backend()}. {_fix()}")


def _fix() -> str:
    return f"Fix: set the environment variable KERAS_BACKEND={BACKENDS[0]} before Python starts"


check_backend()
