"""What every model of the zoo must do, whatever its paper."""

import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
from kerasrec_testing.models import (
    CASES,
    N_BLOCKS,
    N_ITEMS,
    SOLVED,
    blocks,
    fitted,
    held_out,
    make,
    scores,
    table_for,
    trained,
)

from kerasrec import Interactions, Recommender, evaluate
from kerasrec._registry import registry
from kerasrec.callbacks import Checkpoints
from kerasrec.models import ZOO

pytestmark = pytest.mark.parametrize("case", CASES)
TRAINED = [case for case in CASES if CASES[case][0] not in SOLVED]


def test_every_public_model_is_in_the_zoo_and_here(case):
    public = {cls for cls in registry.values() if issubclass(cls, Recommender)}
    assert public == set(ZOO.values())
    assert {name for name, _ in CASES.values()} == set(ZOO)


def test_config_round_trip(case):
    model = make(case, table_for(case))
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    constructor = {"seed", *CASES[case][1]} - {"side"}  # which is data
    assert constructor <= set(model.get_config())


def test_a_linear_model_is_linear_and_no_other(case):
    model, table = trained(case), table_for(case)
    if model.feedback == "ratings" or model.serving_inputs != ("history",):
        assert not model.linear
        return
    alone = Interactions.from_histories([[i] for i in table.item_ids.tolist()], table)
    summed = table.matrix.toarray() @ scores(model, alone)
    assert np.allclose(summed, scores(model, table), atol=1e-4) == model.linear


def test_saved_and_loaded_in_a_new_process_it_answers_the_same(case, tmp_path):
    model, table = trained(case), table_for(case)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "scores.npy", scores(model, table))
    check = f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        import keras, numpy as np, kerasrec
        from kerasrec_testing.models import scores, table_for
        model = keras.saving.load_model({str(tmp_path / "model.keras")!r})
        same = np.abs(scores(model, table_for({case!r})) - np.load({str(tmp_path / "scores.npy")!r})).max()
        assert same < 1e-6, same
        assert [m.name for m in model.metrics[1:]] == {[m.name for m in model.metrics[1:]]!r}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(check)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_dtype_policies_train_and_answer_in_float32(case, policy):
    table = table_for(case)
    keras.config.set_dtype_policy(policy)
    try:
        model = make(case, table)
        history = model.fit(table, batch_size=16, epochs=2, validation_data=held_out(table), verbose=0)
        answer = model(model.batches(table)[0][0])
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(answer.dtype) == "float32"
    assert np.isfinite(np.asarray(answer)).all()
    assert all(np.isfinite(v).all() for v in history.history.values())


def test_padded_rows_equal_dense_rows(case):
    model, table = trained(case), table_for(case)
    rows = table.T if model.rows == "items" else table
    dense = rows.matrix.toarray()
    if model.ordered:
        with pytest.raises(ValueError, match="dense rows"):
            model(dense)
        return
    batch = model.batches(table, len(dense))[0][0]
    del batch["row"]  # a dense row does not say whose it is
    np.testing.assert_allclose(model(batch), model.predict(dense, verbose=0), atol=1e-5)


def test_more_padding_changes_nothing_nor_does_the_order_where_the_model_has_none(case):
    model, table = trained(case), table_for(case)
    x = model.batches(table)[0][0]
    rng, length = np.random.default_rng(0), x["ids"].shape[1]
    order = rng.permutation(length + 9)
    if model.ordered:  # of such a model only the padding may be anywhere
        order = np.argsort(np.append(np.arange(length), rng.uniform(-1, length, 9)))
    wide = {
        name: np.pad(x[name], ((0, 0), (0, 9)), constant_values=-1)[:, order] for name in ("ids", "values") if name in x
    }
    np.testing.assert_allclose(model({**x, **wide}), model(x), atol=1e-5)


def test_a_batch_equals_its_rows_one_by_one(case):
    model, table = trained(case), table_for(case)
    np.testing.assert_allclose(scores(model, table), scores(model, table, batch_size=1), atol=1e-5)


def test_the_same_question_gets_the_same_answer(case):
    model, table = trained(case), table_for(case)
    assert np.array_equal(scores(model, table), scores(model, table))


