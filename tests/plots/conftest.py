"""A split and two models, which the tests of the plots share."""

import numpy as np
import pytest

from kerasrec import EASE, HeldOutUsers, Popularity, generate


@pytest.fixture(scope="package")
def split():
    return HeldOutUsers(held_out=40).split(generate(n_users=300, n_items=60, seed=1))


@pytest.fixture(scope="package")
def models(split):
    models = {"EASE": EASE(split.train.n_items, reg=20.0), "popularity": Popularity(split.train.n_items)}
    for model in models.values():
        model.fit(split.train, verbose=0)
    return models


@pytest.fixture(scope="package")
def lines():
    """Returns the y values of the lines of some axes."""
    return lambda axes: [np.asarray(line.get_ydata()) for line in axes.lines]
