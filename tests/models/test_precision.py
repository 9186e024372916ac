"""The dtype of the widest products of training."""

import keras
import pytest

from kerasrec import ELSA, SVAE, AutoRec, DeepRec, MultDAE, MultVAE, RecVAE
from kerasrec.layers import BFloat16Dense, RowDense
from kerasrec.models.precision import product_dtype


@pytest.mark.parametrize("choice", ["bfloat16", "float32"])
def test_a_choice_precedes_the_environment(monkeypatch, choice):
    monkeypatch.setenv("KERASREC_PRECISION", "float32" if choice == "bfloat16" else "bfloat16")
    assert product_dtype(choice) == (None if choice == "float32" else "bfloat16")
    assert product_dtype() == ("bfloat16" if choice == "float32" else None)


def test_another_choice_is_refused():
    with pytest.raises(ValueError, match='`product_dtype`: expected "auto", "float32" or "bfloat16", got \'int8\''):
        MultVAE(12, product_dtype="int8")


@pytest.mark.parametrize(
    "model",
    [
        MultVAE(12, hidden_dims=(4,), latent_dim=2, product_dtype="bfloat16"),
        MultDAE(12, latent_dim=2, product_dtype="bfloat16"),
        RecVAE(12, hidden_dim=4, latent_dim=2, product_dtype="bfloat16"),
        AutoRec(12, hidden_dims=(4,), product_dtype="bfloat16"),
        DeepRec(12, hidden_dims=(4,), product_dtype="bfloat16"),
        SVAE(12, embedding_dim=4, gru_units=4, hidden_dims=(4,), latent_dim=2, product_dtype="bfloat16"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_argument_reaches_the_layers_and_survives_a_copy(model):
    for copy in (model, keras.models.clone_model(model)):
        assert copy.get_config()["product_dtype"] == "bfloat16"
        layers = [layer for layer in copy._flatten_layers() if isinstance(layer, (RowDense, BFloat16Dense))]
        assert {layer.product_dtype for layer in layers} == {"bfloat16"}


def test_elsa_uses_the_argument():
    assert ELSA(12, product_dtype="bfloat16").code_dtype == "bfloat16"
    assert ELSA(12, product_dtype="float32").code_dtype is None