def test_equal_seeds_give_equal_weights_and_others_do_not(case):
    one, same = fitted(case), fitted(case)
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if case in TRAINED:
        other = fitted(case, seed=4)
        assert any(not np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_interrupted_and_resumed_equals_uninterrupted(case, tmp_path):
    if case not in TRAINED:
        pytest.skip("solved in one step: nothing to resume")
    table = table_for(case)
    undisturbed = fitted(case, epochs=4)
    interrupted = make(case, table)
    interrupted.fit(table, batch_size=16, epochs=2, callbacks=Checkpoints(tmp_path), verbose=0)
    resumed = make(case, table)
    done = Checkpoints(tmp_path).restore(resumed)
    assert done == 2
    resumed.fit(table, batch_size=16, epochs=4, initial_epoch=done, verbose=0)
    for a, b in zip(undisturbed.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_empty_row_is_answered(case):
    model = trained(case)
    empty = {"ids": np.full((2, 5), -1, np.int32), "row": np.array([-1, -1], np.int32)}
    if model.feedback == "ratings":
        empty["values"] = np.zeros((2, 5), np.float32)
    answer = np.asarray(model(empty))
    assert answer.shape == (2, model.n_columns)
    assert np.isfinite(answer).all()
    np.testing.assert_array_equal(answer[0], answer[1])


def test_seen_items_never_come_back_and_short_lists_are_padded(case):
    model, table = trained(case), table_for(case)
    answer = model.recommend(table, k=N_ITEMS)
    for user in range(table.n_users):
        seen = set(table.item_ids[table.row(user)].tolist())
        given = answer.item_ids[user]
        there = given[given >= 0].tolist()
        assert len(set(there)) == len(there) == N_ITEMS - len(seen)
        assert not seen & set(there)
        assert np.isneginf(answer.scores[user][given < 0]).all()
        assert np.isfinite(answer.scores[user][given >= 0]).all()
        assert (np.diff(answer.scores[user][given >= 0]) <= 0).all()


def test_exclude_and_candidates(case):
    model, table = trained(case), table_for(case)
    allowed = table.item_ids[:20].tolist()
    answer = model.recommend(table, k=20, users=[5, 0], exclude=allowed[:3], candidates=allowed)
    everything = model.recommend(table, k=N_ITEMS, users=[5, 0])
    for user in range(2):
        expected = [i for i in everything.item_ids[user].tolist() if i in allowed[3:]]
        assert [i for i in answer.item_ids[user].tolist() if i >= 0] == expected


def test_a_model_that_was_not_compiled_is_loaded_as_such(case, tmp_path):
    table = table_for(case)
    model = type(trained(case)).from_config(trained(case).get_config())
    model.build()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not again.compiled
    np.testing.assert_array_equal(scores(again, table), scores(model, table))


def test_nobody_gets_no_answers(case):
    answer = trained(case).recommend(table_for(case), k=4, users=[])
    assert answer.item_ids.shape == answer.scores.shape == (0, 4)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"k": 0}, "`k`"),
        ({"k": N_ITEMS + 1}, "`k`"),
        ({"users": [10**6]}, "`users`"),
        ({"exclude": [123]}, "`exclude`: 123"),
        ({"candidates": [123]}, "`candidates`: 123"),
    ],
)
def test_bad_questions_are_refused(case, question, message):
    with pytest.raises(ValueError, match=message):
        trained(case).recommend(table_for(case), **question)


def test_another_catalogue_is_refused(case):
    model = fitted(case, epochs=1)
    table = table_for(case)
    other = table.take_users(np.arange(40)).with_catalogue(table.item_ids[:20])
    with pytest.raises(ValueError, match="columns"):
        model.fit(other, verbose=0)


def test_ids_outside_the_catalogue_are_an_error(case):
    if case == "popularity":
        pytest.skip("reads no ids")
    import tensorflow as tf

    model = trained(case)
    for outside in (model.n_columns, model.n_columns + 1000):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            model({"ids": np.array([[0, outside]], np.int32)})


def test_training_reports_the_loss_and_validation_the_metrics(case):
    table = table_for(case)
    model = make(case, table)
    history = model.fit(table, batch_size=16, epochs=2, validation_data=held_out(table), verbose=0).history
    expected = {f"val_{m.name}" for m in model.metrics}
    assert expected <= set(history)
    assert set(history) - expected <= {"loss"}


def test_keras_validation_equals_evaluate(case):
    model, part = trained(case), held_out(table_for(case))
    by_keras = model.evaluate(part, return_dict=True, verbose=0)
    ours = evaluate(model, part)
    assert set(ours.means) == set(by_keras) - {"loss"}
    for name, mean in ours.means.items():
        assert mean == pytest.approx(by_keras[name], abs=1e-5)


def test_changing_what_is_held_out_changes_no_prediction(case):
    model, part = trained(case), held_out(table_for(case))
    x, y = model.batches(part)[0]
    before = np.asarray(model.predict_on_batch(x))
    y["ids"] = np.where(y["ids"] >= 0, 0, -1)
    assert np.array_equal(before, model.predict_on_batch(x))
    assert "targets" not in x


def test_the_right_answer_of_a_block_matrix(case):
    part = held_out(table_for(case))
    model = make(case, part.inputs)
    model.fit(part.inputs, batch_size=16, epochs=60, verbose=0)
    if case == "popularity":
        expected = part.inputs.item_counts
        np.testing.assert_array_equal(scores(model, part.inputs), np.tile(expected, (part.inputs.n_users, 1)))
        return
    n_left = 3  # each user has about this many unseen items of the own block left
    answer = model.recommend(part.inputs, k=n_left)
    own = answer.item_ids // 10 % N_BLOCKS == (part.inputs.user_ids % N_BLOCKS)[:, None]
    assert own.mean() > 0.9


def test_jit_compile_trains_to_the_same_loss(case):
    if case not in TRAINED:
        pytest.skip("no training step")
    table = table_for(case)
    losses = []
    for jit in (False, True):
        model = make(case, table)
        model.compile("adam", jit_compile=jit)
        losses.append(model.fit(table, batch_size=30, epochs=1, verbose=0).history["loss"][-1])
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # XLA draws other noise from the same seed


def test_blocks_are_what_the_tests_say(case):
    table = blocks()
    assert (table.item_ids[table.items] // 10 % N_BLOCKS == table.user_ids[table.users] % N_BLOCKS).all()
