"""`Blend`: standardised scores, the choice of shares, and the behaviour of any other model."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import N_ITEMS, fitted, held_out, in_own_block, scores, table_for, trained

from kerasrec import EASE, Blend, Interactions, evaluate
from kerasrec.data import HeldOut
from kerasrec.metrics import NDCG

MEMBERS = ("ease", "mult_vae", "cdae")


@pytest.fixture(scope="module")
def blend():
    """A fitted blend of models of the contract tests, one of which has weights per user."""
    model = Blend([trained(case) for case in MEMBERS])
    model.compile()
    model.fit(table_for("ease"), validation_data=held_out(table_for("ease")), verbose=0)
    return model


def standardised(member, table):
    """Numpy: the scores with mean 0 and variance 1 over the unseen items of each row."""
    values, seen = scores(member, table).astype(np.float64), table.matrix.toarray() > 0
    unseen = np.where(seen, np.nan, values)
    mean, std = np.nanmean(unseen, axis=1, keepdims=True), np.nanstd(unseen, axis=1, keepdims=True)
    return np.where(std > 1e-6, (values - mean) / np.maximum(std, 1e-6), 0.0)


def test_scores_are_the_weighted_sum_of_standardised_scores(blend):
    table = table_for("ease")
    expected = sum(
        share * standardised(member, table) for share, member in zip(blend.shares, blend.members, strict=True)
    )
    np.testing.assert_allclose(scores(blend, table), expected, atol=1e-3)
    equal = Blend(blend.members)
    assert equal.shares == pytest.approx((1 / 3,) * 3)
    dense = table.matrix.toarray()
    batch = blend.batches(table, len(dense))[0][0]
    del batch["row"]
    np.testing.assert_allclose(blend(batch), blend(dense), atol=1e-4)


def test_shares_are_chosen_on_validation_data():
    table = table_for("ease")
    part = held_out(table)
    good, bad = (EASE.for_interactions(part.inputs, reg=5.0) for _ in range(2))
    for model in (good, bad):
        model.fit(part.inputs, verbose=0)
    bad.kernel.assign(np.random.default_rng(0).normal(size=(N_ITEMS, N_ITEMS)).astype(np.float32))
    model = Blend([bad, good])
    history = model.fit(part.inputs, validation_data=part, verbose=0).history
    assert model.shares[1] > 0.7
    best = max(evaluate(member, part, ["ndcg_100"]).means["ndcg_100"] for member in (good, bad))
    assert history["val_ndcg_100"][0] >= best - 1e-6
    unchanged = Blend([bad, good], shares=(3, 1))
    unchanged.fit(part.inputs, verbose=0)
    assert unchanged.shares == pytest.approx((0.75, 0.25))
    nothing = part.targets.select(np.zeros(len(part.targets), bool), compact=False)
    for validation in (HeldOut(part.inputs), HeldOut(part.inputs, nothing), (np.eye(N_ITEMS), np.eye(N_ITEMS))):
        with pytest.raises(ValueError, match="`validation_data`: expected a held-out part with held-out items"):
            unchanged.fit(part.inputs, validation_data=validation, verbose=0)


def test_the_selection_result_is_that_of_evaluate(blend):
    part = held_out(table_for("ease"))
    stored, mask, targets = blend._validation_scores(part)
    metric = NDCG(100)
    metric.update_state(targets, np.tensordot(np.array(blend.shares, np.float32), stored, axes=1) + mask)
    assert float(metric.result()) == pytest.approx(evaluate(blend, part).means["ndcg_100"], abs=1e-5)


def test_a_saved_blend_is_loaded_with_its_members(blend, tmp_path):
    blend.save(tmp_path / "blend.keras")
    loaded = keras.saving.load_model(tmp_path / "blend.keras")
    table = table_for("ease")
    np.testing.assert_allclose(scores(loaded, table), scores(blend, table), atol=1e-6)
    assert loaded.shares == blend.shares
    assert [type(member).__name__ for member in loaded.members] == ["EASE", "MultVAE", "CDAE"]
    copy = Blend.from_config(blend.get_config())
    assert copy.shares == blend.shares and copy.columns_digest == blend.columns_digest


def test_a_blend_recommends_unseen_items_of_the_own_block(blend):
    table = table_for("ease")
    lists = blend.recommend(table, k=3)
    assert in_own_block(lists.item_ids, table.user_ids).mean() > 0.6
    assert not any(
        set(row) & set(table.item_ids[table.row(u)].tolist()) for u, row in enumerate(lists.item_ids.tolist())
    )
    empty = Interactions.from_histories([[]], table, user_ids=[10**6])
    assert np.isfinite(blend.recommend(empty, k=5, train=table).scores).all()
    everything = Interactions.from_histories([table.item_ids.tolist()], table, user_ids=[10**6])
    assert (blend.recommend(everything, k=5, train=table).item_ids == -1).all()


def test_a_batch_equals_its_rows_one_by_one(blend):
    table = table_for("ease")
    np.testing.assert_allclose(scores(blend, table), scores(blend, table, batch_size=1), atol=1e-4)


def test_declarations_follow_from_the_members(blend):
    assert blend.serving_inputs == ("history", "user_id") and blend.n_known_rows == 90
    by_history = Blend([trained("ease"), trained("svae")])
    assert (by_history.serving_inputs, by_history.n_known_rows, by_history.ordered) == (("history",), None, True)
    with pytest.raises(ValueError, match="no item vectors"):
        blend.item_vectors(table_for("ease"))


def test_the_served_form_contains_those_of_the_members():
    table = table_for("ease")
    blend = Blend([Blend([trained("elsa compressed"), trained("ease")]), trained("popularity")], shares=(3, 1))
    served = blend.as_served_model()
    batch = blend.batches(table)[0][0]
    np.testing.assert_allclose(served(batch), blend(batch), atol=1e-5)
    assert sum(weight.shape == (N_ITEMS, 8) for weight in blend.inference_weights) == 1  # the vectors of ELSA
    assert not any(weight.shape == (N_ITEMS, 8) for weight in served.inference_weights)
    uncompressed = Blend([trained("elsa"), trained("ease")])
    assert uncompressed.as_served_model() is uncompressed


def test_a_model_is_in_a_blend_once():
    one, two = trained("ease"), trained("edlae")
    for members in ([one, one], [Blend([one, two]), one]):
        with pytest.raises(ValueError, match="`members`: expected different models, got one of them twice"):
            Blend(members)
    for members in (None, one, [one, 5]):
        with pytest.raises(ValueError, match="`members`: expected a list of fitted models"):
            Blend(members)
    with pytest.raises(ValueError, match="`shares`: expected 2 non-negative numbers"):
        Blend([one, two], shares=(float("inf"), 1))


def test_members_that_cannot_be_blended_are_refused():
    ease = trained("ease")
    other = fitted("ease", table_for("ease").take_users(np.arange(40)).with_catalogue(table_for("ease").item_ids[:20]))
    for members, message in (
        ([ease], "at least two fitted models, got 1"),
        ([ease, EASE(N_ITEMS)], "has not been fitted"),
        ([ease, trained("auto_rec users")], "expected models of likes, got AutoRec"),
        ([ease, other], "with different items"),
    ):
        with pytest.raises(ValueError, match=message):
            Blend(members)
    for shares in ((1.0,), (1.0, -1.0), (0.0, 0.0)):
        with pytest.raises(ValueError, match="`shares`: expected 2 non-negative numbers"):
            Blend([ease, trained("popularity")], shares=shares)
