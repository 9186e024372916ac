"""What the signatures of an export return."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.exports import N_ITEMS, N_USERS, call, fitted, interactions, loaded, model_scores, requests

from kerasrec import Interactions
from kerasrec.saved_model import export_saved_model
from kerasrec.saved_model.inputs import unique_items

LOWEST = np.finfo(np.float32).min
"""The score of a place without an item."""


def test_signatures_have_named_inputs_and_only_operations_of_tensorflow(rated, by_user, ease):
    signatures = loaded(rated[2]).signatures
    names = {name: sorted(f.structured_input_signature[1]) for name, f in signatures.items()}
    assert names == {
        "serving_default": ["history", "ratings"],
        "recommend": ["candidates", "exclude", "history", "k", "ratings"],
        "examples": ["examples"],
        "score": ["history", "ratings"],
        "similar": ["item_ids"],
    }
    recommend = signatures["recommend"].structured_input_signature[1]
    assert {n: (s.shape.as_list(), s.dtype.name) for n, s in recommend.items()} == {
        "history": ([None, None], "string"),
        "ratings": ([None, None], "float32"),
        "exclude": ([None, None], "string"),
        "candidates": ([None, None], "string"),
        "k": ([None], "int32"),
    }
    by_id = loaded(by_user[2]).signatures["serving_default"].structured_input_signature[1]
    assert {n: (s.shape.as_list(), s.dtype.name) for n, s in by_id.items()} == {"user_id": ([None], "string")}
    integers = loaded(ease[2]).signatures["serving_default"]
    assert integers.structured_input_signature[1]["history"].dtype == tf.int64
    assert integers.structured_outputs["item_ids"].dtype == tf.int64
    ops = set()
    for function in signatures.values():
        graph = function.graph.as_graph_def()
        ops |= {node.op for node in graph.node} | {node.op for f in graph.library.function for node in f.node_def}
    assert "LookupTableFindV2" in ops
    assert not [op for op in ops if "PyFunc" in op or "Xla" in op]


def test_titles_are_a_signature_of_their_own(tmp_path):
    """The other signatures are those of an export without titles."""
    table = interactions(text=True)
    titled = table.with_titles({table.item_ids[0]: "Été\n à  Rome", table.item_ids[2]: "Tea"})
    version = export_saved_model(fitted("ease", table), tmp_path, titled)
    item_ids = [["", *table.item_ids[:3]], ["x", table.item_ids[2], "", ""]]
    answer = call(version, "titles", item_ids=item_ids)
    assert answer["titles"].tolist() == [["", "Été à Rome", "", "Tea"], ["", "Tea", "", ""]]
    assert (version / "assets" / "item_titles.txt").read_text("utf-8").splitlines()[:3] == ["Été à Rome", " ", "Tea"]
    lists = loaded(version).signatures["serving_default"].structured_outputs
    assert sorted(lists) == ["item_ids", "n_known", "n_valid", "scores"]


def test_items_of_the_history_are_never_returned(rated, by_user):
    for model, table, version in (rated, by_user):
        answer = call(version, "recommend", **requests(model, table), k=np.full(N_USERS, N_ITEMS))
        for user in range(N_USERS):
            seen = set(table.item_ids[table.row(user)])
            items = [item for item in answer["item_ids"][user] if item]
            assert len(items) == len(set(items)) == N_ITEMS - len(seen)
            assert not seen & set(items)
            assert (answer["scores"][user, len(items) :] == LOWEST).all()
            assert (answer["scores"][user, : len(items)] > LOWEST).all()


def test_a_request_without_known_items_or_users_gets_popular_items(rated, by_user, ease):
    for model, table, version in (rated, by_user, ease):
        blank, unknown = ["", "?"] if table.item_ids.dtype.kind == "U" else [-1, 10**9]
        fields = {"history": [[blank], [unknown]], "ratings": [[1.0], [4.0]], "user_id": [blank, unknown]}
        inputs = {name: fields[name] for name in model.as_user_model(table).serving_inputs}
        popular = table.item_ids[np.lexsort((table.item_ids, -table.item_counts))]
        for signature in ("serving_default", "recommend", "score"):
            item_ids = call(version, signature, **inputs)["item_ids"]
            np.testing.assert_array_equal(item_ids, [popular[: item_ids.shape[1]]] * 2)
        scores = call(version, "score", **inputs)["scores"]
        user_model = model.as_user_model(table)
        empty = user_model.batches(Interactions.from_histories([[], []], table))[0][0]
        np.testing.assert_allclose(scores, user_model({**empty, "row": np.array([-1, -1], np.int32)}), atol=1e-5)


def test_similar_items_are_those_of_the_model(rated, by_user, ease):
    for model, table, version in (rated, by_user, ease):
        unknown = "?" if table.item_ids.dtype.kind == "U" else 10**9
        items = table.item_ids[[3, 0]].tolist()
        answer = call(version, "similar", item_ids=[*items, unknown])
        expected = model.similar(table, items, k=N_ITEMS - 1)
        np.testing.assert_array_equal(answer["item_ids"][:2, : N_ITEMS - 1], expected.item_ids)
        np.testing.assert_allclose(answer["scores"][:2, : N_ITEMS - 1], expected.scores, atol=1e-5)
        assert answer["n_known"].tolist() == [1, 1, 0]
        assert answer["n_valid"].tolist() == [N_ITEMS - 1, N_ITEMS - 1, 0]


def test_padding_unknown_and_repeated_ids_do_not_change_the_scores(rated):
    model, table, version = rated
    a, b, c = table.item_ids[[3, 8, 20]]
    clean = call(version, "score", history=[[a, b, c]], ratings=[[5, 1, 3]])
    requests_with_the_same_answer = {
        "padded in front": ([["", a, b, c]], [[9, 5, 1, 3]]),
        "padded between": ([[a, "", b, "", c]], [[5, 9, 1, 9, 3]]),
        "unknown": ([["?", a, b, c, "€"]], [[4, 5, 1, 3, 2]]),
        "repeated with another rating": ([[a, b, c, b]], [[5, 4, 3, 1]]),
    }
    for name, (history, ratings) in requests_with_the_same_answer.items():
        answer = call(version, "score", history=history, ratings=ratings)
        np.testing.assert_array_equal(answer["item_ids"], clean["item_ids"], err_msg=name)
        np.testing.assert_allclose(answer["scores"], clean["scores"], rtol=1e-6, err_msg=name)
        table_of_request = Interactions.from_histories(
            [[i for i in history[0] if i]], table, [[r for i, r in zip(history[0], ratings[0], strict=True) if i]]
        )
        np.testing.assert_allclose(model.predict(table_of_request, verbose=0), clean["scores"], rtol=1e-5, err_msg=name)
    other = call(version, "score", history=[[a, b, c]], ratings=[[5, 4, 3]])
    assert np.abs(other["scores"] - clean["scores"]).max() > 1e-4


def test_a_history_reaches_the_model_in_order_without_holes_and_repetitions():
    history = tf.constant([[-1, 9, -1, 3, 9, 5, 3], [2, 2, 2, -1, -1, -1, 7]])
    rated = unique_items(history, tf.constant([[0, 1, 0, 2, 3, 4, 5], [1, 2, 3, 0, 0, 0, 4]], tf.float32))
    # A repeated item keeps its last rating; without ratings it keeps its first place.
    assert rated["ids"].numpy().tolist() == [[9, 5, 3, -1, -1, -1, -1], [2, 7, -1, -1, -1, -1, -1]]
    assert rated["values"].numpy().tolist() == [[3, 4, 5, 0, 0, 0, 0], [3, 4, 0, 0, 0, 0, 0]]
    likes = unique_items(history, None)
    assert likes["ids"].numpy().tolist() == [[9, 3, 5, -1, -1, -1, -1], [2, 7, -1, -1, -1, -1, -1]]


def test_an_empty_history_gets_the_scores_of_an_empty_row(rated):
    model, table, version = rated
    expected = np.asarray(model(np.zeros((1, N_ITEMS), np.float32)))
    for history, ratings in (([[""]], [[0]]), ([["?", ""]], [[4, 0]]), (np.empty((1, 0), str), np.empty((1, 0)))):
        answer = call(version, "score", history=history, ratings=ratings)
        np.testing.assert_allclose(answer["scores"], expected, rtol=1e-6, atol=1e-6)
        assert (answer["item_ids"] != "").all()


def test_a_history_of_all_items_gets_an_empty_list(ease):
    _, table, version = ease
    answer = call(version, "serving_default", history=[table.item_ids])
    assert (answer["item_ids"] == -1).all()
    assert (answer["scores"] == LOWEST).all()
    assert (answer["n_known"].tolist(), answer["n_valid"].tolist()) == ([N_ITEMS], [0])


def test_exclude_and_candidates_restrict_the_list(ease):
    model, table, version = ease
    request = {name: array[:3] for name, array in requests(model, table).items()}
    users = table.user_ids[:3]
    free = call(version, "recommend", **request)["item_ids"]
    excluded = free[:, :2]
    answer = call(version, "recommend", **request, exclude=excluded)
    np.testing.assert_array_equal(answer["item_ids"][:, :3], free[:, 2:])
    expected = model.recommend(table, k=5, users=users, exclude=excluded[0])
    answer = call(version, "recommend", **request, exclude=np.tile(excluded[0], (3, 1)))
    np.testing.assert_array_equal(answer["item_ids"], expected.item_ids)

    allowed = table.item_ids[::4]
    expected = model.recommend(table, k=5, users=users, candidates=allowed)
    answer = call(version, "recommend", **request, candidates=np.tile(allowed, (3, 1)))
    np.testing.assert_array_equal(answer["item_ids"], expected.item_ids)
    rows = np.full((3, 2), -1)
    rows[1] = free[1, [4, 0]]  # two candidates
    rows[2] = 10**9, -1  # one unknown candidate: nothing is allowed
    answer = call(version, "recommend", **request, candidates=rows)["item_ids"]
    np.testing.assert_array_equal(answer[0], free[0])
    assert answer[1].tolist() == [free[1, 0], free[1, 4], -1, -1, -1]
    assert answer[2].tolist() == [-1] * 5


def test_each_row_has_its_own_k(ease):
    model, table, version = ease
    request = {name: array[:3] for name, array in requests(model, table).items()}
    best = call(version, "recommend", **request)
    answer = call(version, "recommend", **request, k=[2, 4, 1])
    assert answer["item_ids"].shape == answer["scores"].shape == (3, 4)
    for row, k in enumerate((2, 4, 1)):
        np.testing.assert_array_equal(answer["item_ids"][row, :k], best["item_ids"][row, :k])
        assert (answer["item_ids"][row, k:] == -1).all()
        assert (answer["scores"][row, k:] == LOWEST).all()
    assert answer["n_valid"].tolist() == [2, 4, 1]
    empty_batch = call(version, "recommend", history=np.empty((0, 3)))
    assert len(empty_batch["item_ids"]) == 0


@pytest.mark.parametrize("k", [0, -1, N_ITEMS + 1, 1_000_000])
def test_k_out_of_range_is_an_error_of_the_graph(ease, k):
    _, table, version = ease
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"`k` must be between 1 and {N_ITEMS}, .* not\] \[{k}\]"):
        call(version, "recommend", history=[[7]], k=[k])


@pytest.mark.parametrize("case", ["mult_vae", "rec_vae", "svae"])
def test_embed_returns_the_mean_of_the_code_and_sample_a_draw_by_seed(tmp_path, case):
    table = interactions()
    model = fitted(case, table)
    version = export_saved_model(model, tmp_path, table, top_k=N_ITEMS)
    request = {"history": requests(model, table)["history"][:4]}
    batch = model.batches(table.take_users(np.arange(4)), 4)[0][0]
    mean, log_var = (np.asarray(output) for output in model.posterior(batch))
    np.testing.assert_allclose(call(version, "embed", **request)["embedding"], mean, rtol=1e-4, atol=1e-6)
    assert mean.std(axis=0).max() > 1e-3

    draws = [call(version, "sample", **request, seed=np.full(4, seed)) for seed in range(8)]
    again = call(version, "sample", **request, seed=np.array([5, 6, 7, 0]))
    for row, seed in enumerate((5, 6, 7, 0)):  # the noise of a row depends on its seed only
        np.testing.assert_allclose(again["scores"][row], draws[seed]["scores"][row], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(again["item_ids"][row], draws[seed]["item_ids"][row])
    # The code is the mean plus stateless_normal noise, scaled by the posterior.
    noise = tf.random.stateless_normal((mean.shape[1],), [3, 0])
    code = mean[:1] + np.exp(log_var[:1] / 2) * noise
    expected = np.sort(np.asarray(model.mask_seen(model.decode(code), {"ids": batch["ids"][:1]}))[0])[::-1]
    expected = np.maximum(expected, LOWEST)
    np.testing.assert_allclose(draws[3]["scores"][0], expected, rtol=1e-4, atol=1e-5)
    lists = {tuple(draw["item_ids"][0].tolist()) for draw in draws}
    assert len(lists) > 1
    for draw in draws:
        assert not set(draw["item_ids"][0].tolist()) & set(table.item_ids[table.row(0)].tolist())


def test_inputs_of_different_shapes_are_an_error_of_the_graph(rated):
    version = rated[2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="`ratings` must have the shape of `history`"):
        call(version, "serving_default", history=[["a", "b"]], ratings=[[1]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`ratings` must have as many rows as `history`"):
        call(version, "serving_default", history=[["a"], ["b"]], ratings=[[1]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`k` must have as many rows as `history`"):
        call(version, "recommend", history=[["a"]], ratings=[[1]], k=[1, 2])


def test_an_unknown_user_gets_the_mean_users_scores(by_user):
    model, table, version = by_user
    user_model = model.as_user_model(table)
    unknown = np.asarray(user_model({"ids": np.array([[-1]]), "row": np.array([-1])}))
    answer = call(version, "score", user_id=["nobody", "", table.user_ids[4]])
    np.testing.assert_allclose(answer["scores"][[0, 1]], np.repeat(unknown, 2, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer["scores"][2], model_scores(model, table)[4], rtol=1e-5, atol=1e-6)
    assert (answer["item_ids"][0] != "").all()


@pytest.mark.parametrize("text", [False, True])
def test_a_model_with_a_user_input_combines_it_with_the_history_of_the_request(tmp_path, text):
    table = interactions(text)
    model = fitted("cdae", table)
    version = export_saved_model(model, tmp_path, table)
    specs = loaded(version).signatures["serving_default"].structured_input_signature[1]
    assert {n: s.shape.as_list() for n, s in specs.items()} == {"history": [None, None], "user_id": [None]}
    known, unknown = table.user_ids[9], "nobody" if text else 10**9
    items = table.item_ids[[3, 8]].tolist()
    answer = call(version, "score", history=[items, items, items], user_id=[known, unknown, "" if text else -1])
    for row, expected in ((9, answer["scores"][0]), (-1, answer["scores"][1]), (-1, answer["scores"][2])):
        batch = {"ids": np.array([[3, 8]]), "row": np.array([row])}
        np.testing.assert_allclose(expected, np.asarray(model(batch))[0], rtol=1e-5, atol=1e-6)
    assert np.abs(answer["scores"][0] - answer["scores"][1]).max() > 1e-3
    direct = model.recommend(Interactions.from_histories([items], table, user_ids=[known]), k=N_ITEMS, train=table)
    np.testing.assert_array_equal(
        answer["item_ids"][0], direct.item_ids[0]
    )  # items of the training table may be returned
    assert set(answer["item_ids"][0][:-2]) == set(table.item_ids) - set(items)
    stored = {name: shape for name, shape in tf.train.list_variables(str(version / "variables" / "variables"))}
    assert [len(table)] not in stored.values()  # the export contains no histories
    with pytest.raises(
        ValueError, match="has weights for 60 users, and the table has 59. Fix: pass the training table"
    ):
        export_saved_model(model, tmp_path, table.take_users(np.arange(59)))
    with pytest.raises(ValueError, match="`items`: expected the training table, because CDAE needs the user ids"):
        export_saved_model(model, tmp_path, table.item_ids)


def test_scores_are_float32_under_mixed_precision(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        table = interactions()
        model = fitted("mult_vae", table)
        version = export_saved_model(model, tmp_path, table)
        model.compile()  # an eager model rounds other intermediate values to bfloat16 than a graph
        expected = model_scores(model, table)
    finally:
        keras.config.set_dtype_policy(before)
    answer = call(version, "score", **requests(model, table))
    assert answer["scores"].dtype == answer["top_k_scores"].dtype == np.float32
    np.testing.assert_allclose(answer["scores"], expected, rtol=1e-5, atol=1e-5)
