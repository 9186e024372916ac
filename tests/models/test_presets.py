"""Presets: a model and its catalogue in a folder."""

import json
import sys
import types

import numpy as np
import pytest
from kerasrec_testing.models import CASES, fitted, held_out, make, table_for

from kerasrec import CDAE, EASE, ELSA, Interactions, Recommender, evaluate, export_saved_model, generate
from kerasrec.models.presets import CONFIG, catalogue_from_preset, preset_metadata

TABLE = generate(n_users=60, n_items=30, seed=1)


@pytest.fixture(scope="module")
def elsa():
    return ELSA.for_interactions(TABLE, latent_dim=4, seed=1)


@pytest.fixture(scope="module")
def preset(elsa, tmp_path_factory):
    return elsa.save_to_preset(tmp_path_factory.mktemp("presets") / "elsa", TABLE, {"licence": "CC0-1.0"})


WITH_USERS = ("cdae", "cdae untied", "cfn", "inf_ae")
WITHOUT_USERS = [case for case in CASES if not case.endswith("items") and case not in WITH_USERS]


@pytest.mark.parametrize("case", WITHOUT_USERS)
def test_a_model_from_a_preset_gives_the_same_scores(case, tmp_path):
    table = table_for(case)
    model = make(case, table)
    if model.closed_form:
        model.fit(table, verbose=0)
    copy = type(model).from_preset(model.save_to_preset(tmp_path / "preset", table))
    batch, *_ = model.batches(table.take_users(range(5)))[0]
    np.testing.assert_array_equal(np.array(copy(batch)), np.array(model(batch)))
    assert copy.get_config() == {**model.get_config(), "columns_digest": copy.columns_digest}


@pytest.mark.parametrize("case", [case for case in CASES if case not in WITHOUT_USERS])
def test_a_model_with_user_data_is_refused(case, tmp_path):
    table = table_for(case)
    with pytest.raises(ValueError, match="expected a model without user data"):
        make(case, table).save_to_preset(tmp_path / "preset", table)


def test_a_preset_contains_items_and_titles_and_no_users(preset):
    assert sorted(path.name for path in preset.rglob("*") if path.is_file()) == [
        "config.json",
        "items.csv",
        "metadata.json",
        "model.weights.h5",
    ]
    catalogue = catalogue_from_preset(preset)
    assert catalogue.n_users == 0
    np.testing.assert_array_equal(catalogue.item_ids, TABLE.item_ids)
    np.testing.assert_array_equal(catalogue.item_titles, TABLE.item_titles)
    assert preset_metadata(preset)["licence"] == "CC0-1.0"
    assert preset_metadata(preset)["parameter_count"] == 120


def test_text_ids_that_look_like_numbers_stay_text(tmp_path):
    table = Interactions.from_arrays(["a", "b"], ["007", "012"])
    ELSA.for_interactions(table, latent_dim=2).save_to_preset(tmp_path / "preset", table)
    assert catalogue_from_preset(tmp_path / "preset").item_ids.tolist() == ["007", "012"]


def test_a_preset_refuses_the_tables_of_another_catalogue(preset):
    model = Recommender.from_preset(preset)
    other = Interactions.from_arrays(TABLE.user_ids[TABLE.users], TABLE.item_ids[TABLE.items] + 1)
    for use in (
        lambda: model.recommend(other, k=3),
        lambda: evaluate(model, held_out(other)),
        lambda: export_saved_model(model, preset.parent / "served", other),
    ):
        with pytest.raises(ValueError, match="other ids|catalogue|other items"):
            use()


def test_another_class_is_refused(preset):
    with pytest.raises(ValueError, match="expected a preset of EASE, got one of ELSA. Fix: `ELSA.from_preset`"):
        EASE.from_preset(preset)


def test_another_catalogue_than_the_models_is_refused(elsa, tmp_path):
    with pytest.raises(ValueError, match="`items`: expected the catalogue of this ELSA, with 30 items"):
        elsa.save_to_preset(tmp_path / "preset", TABLE.with_catalogue(TABLE.item_ids[1:]))


def test_a_model_that_has_not_been_fitted_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has not been fitted"):
        EASE(30).save_to_preset(tmp_path / "preset", TABLE)


def test_an_existing_folder_is_not_replaced(elsa, preset):
    with pytest.raises(FileExistsError):
        elsa.save_to_preset(preset, TABLE)


def test_a_folder_without_a_preset_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a preset of kerasrec .*or one of elsa_generated"):
        ELSA.from_preset(tmp_path)


def test_a_preset_of_another_library_is_refused(preset, tmp_path):
    for path in preset.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(preset)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / CONFIG).write_text(json.dumps({"registered_name": "keras_hub>Backbone"}))
    with pytest.raises(ValueError, match="got one of 'keras_hub>Backbone'"):
        Recommender.from_preset(tmp_path)


@pytest.mark.parametrize(
    ("handle", "module", "function"),
    [
        ("hf://ann/elsa", "huggingface_hub", "snapshot_download"),
        ("kaggle://ann/elsa/keras/small", "kagglehub", "model_download"),
    ],
)
def test_a_preset_on_a_hub_is_downloaded_by_its_client(preset, monkeypatch, handle, module, function):
    names = []

    def download(name, **_):
        names.append(name)
        return str(preset)

    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{function: download}))
    assert ELSA.from_preset(handle).latent_dim == 4
    assert names == [handle.partition("://")[2]]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module}. Fix: pip install 'huggingface.hub>="):
        ELSA.from_preset(handle)


def test_the_shipped_preset_recommends_items_of_the_users_taste():
    model, catalogue = ELSA.from_preset("elsa_generated"), catalogue_from_preset("elsa_generated")
    histories = [[taste, taste + 10, taste + 20] for taste in range(1, 8)]
    lists = model.recommend(Interactions.from_histories(histories, catalogue), k=5).item_ids
    assert (lists % 10 == np.arange(1, 8)[:, None]).mean() > 0.7
    assert preset_metadata("elsa_generated")["licence"] == "Apache-2.0"


def test_a_fitted_model_keeps_its_metrics_after_a_preset(tmp_path):
    model = fitted("ease")
    table = table_for("ease")
    copy = EASE.from_preset(model.save_to_preset(tmp_path / "preset", table))
    assert evaluate(copy, held_out(table)).means == evaluate(model, held_out(table)).means


def test_a_cdae_without_user_nodes_can_be_a_preset(tmp_path):
    model = CDAE.for_interactions(TABLE, latent_dim=4, user_node=False, seed=1)
    assert not CDAE.from_preset(model.save_to_preset(tmp_path / "preset", TABLE)).user_node
