"""Schedules of a run: each begins again with the next run and continues in a resumed one."""

import warnings

import keras
import numpy as np
import pytest
from kerasrec_testing.models import Recorder, blocks

from kerasrec import SVAE, AutoRec, DeepRec, MultVAE, RecVAE
from kerasrec.callbacks import Checkpoints
from kerasrec.models.schedules import CosineDecay


def test_cosine_decay_falls_from_the_rate_to_0_between_start_and_end():
    decay = CosineDecay(0.1, steps=10, start=20)
    rates = [float(decay(step)) for step in (0, 20, 25, 30, 40)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.05, 0.0, 0.0], atol=1e-9)
    with pytest.raises(ValueError, match="`steps`: expected at least 1, got 0"):
        CosineDecay(0.1, steps=0)


@pytest.mark.parametrize("kind", [AutoRec, DeepRec])
def test_the_learning_rate_decays_again_in_each_run(kind):
    table = blocks("ratings")
    settings = {"hidden_dims": (4,), "seed": 1} | ({"rows": "users"} if kind is AutoRec else {})
    model = kind.for_interactions(table, epochs=2, batch_size=45, **settings)  # 2 steps per epoch
    model.compile()
    top = 3e-3 if kind is AutoRec else 1e-3
    for epochs in (2, 2, 3):  # the third run has another length
        recorder = Recorder()
        model.fit(table, epochs=epochs, batch_size=45, callbacks=[recorder], verbose=0)
        steps = 2 * epochs
        expected = [top * 0.5 * (1 + np.cos(np.pi * step / steps)) for step in range(steps)]
        np.testing.assert_allclose(recorder.rates, expected, rtol=1e-4)
        assert float(model.optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)


def test_the_rate_of_the_papers_optimizer_is_halved_again_in_each_run():
    table = blocks("ratings")
    model = DeepRec.for_interactions(table, epochs=10, batch_size=45, hidden_dims=(4,), refeeds=0, seed=1)
    model.compile(model.paper_optimizer(0.032))
    for _ in range(2):
        recorder = Recorder()
        model.fit(table, epochs=10, batch_size=45, callbacks=[recorder], verbose=0)  # 20 steps
        halvings = [0] * 6 + [1] * 2 + [2] * 3 + [3] * 3 + [4] * 1 + [5] * 5
        np.testing.assert_allclose(recorder.rates, [0.032 / 2**n for n in halvings], rtol=1e-6)


@pytest.mark.parametrize("kind", [MultVAE, SVAE])
def test_beta_is_annealed_again_in_each_run(kind):
    table = blocks()
    settings = {"hidden_dims": (4,), "latent_dim": 2, "beta": 0.2, "seed": 1}
    model = kind.for_interactions(table, epochs=7, batch_size=45, **settings)  # 14 steps, the cap after 12
    model.compile()
    for _ in range(2):
        recorder = Recorder()
        model.fit(table, epochs=7, batch_size=45, callbacks=[recorder], verbose=0)
        np.testing.assert_allclose(recorder.betas, [min(0.2, step / 60) for step in range(14)], rtol=1e-4)


def test_a_longer_second_run_has_longer_schedules():
    table = blocks()
    model = MultVAE.for_interactions(table, epochs=7, batch_size=45, hidden_dims=(4,), latent_dim=2)
    model.compile()
    model.fit(table, epochs=7, batch_size=45, verbose=0)
    assert model.anneal_steps == 60
    model.fit(table, epochs=14, batch_size=45, verbose=0)
    assert model.anneal_steps == 120
    model = RecVAE.for_interactions(table, epochs=50, batch_size=90, hidden_dim=4, depth=1, latent_dim=2)
    model.compile()
    model.fit(table, epochs=50, batch_size=90, verbose=0)
    assert model.refresh_steps == 1
    model.fit(table, epochs=100, batch_size=90, verbose=0)
    assert model.refresh_steps == 2


def test_a_fit_without_epochs_changes_no_plan():
    table = blocks()
    model = MultVAE.for_interactions(table, epochs=2, batch_size=45, hidden_dims=(4,), latent_dim=2)
    model.compile(model.decaying_optimizer(0.01))
    model = model.warm_start(table, table)
    plan = model.run_plan()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(table, epochs=0, verbose=0)
        model.fit(table, epochs=3, initial_epoch=5, verbose=0)
    assert model.run_plan() == plan and model.warm_started


def test_a_run_can_be_fitted_in_several_calls():
    table = blocks("ratings")
    at_once, in_parts = (
        AutoRec.for_interactions(table, 4, batch_size=45, rows="users", hidden_dims=(4,), seed=1) for _ in range(2)
    )
    for model in (at_once, in_parts):
        model.compile()
    at_once.fit(table, epochs=4, batch_size=45, verbose=0)
    with pytest.warns(UserWarning, match="this run has 4 steps and the model was planned for 8, so its schedules"):
        in_parts.fit(table, epochs=2, batch_size=45, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_parts.fit(table, epochs=4, initial_epoch=2, batch_size=45, verbose=0)
    for weight, expected in zip(in_parts.get_weights(), at_once.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_run_of_the_planned_length_gives_no_warning():
    table = blocks()
    model = MultVAE.for_interactions(table, epochs=2, batch_size=45, hidden_dims=(4,), latent_dim=2)
    model.compile()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(table, epochs=2, batch_size=45, verbose=0)


@pytest.mark.parametrize("epochs", [None, 1])
def test_a_schedule_of_keras_that_has_ended_at_0_gives_a_warning(epochs):
    table = blocks("ratings")
    model = AutoRec.for_interactions(table, epochs, 45, rows="users", hidden_dims=(4,))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 2)))
    model.fit(table, epochs=1, batch_size=45, verbose=0)
    with pytest.warns(UserWarning, match="the learning rate is 0: `fit` changes no weight. Fix: compile again"):
        model.fit(table, epochs=1, batch_size=45, verbose=0)


def test_checkpoints_restore_the_plan_of_the_run(tmp_path):
    table = blocks("ratings")
    model = AutoRec.for_interactions(table, epochs=2, batch_size=45, rows="users", hidden_dims=(4,), seed=1)
    model.compile()
    model.fit(table, epochs=2, batch_size=45, verbose=0)
    model.fit(table, epochs=3, batch_size=45, callbacks=[Checkpoints(tmp_path)], verbose=0)
    assert model.run_plan() == {"planned_steps": 6, "run_start": 4}
    restored = AutoRec.for_interactions(table, epochs=2, batch_size=45, rows="users", hidden_dims=(4,), seed=1)
    restored.compile()
    Checkpoints(tmp_path).restore(restored)
    assert restored.run_plan() == model.run_plan()
    assert float(restored.optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)
