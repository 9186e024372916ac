"""SANSA against EASE, which it approximates."""

import numpy as np
import pytest
from kerasrec_testing.models import N_ITEMS, blocks, scores

from kerasrec import EASE, SANSA, Interactions


def test_with_all_entries_the_scores_are_those_of_ease():
    table = blocks()
    model = SANSA(table.n_items, reg=5.0, n_factor=N_ITEMS, n_weights=N_ITEMS)
    ease = EASE(table.n_items, reg=5.0)
    for each in (model, ease):
        each.fit(table, verbose=0)
    np.testing.assert_allclose(scores(model, table), scores(ease, table), atol=1e-5)
    np.testing.assert_allclose(model.predict(table.matrix.toarray(), verbose=0), scores(ease, table), atol=1e-5)


def test_weights_have_the_given_number_of_entries():
    table = blocks()
    model = SANSA(table.n_items, reg=5.0, n_factor=6, n_weights=8)
    model.fit(table, verbose=0)
    columns, values = model.get_weights()
    assert columns.shape == values.shape == (N_ITEMS, 8)
    assert columns.dtype == np.int32 and not values[columns == np.arange(N_ITEMS)[:, None]].any()


@pytest.mark.parametrize("name", ["reg", "n_factor", "n_weights"])
def test_invalid_arguments_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        SANSA(N_ITEMS, **{name: 0})


def test_a_penalty_too_small_for_float32_is_refused():
    equal_items = Interactions.from_arrays([1, 1, 2, 2], [1, 2, 1, 2])
    with pytest.raises(ValueError, match="`reg` = 1e-12 is too small"):
        SANSA(2, reg=1e-12).fit(equal_items, verbose=0)
