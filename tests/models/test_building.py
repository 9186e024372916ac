"""What all models offer before their first batch: weights, a summary, copies, symbolic outputs, frozen layers."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import CASES, TRAINED, make, table_for

from kerasrec import ELSA


@pytest.mark.parametrize("case", TRAINED)
def test_a_new_model_has_a_summary_of_its_weights(case, capsys):
    model = make(case, table_for(case))
    model.summary()
    assert f"{model.count_params():,}" in capsys.readouterr().out
    assert model.count_params() > 0


@pytest.mark.parametrize("case", TRAINED)
def test_a_new_model_loads_weights(case, tmp_path):
    model, copy = (make(case, table_for(case), seed=seed) for seed in (3, 4))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape).astype(weight.dtype) for weight in model.weights])
    model.save_weights(tmp_path / "model.weights.h5")
    copy.load_weights(tmp_path / "model.weights.h5")
    for weight, expected in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("case", TRAINED)
def test_copies_of_a_planned_model_have_its_plan(case, tmp_path):
    table = table_for(case)
    model = make(case, table, epochs=7, batch_size=30)
    n_rows = table.n_items if model.rows == "items" else table.n_users
    assert model.planned_steps == 7 * n_rows // 30
    clone = keras.models.clone_model(model)
    clone.save(tmp_path / "model.keras")
    for copy in (clone, keras.saving.load_model(tmp_path / "model.keras")):
        assert copy.get_config() == model.get_config()
        assert copy.run_plan() == model.run_plan() == {"planned_steps": model.planned_steps, "run_start": 0}
        shapes = [weight.shape for weight in model.weights]
        assert [weight.shape for weight in copy.weights] == shapes


@pytest.mark.parametrize("case", TRAINED)
def test_unfreezing_restores_the_trainable_weights(case):
    model = make(case, table_for(case))
    paths = [weight.path for weight in model.trainable_weights]
    assert paths
    model.trainable = False
    assert model.trainable_weights == []
    model.trainable = True
    assert [weight.path for weight in model.trainable_weights] == paths


@pytest.mark.parametrize("case", CASES)
def test_symbolic_outputs_have_the_shape_of_the_scores(case):
    model = make(case, table_for(case))
    n_columns = model.n_columns
    ids = {"ids": keras.KerasTensor((None, None), "int32"), "row": keras.KerasTensor((None,), "int32")}
    for inputs in (keras.KerasTensor((None, n_columns)), ids):
        output = model.compute_output_spec(inputs)
        assert (output.shape, output.dtype) == ((None, n_columns), "float32")
    assert model.compute_output_shape((None, n_columns)) == (None, n_columns)
    assert model.compute_output_shape({"ids": (4, None), "row": (4,)}) == (4, n_columns)


@pytest.mark.parametrize("case", ["mult_vae", "auto_rec users", "elsa", "rec_vae"])
def test_a_model_is_part_of_a_functional_model(case):
    model = make(case, table_for(case))
    rows = keras.Input((model.n_columns,))
    functional = keras.Model(rows, model(rows))
    dense = table_for(case).matrix.toarray()
    np.testing.assert_allclose(functional.predict(dense, verbose=0), model.predict(dense, verbose=0), atol=1e-5)


@pytest.mark.parametrize("case", ["mult_vae", "mult_dae", "auto_rec users", "elsa", "cfn"])
def test_an_encoder_is_extracted_as_a_functional_model(case):
    model = make(case, table_for(case))
    rows = keras.Input((model.n_columns,))
    encoder = keras.Model(rows, model.encode(rows))
    dense = table_for(case).matrix.toarray()[:3]
    codes = zip(keras.tree.flatten(encoder(dense)), keras.tree.flatten(model.encode(dense)), strict=True)
    for code, expected in codes:
        np.testing.assert_allclose(np.array(code), np.array(expected), atol=1e-6)


def test_symbolic_lists_of_ids_are_refused_in_a_part_of_a_model():
    model = make("mult_vae", table_for("mult_vae"))
    with pytest.raises(ValueError, match="expected dense rows as symbolic inputs"):
        model.encode({"ids": keras.Input((None,), dtype="int32")})


class WithKeywords(ELSA):
    def __init__(self, note="", **kwargs):
        super().__init__(**{"latent_dim": 3, **kwargs})
        self.note = note


class WithArguments(ELSA):
    def __init__(self, *args, note="", **kwargs):
        super().__init__(*args, **kwargs)
        self.note = note


@pytest.mark.parametrize(
    "model", [WithKeywords("a", n_items=5), WithKeywords(n_items=5, latent_dim=2), WithArguments(5, 2, note="b")]
)
def test_a_subclass_that_passes_arguments_on_has_a_configuration(model):
    copy = type(model).from_config(model.get_config())
    assert (copy.n_items, copy.latent_dim, copy.note) == (5, model.latent_dim, model.note)
    assert copy.get_config() == model.get_config()
