"""I-AutoRec as a model of users."""

import pytest

from kerasrec import AutoRec, Interactions, generate


def test_the_user_model_refuses_histories_of_another_catalogue():
    table = generate(n_users=60, n_items=30, seed=1)
    model = AutoRec.for_interactions(table, rows="items", hidden_dims=(8,), seed=1)
    ids = table.user_ids[table.users], table.item_ids[table.items] + 1000
    others = Interactions.from_arrays(*ids, values=table.values)
    with pytest.raises(ValueError, match="other ids"):
        model.recommend(others, k=2, train=table)
