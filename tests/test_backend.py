"""The check of the Keras backend."""

import keras
import pytest

from kerasrec._backend import check_backend


def test_a_supported_backend_passes():
    check_backend()


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_other_backends_are_refused_with_the_supported_ones(name, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: name)
    with pytest.raises(
        ImportError, match=f"^expected the Keras backend tensorflow or jax, got {name}. Fix: set the env"
    ):
        check_backend()
