"""DAN against numpy, from its formula."""

import keras
import numpy as np
from kerasrec_testing.models import blocks, scores

from kerasrec import DAN, RDLAE, Interactions


def test_scores_are_those_of_rdlae_on_scaled_rows_and_columns():
    table = blocks()
    settings = {"dropout": 0.4, "reg": 7.0, "max_diagonal": 0.2}
    model = DAN(table.n_items, user_power=0.5, item_power=0.3, **settings)
    model.fit(table, verbose=0)
    x = table.matrix.toarray().astype(np.float64)
    of_users, of_items = x.sum(1, keepdims=True) ** -0.5, x.sum(0) ** -0.3
    scaled = of_users * x * of_items
    scaled *= np.linalg.norm(x) / np.linalg.norm(scaled)
    gram = scaled.T @ scaled
    penalty = 7.0 + 0.4 / 0.6 * np.diag(gram)
    p = np.linalg.inv(gram + np.diag(penalty))
    diagonal = np.minimum(0.2, 1 - penalty * np.diag(p))
    b = np.eye(len(p)) - p * (1 - diagonal) / np.diag(p)
    # Each user's own scale cancels; those of the items remain.
    np.testing.assert_allclose(scores(model, table), (x * of_items) @ b / of_items, atol=1e-5)


def test_without_powers_the_model_is_rdlae():
    table = blocks()
    settings = {"dropout": 0.4, "reg": 7.0, "max_diagonal": 0.2}
    dan, rdlae = DAN(table.n_items, user_power=0.0, **settings), RDLAE(table.n_items, **settings)
    for model in (dan, rdlae):
        model.fit(table, verbose=0)
    np.testing.assert_allclose(dan.get_weights()[0], rdlae.get_weights()[0], atol=1e-6)


def test_items_and_users_without_likes_get_finite_weights():
    table = Interactions.from_histories([[10, 20], [], [20]], Interactions.from_arrays([1, 1, 1], [10, 20, 30]))
    for rows in (table, table.take_users([1])):  # the second has no like
        model = DAN(3, item_power=0.5, reg=1.0)
        model.fit(rows, verbose=0)
        assert np.isfinite(keras.ops.convert_to_numpy(model.kernel)).all()
