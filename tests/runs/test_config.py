"""The configuration of a run, and the model that it describes."""

import json
from dataclasses import asdict

import keras
import pytest
from kerasrec_testing.runs import config_of, read_small

from kerasrec.runs import RunConfig, build_model, read_config


def test_a_configuration_is_read_as_it_was_written(tmp_path):
    config = config_of(
        "cdae", learning_rate=0.05, model_options={"latent_dim": 4}, read_options={"value": "stars"}, shuffle="shards"
    )
    for written in (config, config_of()):
        (tmp_path / "run.json").write_text(json.dumps(asdict(written)))
        assert read_config(tmp_path) == written


def test_a_learning_rate_replaces_that_of_the_default_optimizer():
    model = build_model(config_of("cdae", learning_rate=0.05), read_small())
    assert type(model.optimizer) is keras.optimizers.Adagrad
    assert model.optimizer.get_config()["initial_accumulator_value"] == 1e-4
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    model.optimizer.iterations.assign(model.planned_steps)
    assert float(model.optimizer.learning_rate) == pytest.approx(0)
    options = {"refeeds": 1, "hidden_dims": (8,)}  # two updates per batch
    refeeding = build_model(config_of("deep_rec", learning_rate=0.05, model_options=options), read_small())
    refeeding.optimizer.iterations.assign(refeeding.planned_steps)
    assert float(refeeding.optimizer.learning_rate) == pytest.approx(0.025)


@pytest.mark.parametrize(
    "arguments", [{"epochs": 0}, {"batch_size": 2.5}, {"learning_rate": float("nan")}, {"shuffle": "no"}]
)
def test_impossible_lengths_and_rates_are_refused(arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}`: expected"):
        RunConfig("ease", "generated", "held-out-users", seed=1, **arguments)
