"""What every model of the zoo must do, whatever its paper.

Each case of `kerasrec_testing.models.CASES` passes every test of this file. `trained(case)` is one run that the tests
share: they read it and never change it.
"""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from kerasrec_testing.child_process import ChildProcess
from kerasrec_testing.models import (
    CASES,
    IMPERSONAL,
    N_ITEMS,
    TRAINED,
    fitted,
    held_out,
    in_own_block,
    make,
    resumed,
    scores,
    scores_of_call,
    table_for,
    trained,
    training,
)

from kerasrec import Interactions, evaluate
from kerasrec.inference.recommend import TopK

pytestmark = pytest.mark.parametrize("case", CASES)

LOAD = """
import keras, numpy as np
import kerasrec
from kerasrec_testing.models import scores_of_call, table_for

def answer(request):
    model = keras.saving.load_model(request["folder"] + "/model.keras")
    np.save(request["folder"] + "/loaded.npy", scores_of_call(model, table_for(request["case"])))
    return [metric.name for metric in model.metrics]
"""


@pytest.fixture(scope="session")
def loader():
    with ChildProcess(LOAD) as child:
        yield child


def test_config_round_trip(case):
    model = make(case, table_for(case))
    copy = type(model).from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    arguments = {"seed", *CASES[case][1]} - {"side"}  # side information is data
    assert arguments <= set(model.get_config())


def test_a_saved_model_loaded_in_a_new_process_gives_the_same_scores(case, loader, tmp_path):
    model = trained(case)
    model.save(tmp_path / "model.keras")
    metrics = loader.ask(case=case, folder=str(tmp_path))
    assert metrics[1:] == [metric.name for metric in model.metrics[1:]]
    loaded, expected = np.load(tmp_path / "loaded.npy"), scores_of_call(model, table_for(case))
    np.testing.assert_allclose(loaded, expected, rtol=0, atol=1e-6)


def test_an_hdf5_file_that_keras_could_not_load_is_refused(case, tmp_path):
    for name in ("model.h5", "model.hdf5"):
        with pytest.raises(ValueError, match=r"`filepath`: expected a file that ends in .keras, got .*Fix: `save"):
            trained(case).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_trained_model_has_a_summary_of_its_weights(case, capsys):
    model = trained(case)
    model.summary(expand_nested=True, show_trainable=True)
    counted = model.trainable_weights or model.weights
    assert f"{sum(np.prod(weight.shape, dtype=int) for weight in counted):,}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("mixed_float16", marks=[pytest.mark.slow, pytest.mark.long])]
)
def test_mixed_precision_trains_to_finite_losses_and_float32_scores(case, policy):
    table = table_for(case)
    keras.config.set_dtype_policy(policy)
    try:
        model = make(case, table, run_eagerly=True)
        run = model.fit(table, batch_size=30, epochs=1, validation_data=held_out(table), verbose=0)
        answer = model(model.batches(table)[0][0])
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(answer.dtype) == "float32"
    assert np.isfinite(np.asarray(answer)).all()
    assert all(np.isfinite(values).all() for values in run.history.values())


def test_padded_rows_equal_dense_rows(case):
    model, table = trained(case), table_for(case)
    rows = table.T if model.rows == "items" else table
    dense = rows.matrix.toarray()
    if model.ordered:
        with pytest.raises(ValueError, match="dense rows"):
            model(dense)
        return
    batch = model.batches(table, len(dense))[0][0]
    del batch["row"]  # a dense row has no index
    np.testing.assert_allclose(model(batch), model.predict(dense, verbose=0), atol=1e-5)


def test_padding_changes_nothing_and_order_only_ordered_models(case):
    model, table = trained(case), table_for(case)
    x = model.batches(table)[0][0]
    rng, length = np.random.default_rng(0), x["ids"].shape[1]
    order = rng.permutation(length + 9)
    if model.ordered:  # only the padding moves
        order = np.argsort(np.append(np.arange(length), rng.uniform(-1, length, 9)))
    wide = {
        name: np.pad(x[name], ((0, 0), (0, 9)), constant_values=-1)[:, order] for name in ("ids", "values") if name in x
    }
    np.testing.assert_allclose(model({**x, **wide}), model(x), atol=1e-5)


