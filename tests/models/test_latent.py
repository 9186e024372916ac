"""Variational autoencoders that draw their code at inference."""

import functools

import keras
import numpy as np
from kerasrec_testing.models import fitted, scores, scores_of_call, table_for


@functools.cache
def model_and_mean():
    """A fitted model, and the scores of the mean of its code."""
    model = fitted("mult_vae", epochs=20)
    return model, scores(model, table_for("mult_vae"))


def test_scores_of_drawn_codes_spread_around_those_of_the_mean():
    table = table_for("mult_vae")
    model, expected = model_and_mean()
    drawn = np.stack([scores_of_call(model.with_drawn_codes(seed), table) for seed in range(40)])
    np.testing.assert_array_equal(drawn[3], scores_of_call(model.with_drawn_codes(3), table))
    assert (drawn.std(0) > 0).all()
    _, log_var = model.encode(model.batches(table, len(table.indptr))[0][0])
    assert np.isfinite(log_var).all()
    bias = keras.ops.convert_to_numpy(model.log_var.bias)
    model.log_var.bias.assign(bias - 30.0)  # σ is almost 0, so every draw is the mean
    np.testing.assert_allclose(scores(model.with_drawn_codes(5), table), expected, atol=1e-3)
    np.testing.assert_array_equal(scores(model, table), expected)  # the model itself still decodes the mean
    model.log_var.bias.assign(bias)


def test_temperature_scales_the_spread_and_draws_average_it():
    table = table_for("mult_vae")
    model, mean = model_and_mean()

    def spread(**arguments):
        drawn = [scores_of_call(model.with_drawn_codes(seed, **arguments), table) for seed in range(2)]
        return np.abs(drawn - mean).mean()

    np.testing.assert_array_equal(scores(model.with_drawn_codes(1, temperature=0), table), mean)
    assert spread(temperature=0.3) < spread() < spread(temperature=2.0)
    assert spread(draws=20) < 0.6 * spread()
