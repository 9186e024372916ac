"""The check of the Keras backend."""

import sys

import keras
import pytest

from kerasrec._backend import check_backend


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_other_backends_are_refused_with_the_supported_ones(name, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: name)
    with pytest.raises(
        ImportError, match=f"^expected the Keras backend tensorflow or jax, got {name}. Fix: set the env"
    ):
        check_backend()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchh", "got KERAS_BACKEND=torchh. Fix: set the environment variable KERAS_BACKEND=tensorflow"),
        ("jax", "got jax, which cannot be imported .* Fix: install it, or set the environment variable"),
    ],
)
def test_a_backend_that_cannot_be_imported_is_named(name, message, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=message):
        check_backend()
