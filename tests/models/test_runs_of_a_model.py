"""Runs that follow one another: learning rate and annealing of each."""

import numpy as np
import pytest

from kerasrec import MultVAE, generate
from kerasrec.data.batches import batches
from kerasrec.models import SVAE

TABLE = generate(n_users=60, n_items=30, seed=1)
EPOCHS, BATCH_SIZE = 2, 20
STEPS = 6


def train(model):
    model.fit(TABLE, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0)


def small_svae():
    sizes = {"embedding_dim": 4, "gru_units": 4, "hidden_dims": (4,), "latent_dim": 4}
    model = SVAE.for_interactions(TABLE, EPOCHS, BATCH_SIZE, seed=1, **sizes)
    model.compile()
    return model


def small_vae(**arguments):
    model = MultVAE.for_interactions(TABLE, EPOCHS, BATCH_SIZE, hidden_dims=(8,), latent_dim=4, seed=1, **arguments)
    model.compile()
    return model


def test_a_model_that_is_compiled_again_begins_a_new_run():
    model = small_svae()
    for _ in range(2):
        train(model)
    assert model.run_plan() == {"planned_steps": STEPS, "run_start": STEPS}
    model.compile()
    train(model)
    assert model.run_plan() == {"planned_steps": STEPS, "run_start": 0}
    assert int(model.step) == STEPS
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.0, atol=1e-9)


def test_annealing_begins_again_if_the_model_is_compiled_again():
    model = small_vae()
    train(model)
    model.compile()
    train(model)
    assert int(model.step) == STEPS


def test_a_second_run_scales_annealing_only_if_the_first_run_did():
    scaled, given = small_vae(), small_vae(anneal_steps=5)
    first = scaled.anneal_steps
    for model in (scaled, given):
        train(model)
        model.fit(TABLE, epochs=2 * EPOCHS, batch_size=BATCH_SIZE, verbose=0)
    assert scaled.anneal_steps > first
    assert given.anneal_steps == 5


def test_dense_rows_after_a_planned_run_warn_that_the_rate_is_zero():
    model = small_svae()
    train(model)
    rows = batches(TABLE, batch_size=BATCH_SIZE)
    with pytest.warns(UserWarning, match="the learning rate is 0"):
        model.fit(rows, shuffle=False, verbose=0)