def test_a_batch_equals_its_rows_one_by_one(case):
    model, table = trained(case), table_for(case)
    np.testing.assert_allclose(scores(model, table), scores(model, table, batch_size=1), atol=1e-5)


def test_equal_inputs_give_equal_scores(case):
    model, table = trained(case), table_for(case)
    assert np.array_equal(scores(model, table), scores(model, table))


def test_other_seeds_give_other_trained_weights(case):
    if case not in TRAINED:
        pytest.skip("draws no random numbers")
    table = table_for(case)
    one, other = (make(case, table, run_eagerly=True, seed=seed) for seed in (3, 4))
    for model in (one, other):
        model.fit(table, batch_size=30, epochs=1, verbose=0)
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_equal_seeds_give_equal_trained_weights(case):
    """Also if the second run is interrupted half-way and resumed in a new model."""
    run = training(case)
    again = resumed(case, table_for(case), run) if case in TRAINED else fitted(case)
    for a, b in zip(run.model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_empty_row_gets_finite_scores(case):
    model = trained(case)
    empty = {"ids": np.full((2, 5), -1, np.int32), "row": np.array([-1, -1], np.int32)}
    if model.feedback == "ratings":
        empty["values"] = np.zeros((2, 5), np.float32)
    answer = np.asarray(model(empty))
    assert answer.shape == (2, model.n_columns)
    assert np.isfinite(answer).all()
    # Vectorised functions, such as VASP's logarithms of sigmoids, round the last elements of an array differently.
    np.testing.assert_allclose(answer[0], answer[1], rtol=1e-6 if case == "vasp" else 0)


def test_seen_items_are_never_recommended_and_short_lists_are_padded(case):
    model, table = trained(case), table_for(case)
    lists = model.recommend(table, k=N_ITEMS)
    for user in range(table.n_users):
        seen = set(table.item_ids[table.row(user)].tolist())
        valid = lists.item_ids[user] >= 0
        items = lists.item_ids[user][valid].tolist()
        assert len(set(items)) == len(items) == N_ITEMS - len(seen)
        assert not seen & set(items)
        assert (lists.scores[user][~valid] == np.finfo(np.float32).min).all()
        assert np.isfinite(lists.scores[user]).all()
        assert (np.diff(lists.scores[user][valid]) <= 0).all()


def test_without_a_known_item_the_most_popular_items_are_recommended(case, tmp_path):
    model, table = trained(case), table_for(case)
    model.save(tmp_path / "model.keras")
    nobody = Interactions.from_histories([[], [99999]], table)
    order = np.lexsort((table.item_ids, -table.item_counts))
    for which in (model, keras.saving.load_model(tmp_path / "model.keras")):
        lists = which.recommend(nobody, k=N_ITEMS, train=table)
        assert lists.n_known.tolist() == [0, 0]
        np.testing.assert_array_equal(lists.item_ids, [table.item_ids[order]] * 2)
        np.testing.assert_array_equal(lists.scores, [table.item_counts[order]] * 2)
    without = model.recommend(nobody, k=3, train=table, exclude=table.item_ids[order[:2]].tolist())
    np.testing.assert_array_equal(without.item_ids, [table.item_ids[order[2:5]]] * 2)


def test_exclude_and_candidates_also_of_concurrent_requests(case):
    model, table = trained(case), table_for(case)
    unrestricted = model.recommend(table, k=N_ITEMS, users=[5, 0])

    def lists_of(start):
        allowed = table.item_ids[start : start + 20].tolist()
        return allowed, model.recommend(table, k=20, users=[5, 0], exclude=allowed[:3], candidates=allowed)

    with ThreadPoolExecutor(4) as executor:
        for allowed, lists in executor.map(lists_of, range(8)):
            for user in range(2):
                expected = [i for i in unrestricted.item_ids[user].tolist() if i in allowed[3:]]
                assert [i for i in lists.item_ids[user].tolist() if i >= 0] == expected


def test_requests_of_any_length_share_few_predictors(case):
    model, table = trained(case), table_for(case)
    for k in (*range(1, 9), 16, N_ITEMS):
        assert model.recommend(table, k=k, users=[5]).item_ids.shape == (1, k)
    assert sum(predictor is TopK for predictor, *_ in model.predictor_cache.predictors) <= 5  # 30 items: 2, 4, …, 32


def test_a_model_saved_before_compile_is_loaded_uncompiled(case, tmp_path):
    table = table_for(case)
    model = type(trained(case)).from_config(trained(case).get_config())
    if not model.built:
        model.build()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not loaded.compiled
    np.testing.assert_array_equal(scores_of_call(loaded, table), scores_of_call(model, table))


def test_no_users_get_no_lists(case):
    lists = trained(case).recommend(table_for(case), k=4, users=[])
    assert lists.item_ids.shape == lists.scores.shape == (0, 4)


def test_invalid_requests_raise(case):
    for request, message in (
        ({"k": 0}, "`k`"),
        ({"k": N_ITEMS + 1}, "`k`"),
        ({"users": [10**6]}, "`users`"),
        ({"exclude": [123]}, "`exclude`: 123"),
        ({"candidates": [123]}, "`candidates`: 123"),
    ):
        with pytest.raises(ValueError, match=message):
            trained(case).recommend(table_for(case), **request)


def test_a_table_with_another_catalogue_raises(case):
    table = table_for(case)
    model = make(case, table)
    smaller = table.take_users(np.arange(40)).with_catalogue(table.item_ids[:20])
    with pytest.raises(ValueError, match="columns"):
        model.fit(smaller, verbose=0)


def test_ids_outside_the_catalogue_raise(case):
    if case == "popularity":
        pytest.skip("reads no ids")
    import tensorflow as tf

    model = trained(case)
    for outside in (model.n_columns, model.n_columns + 1000):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            model({"ids": np.array([[0, outside]], np.int32)})


def test_training_reports_the_loss_and_validation_the_metrics(case):
    run = training(case)
    expected = {f"val_{metric.name}" for metric in run.model.metrics}
    assert expected <= set(run.history)
    assert set(run.history) - expected <= {"loss"}
    assert all(np.isfinite(values).all() for values in run.history.values())


def test_validation_in_fit_equals_evaluate(case):
    model, part = trained(case), held_out(table_for(case))
    by_keras = model.evaluate(part, return_dict=True, verbose=0)
    evaluation = evaluate(model, part)
    assert set(evaluation.means) == set(by_keras) - {"loss"}
    for name, mean in evaluation.means.items():
        assert mean == pytest.approx(by_keras[name], abs=1e-5)
        assert mean == pytest.approx(training(case).history[f"val_{name}"][-1], abs=1e-5)


def test_predictions_do_not_depend_on_what_is_held_out(case):
    model, part = trained(case), held_out(table_for(case))
    x, y = model.batches(part)[0]
    before = np.asarray(model.predict_on_batch(x))
    y["ids"] = np.where(y["ids"] >= 0, 0, -1)
    assert np.array_equal(before, model.predict_on_batch(x))
    assert "targets" not in x


def test_a_block_matrix_gets_its_known_answer(case):
    part = held_out(table_for(case))
    model = make(case, part.inputs)
    model.fit(part.inputs, batch_size=16, epochs=60, verbose=0)
    if case in IMPERSONAL:
        differences = np.diff(scores(model, part.inputs), axis=0)
        np.testing.assert_allclose(differences, np.tile(differences[:, :1], N_ITEMS), atol=1e-5)
        return
    n_left = 3  # about as many unseen items of the own block has each user
    lists = model.recommend(part.inputs, k=n_left)
    assert in_own_block(lists.item_ids, part.inputs.user_ids).mean() > 0.9


@pytest.mark.slow
def test_jit_compile_trains_to_the_same_loss(case):
    if case not in TRAINED:
        pytest.skip("has no training step")
    table = table_for(case)
    losses = []
    for jit in (False, True):
        model = make(case, table)
        model.compile("adam", jit_compile=jit, run_eagerly=not jit)
        losses.append(model.fit(table, batch_size=30, epochs=1, verbose=0).history["loss"][-1])
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # XLA draws other noise from the same seed
