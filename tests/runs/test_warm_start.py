"""Warm starts from the folder of a run."""

import numpy as np
import pytest
from kerasrec_testing.runs import config_of, read_small

from kerasrec import Interactions
from kerasrec.models.schedules import CosineDecay, inner_optimizer
from kerasrec.runs import train, warm_started_model


def read_older():
    table = read_small()
    return table.with_catalogue(table.item_ids[5:])


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    options = {"model_options": {"latent_dim": 4}, "epochs": 1}
    return train(config_of("elsa", **options), read_older, tmp_path_factory.mktemp("runs") / "elsa")


def test_the_model_of_a_run_moves_to_a_newer_table(finished_run):
    newer, older = read_small(), read_older()
    model = warm_started_model(finished_run.folder, newer)
    previous = finished_run.model()
    histories = finished_run.split().test.inputs
    scores = model.predict(histories.with_catalogue(newer.item_ids), verbose=0)[:, 5:]
    np.testing.assert_allclose(scores, previous.predict(histories, verbose=0), atol=1e-5)
    assert int(model.optimizer.iterations) == int(previous.optimizer.iterations) > 0
    assert older.n_items == previous.n_columns


def test_the_configuration_of_the_next_run_applies(finished_run):
    config = config_of("elsa", seed=9, learning_rate=0.02, model_options={"latent_dim": 4})
    model = warm_started_model(finished_run.folder, read_small(), config)
    assert model.seed == 9
    schedule = inner_optimizer(model.optimizer)._learning_rate
    assert isinstance(schedule, CosineDecay)
    assert schedule.learning_rate == 0.02


def test_another_model_or_other_widths_are_refused(finished_run):
    with pytest.raises(ValueError, match="expected a run of ELSA.* got 'mult_vae'"):
        warm_started_model(finished_run.folder, read_small(), config_of("mult_vae"))
    with pytest.raises(ValueError, match="`latent_dim` = 4.* got 8"):
        warm_started_model(finished_run.folder, read_small(), config_of("elsa", model_options={"latent_dim": 8}))


def test_a_table_whose_ids_are_text_has_no_common_item(finished_run):
    table = Interactions.from_arrays(["ann", "bob"], ["tea", "jam"])
    with pytest.raises(ValueError, match="expected a table with items of the older catalogue"):
        warm_started_model(finished_run.folder, table)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a finished run"):
        warm_started_model(tmp_path, read_small())
