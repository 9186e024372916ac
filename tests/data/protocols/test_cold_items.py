"""Items without training interactions."""

import numpy as np
import pytest
from kerasrec_testing.tables import pairs

from kerasrec.data import ColdItems, DataError, Interactions, Split


def test_cold_items_have_no_training_interaction_and_are_the_candidates(table, tmp_path):
    protocol = ColdItems(share=0.2, validation=0.1, seed=1)
    split = protocol.split(table)
    likes = table.at_least(4)
    assert split.train.n_items == likes.n_items
    validation, test = split.validation.candidates, split.test.candidates
    assert len(test) == int(0.2 * likes.n_items) and len(validation) == int(0.1 * likes.n_items)
    assert not np.intersect1d(validation, test).size
    assert not split.train.item_counts[np.append(validation, test)].any()
    assert (split.train.counts > 0).all()
    users = set(split.train.user_ids.tolist())
    for part in (split.validation, split.test):
        ids = set(split.train.item_ids[part.candidates].tolist())
        assert pairs(part.targets) == {pair for pair in pairs(likes) if pair[1] in ids and pair[0] in users}
    split.save(tmp_path)
    np.testing.assert_array_equal(Split.load(tmp_path).test.candidates, test)


def test_too_few_items_are_an_error():
    with pytest.raises(DataError, match="cold-items: expected items for training, validation and test, got 3 items"):
        ColdItems().split(Interactions.from_arrays([1, 2, 3], [4, 5, 6]))
