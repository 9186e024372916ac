"""Similar items of every model."""

import numpy as np
import pytest
from kerasrec_testing.models import CASES, table_for, trained

from kerasrec import Interactions, Popularity

of_every_model = pytest.mark.parametrize("case", CASES)


def test_a_catalogue_of_one_item_has_no_similar_items():
    table = Interactions.from_arrays([0, 1], [5, 5])
    model = Popularity(1)
    model.fit(table, verbose=0)
    with pytest.raises(ValueError, match="`train`: expected a catalogue of at least two items, got 1"):
        model.similar(table, [5], k=1)


@of_every_model
def test_similar_items_are_ranked_by_weight_or_cosine_without_the_item(case):
    model, table = trained(case), table_for(case)
    items = table.item_ids[[4, 17]]
    if not (model.has_item_vectors or model.linear):
        with pytest.raises(ValueError, match="no item vectors"):
            model.similar(table, items, k=3)
        return
    lists = model.similar(table, items.tolist(), k=table.n_items - 1)
    if model.linear:
        similarities = model({"ids": np.array([[4], [17]], np.int32)}).numpy()
    else:
        vectors = model.item_vectors(table)
        norms = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
        similarities = (vectors @ vectors[[4, 17]].T / norms[:, None] / norms[[4, 17]]).T
    for row, column in enumerate((4, 17)):
        assert sorted(lists.item_ids[row].tolist()) == np.delete(table.item_ids, column).tolist()
        found = dict(zip(lists.item_ids[row].tolist(), lists.scores[row].tolist(), strict=True))
        for item, similarity in zip(table.item_ids.tolist(), similarities[row].tolist(), strict=True):
            if item in found:
                assert found[item] == pytest.approx(similarity, abs=1e-5)
        assert (np.diff(lists.scores[row]) <= 0).all()
    np.testing.assert_array_equal(lists.user_ids, items)


@of_every_model
def test_invalid_arguments_raise(case):
    model, table = trained(case), table_for(case)
    for arguments, message in (((table, [123], 3), "`items`: 123"), ((table, [0], table.n_items), "`k`")):
        with pytest.raises(ValueError, match=message):
            model.similar(*arguments)
    smaller = table.with_catalogue(table.item_ids[:20]) if model.rows == "users" else table.take_users(range(20))
    with pytest.raises(ValueError, match="columns"):
        model.similar(smaller, [0], 3)
