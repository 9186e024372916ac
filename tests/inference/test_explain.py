"""Reasons for recommendations."""

import numpy as np
import pytest
from kerasrec_testing.models import N_ITEMS, table_for, trained

from kerasrec import Interactions


def scores_of(model, table, history, values=None):
    rows = Interactions.from_histories([history], table, None if values is None else [values])
    return dict(zip(table.item_ids.tolist(), model.predict(rows, verbose=0)[0].tolist(), strict=True))


def test_the_contributions_of_a_linear_model_add_up_to_the_score():
    model, table = trained("ease"), table_for("ease")
    user = int(table.user_ids[3])
    n = int(table.counts[3])
    explanation = model.explain(table, k=5, n_reasons=n, users=[user])
    history = table.item_ids[table.row(3)].tolist()
    kernel = model.kernel.numpy()
    column = {item: i for i, item in enumerate(table.item_ids.tolist())}
    for place, item in enumerate(explanation.item_ids[0].tolist()):
        weights = {seen: kernel[column[seen], column[item]] for seen in history}
        shown = explanation.reason_ids[0, place]
        shown = shown[shown >= 0].tolist()
        assert shown == sorted((s for s in history if weights[s] > 0), key=lambda seen: -weights[seen])
        np.testing.assert_allclose(
            explanation.contributions[0, place, : len(shown)], [weights[s] for s in shown], atol=1e-6
        )


@pytest.mark.parametrize("case", ["mult_vae", "svae", "auto_rec users", "cdae"])
def test_the_contribution_of_an_item_is_the_change_without_it(case):
    model, table = trained(case), table_for(case).in_time_order()
    user = int(table.user_ids[5])
    explanation = model.explain(table, k=3, n_reasons=2, users=[user], train=table)
    without_train = model.explain(table, k=3, n_reasons=2, users=[user])
    np.testing.assert_allclose(without_train.contributions, explanation.contributions, atol=1e-5)
    history = table.item_ids[table.row(5)].tolist()
    values = table.values[table.indptr[5] : table.indptr[6]].tolist() if model.feedback == "ratings" else None
    lists = model.recommend(table, k=3, users=[user])
    np.testing.assert_array_equal(explanation.item_ids, lists.item_ids)

    def scores(left_out=None):
        kept = [i for i, item in enumerate(history) if item != left_out]
        rows = Interactions.from_histories(
            [[history[i] for i in kept]], table, values and [[values[i] for i in kept]], [user]
        )
        return model.recommend(rows, N_ITEMS, train=table)

    full = scores()
    for place, item in enumerate(explanation.item_ids[0].tolist()):
        for reason, change in zip(explanation.reason_ids[0, place], explanation.contributions[0, place], strict=True):
            if reason < 0:
                continue
            without = scores(int(reason))
            before, after = (float(r.scores[0][r.item_ids[0] == item][0]) for r in (full, without))
            assert change == pytest.approx(before - after, abs=1e-4)
            assert change > 0


def test_without_a_history_there_are_no_reasons():
    table = table_for("ease")
    explanation = trained("ease").explain(Interactions.from_histories([[]], table), k=3)
    assert (explanation.reason_ids == -1).all()
    assert (explanation.item_ids >= 0).all()


def test_a_model_that_reads_no_history_has_no_reasons():
    with pytest.raises(ValueError, match="reads a user id and no history"):
        trained("auto_rec items").explain(table_for("auto_rec items"))
