"""Warm starts: weights and optimizer state on a grown catalogue."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import CASES, SIDE, TRAINED, Recorder, blocks, make, table_for

from kerasrec import CFN, EASE, ELSA, AutoRec, Blend, FeatureVAE, Interactions, MultVAE
from kerasrec.models import Recommender
from kerasrec.models.catalogue_weights import carry, kept_ids, merged
from kerasrec.models.schedules import inner_optimizer

N_OLD_USERS = 80


def older_and_newer(case: str) -> tuple[Interactions, Interactions]:
    """Two tables: the newer one lacks two items of the older one, and has five other items and ten other users."""
    table = table_for(case)
    older = table.take_users(range(N_OLD_USERS)).with_catalogue(table.item_ids[5:])
    return older, table.with_catalogue(np.delete(table.item_ids, [10, 20]))


def randomized(model: Recommender) -> Recommender:
    """The model with random weights and a random optimizer state, as after training."""
    rng = np.random.default_rng(0)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    inner_optimizer(model.optimizer).iterations.assign(7)
    frozen = {id(v) for v in model.non_trainable_variables}
    slots = [v for v in model.optimizer.variables if len(v.shape)]
    for weight in [*(w for w in model.weights if id(w) not in frozen), *slots]:
        weight.assign(rng.uniform(0.1, 0.5, weight.shape))
    return model


def sizes(model: Recommender, case: str) -> dict:
    """The side information of the newer table, for models that have some."""
    if not isinstance(model, (CFN, FeatureVAE)) or model.side_shape is None:
        return {}
    _, newer = older_and_newer(case)
    is_of_items = model.rows == "items" or model.side_axis == "columns"
    return {"side": np.resize(SIDE, (newer.n_items if is_of_items else newer.n_users, SIDE.shape[1]))}


def scores_by_id(model: Recommender, train: Interactions, histories: Interactions, item_ids: np.ndarray) -> np.ndarray:
    """The scores of the given items for the given histories, whose users are found in the training table."""
    as_users = model.as_user_model(train)
    rows = np.searchsorted(train.user_ids, histories.user_ids)
    batch, *_ = as_users.batches(histories.with_catalogue(train.item_ids), batch_size=1000)[0]
    scores = keras.ops.convert_to_numpy(as_users({**batch, "row": rows.astype(np.int32)}))
    return scores[:, np.searchsorted(train.item_ids, item_ids)]


@pytest.mark.parametrize("case", TRAINED)
def test_remaining_items_keep_their_scores_for_remaining_users(case):
    older, newer = older_and_newer(case)
    model = randomized(make(case, older))
    warm = model.warm_start(newer, older)
    assert type(warm) is type(model)
    common = np.intersect1d(older.item_ids, newer.item_ids)
    histories = older.with_catalogue(common)
    if model.rows == "items":  # a model of item rows reads the training table instead of histories
        tables = [histories.with_catalogue(table.item_ids).take_users(range(N_OLD_USERS)) for table in (older, newer)]
        tables[1] = with_users(tables[1], newer.user_ids)
    else:
        tables = [older, newer]
    before, after = (scores_by_id(*pair, histories, common) for pair in zip((model, warm), tables, strict=True))
    np.testing.assert_allclose(after, before, atol=1e-5)


def with_users(table: Interactions, user_ids: np.ndarray) -> Interactions:
    """The table with empty rows for further users."""
    n_missing = len(user_ids) - table.n_users
    indptr = np.append(table.indptr, np.full(n_missing, table.indptr[-1]))
    return Interactions(indptr, table.items, table.values, None, user_ids, table.item_ids, None)


@pytest.mark.parametrize("case", TRAINED)
def test_the_optimizer_state_of_remaining_items_is_kept(case):
    older, newer = older_and_newer(case)
    model = randomized(make(case, older))
    warm = model.warm_start(newer, older, **sizes(model, case))
    assert int(inner_optimizer(warm.optimizer).iterations) == 7
    kept = {
        "columns": kept_ids(*(t.user_ids if model.rows == "items" else t.item_ids for t in (older, newer))),
        "rows": kept_ids(*(t.item_ids if model.rows == "items" else t.user_ids for t in (older, newer))),
    }
    declared = {weight.path: axes for weight, axes in warm.weight_axes()}
    slots = zip(model.optimizer.variables, warm.optimizer.variables, strict=True)
    for old, new in slots:
        weight = [v for v in warm.trainable_variables if new.name.startswith(v.path.replace("/", "_") + "_")]
        if not weight:
            continue
        axes = declared.get(weight[0].path, (None,) * len(old.shape))
        pairs = list(zip(axes, old.shape, strict=True))
        old_part = np.array(old)[np.ix_(*(kept[axis].old if axis else np.arange(n) for axis, n in pairs))]
        new_part = np.array(new)[np.ix_(*(kept[axis].new if axis else np.arange(n) for axis, n in pairs))]
        np.testing.assert_array_equal(new_part, old_part)
        assert old_part.min() > 0


@pytest.mark.parametrize("case", TRAINED)
def test_a_model_declares_each_dimension_that_follows_from_the_table(case):
    table = table_for(case)
    few, many = make(case, table), make(case, table.take_users(range(71)).with_catalogue(table.item_ids[:23]))
    declared = {id(weight): axes for weight, axes in few.weight_axes()}
    for weight, other in zip(few.weights, many.weights, strict=True):
        axes = declared.get(id(weight), (None,) * len(weight.shape))
        changed = [n != m for n, m in zip(weight.shape, other.shape, strict=True)]
        assert [axis is not None for axis in axes] == changed, weight.path


@pytest.mark.parametrize("case", [case for case in CASES if case not in TRAINED])
def test_closed_form_models_are_solved_on_the_newer_table(case):
    older, newer = older_and_newer(case)
    model = make(case, older)
    model.fit(older, verbose=0)
    solved = make(case, newer)
    solved.fit(newer, verbose=0)
    np.testing.assert_allclose(np.array(model.warm_start(newer, older).weights[0]), np.array(solved.weights[0]))


def test_a_blend_moves_its_members_and_keeps_its_shares():
    older, newer = older_and_newer("elsa")
    ease = make("ease", older)
    ease.fit(older, verbose=0)
    warm = Blend([ease, randomized(make("elsa", older))], shares=[3.0, 1.0]).warm_start(newer, older)
    assert warm.n_columns == newer.n_items
    assert warm.shares == (0.75, 0.25)
    assert np.isfinite(np.array(warm(warm.batches(newer)[0][0]))).all()


def test_new_items_start_like_those_of_an_untrained_model():
    older, newer = older_and_newer("elsa")
    warm = randomized(make("elsa", older)).warm_start(newer, older)
    initial = np.array(make("elsa", newer).kernel)
    new_rows = np.array(warm.kernel)[:5]
    assert np.abs(new_rows).max() <= np.abs(initial).max() * 1.1
    assert new_rows.std() > initial.std() / 2
    assert not np.allclose(new_rows, initial[:5])


@pytest.fixture
def warm_vae():
    """A model after 8 steps on an older table, moved to a newer one, and the newer table."""
    older, newer = older_and_newer("mult_vae")
    model = MultVAE.for_interactions(older, epochs=4, batch_size=40, hidden_dims=(8,), latent_dim=4, seed=1)
    model.compile(model.decaying_optimizer(0.004))
    model.fit(older, epochs=4, batch_size=40, verbose=0)
    return model.warm_start(newer, older), newer


def test_after_a_warm_start_the_rate_falls_again_and_annealing_is_not_repeated(warm_vae, tmp_path):
    warm, newer = warm_vae
    np.testing.assert_array_equal(warm.item_popularity.counts, newer.item_counts)
    assert warm.seed == 1
    warm.save(tmp_path / "model.keras")
    for model in (warm, keras.saving.load_model(tmp_path / "model.keras")):
        recorder = Recorder()
        model.fit(newer, epochs=1, batch_size=45, callbacks=[recorder], verbose=0)  # 2 steps
        assert model.run_plan() == {"planned_steps": 2, "run_start": 8}
        np.testing.assert_allclose(recorder.rates, [0.004, 0.002], rtol=1e-4)
        np.testing.assert_allclose(recorder.betas, [0.2, 0.2], rtol=1e-4)


def test_the_second_run_after_a_warm_start_is_a_whole_run(warm_vae):
    warm, newer = warm_vae
    for _ in range(2):
        recorder = Recorder()
        warm.fit(newer, epochs=1, batch_size=45, callbacks=[recorder], verbose=0)
    assert warm.run_plan() == {"planned_steps": 2, "run_start": 10}
    np.testing.assert_allclose(recorder.rates, [0.004, 0.002], rtol=1e-4)
    assert recorder.betas[0] == 0


def test_annealing_is_not_repeated_if_a_warm_started_model_is_compiled_again(warm_vae):
    warm, newer = warm_vae
    warm.compile(warm.decaying_optimizer(0.01))
    recorder = Recorder()
    warm.fit(newer, epochs=1, batch_size=45, callbacks=[recorder], verbose=0)
    np.testing.assert_allclose(recorder.rates, [0.01, 0.005], rtol=1e-4)
    np.testing.assert_allclose(recorder.betas, [0.2, 0.2], rtol=1e-4)


def test_a_short_run_after_an_interrupted_one_is_a_new_run():
    table = blocks("ratings")
    model = AutoRec.for_interactions(table, epochs=10, batch_size=45, rows="users", hidden_dims=(4,), seed=1)
    model.compile()
    with pytest.warns(UserWarning, match="this run has 4 steps"):
        model.fit(table, epochs=2, batch_size=45, verbose=0)
    warm = model.warm_start(table, table)
    warm.fit(table, epochs=1, batch_size=45, verbose=0)
    assert warm.run_plan() == {"planned_steps": 2, "run_start": 4}


def test_frozen_layers_stay_frozen():
    older, newer = older_and_newer("mult_vae")
    model = make("mult_vae", older)
    model.encoder[0].trainable = False
    model.compile()
    warm = randomized(model).warm_start(newer, older)
    assert len(warm.trainable_variables) == len(model.trainable_variables)
    assert not warm.encoder[0].kernel.trainable


def test_mixed_precision_and_other_optimizers_are_kept():
    older, newer = older_and_newer("mult_vae")
    model = MultVAE.for_interactions(older, hidden_dims=(8,), latent_dim=4, dtype="mixed_float16", seed=1)
    model.compile(keras.optimizers.Adafactor(0.01), metrics=["ndcg_5"])
    warm = randomized(model).warm_start(newer, older)
    assert warm.dtype_policy.name == "mixed_float16"
    assert isinstance(inner_optimizer(warm.optimizer), keras.optimizers.Adafactor)
    assert [metric.name for metric in warm.metrics[1:]] == ["ndcg_5"]


def test_a_model_that_is_not_compiled_stays_so():
    older, newer = older_and_newer("elsa")
    model = ELSA.for_interactions(older, latent_dim=4, seed=1)
    assert not model.warm_start(newer, older).compiled


def test_constructor_arguments_can_change_but_not_widths():
    older, newer = older_and_newer("mult_vae")
    model = MultVAE.for_interactions(older, hidden_dims=(8,), latent_dim=4, seed=1)
    assert model.warm_start(newer, older, dropout=0.1).dropout == 0.1
    with pytest.raises(ValueError, match=r"`latent_dim` = 4.* got 6"):
        model.warm_start(newer, older, latent_dim=6)


def test_side_information_follows_the_rows():
    older, newer = older_and_newer("cfn")
    model = make("cfn", older)
    kept = model.warm_start(newer, older)
    np.testing.assert_array_equal(np.array(kept.side)[:N_OLD_USERS], np.array(model.side))
    assert not np.array(kept.side)[N_OLD_USERS:].any()
    side = np.resize(SIDE, (newer.n_users, SIDE.shape[1])) * 2
    np.testing.assert_array_equal(np.array(model.warm_start(newer, older, side=side).side), side)
    with pytest.raises(ValueError, match="expected the widths of the older CFN"):
        model.warm_start(newer, older, side=side[:, :2])


def test_another_table_than_the_training_table_is_refused():
    older, newer = older_and_newer("cdae")
    for table in (newer, older.take_users(range(7))):
        with pytest.raises(ValueError, match="`previous`: expected the training table of this CDAE"):
            make("cdae", older).warm_start(newer, table)


def test_tables_without_a_common_item_are_refused():
    older, newer = older_and_newer("elsa")
    other = Interactions.from_arrays(newer.user_ids[newer.users], newer.item_ids[newer.items] + 1)
    with pytest.raises(ValueError, match="`train`: expected a table with items of the older catalogue"):
        make("elsa", older).warm_start(other, older)


def test_a_model_without_declared_weights_is_refused():
    table = blocks()
    model = EASE(table.n_items)
    with pytest.raises(ValueError, match="EASE does not declare its weights per item"):
        model.weight_axes()


def test_merged_takes_common_rows_and_columns_from_the_old_weight():
    old, new = np.arange(9.0).reshape(3, 3), -np.ones((3, 3))
    kept = {"columns": kept_ids(np.array([10, 20, 30]), np.array([5, 10, 30]))}
    np.testing.assert_array_equal(
        merged(old, new, ("columns", "columns"), kept), [[-1, -1, -1], [-1, 0, 2], [-1, 6, 8]]
    )


def test_carry_leaves_weights_of_another_shape():
    old, new = keras.Variable(np.ones(3)), keras.Variable(np.zeros(4))
    carry([old], [new], [(None,)], {})
    assert not np.array(new).any()
