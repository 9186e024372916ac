import functools
import json
import os
import stat
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import CASES, arguments_for
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerasrec import EASE, ZOO, Interactions, Popularity, generate, saved_model
from kerasrec.saved_model import export_saved_model

N_USERS, N_ITEMS = 60, 40


def interactions(text=False):
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.3)
    rating = rng.integers(1, 6, len(user))
    if text:
        return Interactions.from_arrays(np.char.add("u", user.astype(str)), np.char.add("é ", item.astype(str)), rating)
    return Interactions.from_arrays(user + 100, item * 7, rating)


def fitted(case, table):
    model = ZOO[CASES[case][0]].for_interactions(table, seed=1, **arguments_for(case, table))
    model.compile()
    model.fit(table, epochs=1, batch_size=20, verbose=0)
    return model


def requests(model, table):
    """Each user's request, as the signatures want it: padded behind."""
    width = int(table.counts.max())
    text = table.item_ids.dtype.kind == "U"
    history = np.full((table.n_users, width), "" if text else -1, table.item_ids.dtype)
    ratings = np.zeros((table.n_users, width), np.float32)
    for user, count in enumerate(table.counts):
        start = table.indptr[user]
        history[user, :count] = table.item_ids[table.row(user)]
        ratings[user, :count] = table.values[start : start + count]
    fields = {"history": history, "ratings": ratings, "user_id": table.user_ids}
    return {name: fields[name] for name in model.as_user_model(table).serving_inputs}


loaded = functools.cache(tf.saved_model.load)


def call(version, signature, **inputs):
    """The signature's answer as numpy arrays, text as str; `k`, `exclude` and `candidates` have defaults."""
    function = loaded(version).signatures[signature]
    wanted = function.structured_input_signature[1]
    if signature == "recommend":
        n_rows = len(next(iter(inputs.values())))
        blank = np.full((n_rows, 1), "" if wanted["exclude"].dtype == tf.string else -1)
        inputs = {"k": np.full(n_rows, 5), "exclude": blank, "candidates": blank, **inputs}
    answer = function(**{name: tf.constant(value, wanted[name].dtype) for name, value in inputs.items()})
    return {name: text(tensor.numpy()) for name, tensor in answer.items()}


def text(array):
    return np.char.decode(array.astype(bytes), "utf-8") if array.dtype == object else array


def model_scores(model, table):
    answering = model.as_user_model(table)
    return np.asarray(answering.predict_on_batch(answering.batches(table, 1000)[0][0]))


@pytest.fixture(scope="module")
def ease(tmp_path_factory):
    """Integer ids, history only."""
    table = interactions()
    model = fitted("ease", table)
    return model, table, export_saved_model(model, tmp_path_factory.mktemp("ease"), table)


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """String ids, history and ratings."""
    table = interactions(text=True)
    model = fitted("auto_rec users", table)
    return model, table, export_saved_model(model, tmp_path_factory.mktemp("rated"), table)


@pytest.fixture(scope="module")
def as_user_model(tmp_path_factory):
    """String ids, asked by user."""
    table = interactions(text=True)
    model = fitted("auto_rec items", table)
    return model, table, export_saved_model(model, tmp_path_factory.mktemp("as_user_model"), table)


ALONE = """
import sys
sys.modules["kerasrec"] = sys.modules["keras"] = sys.modules["tf_keras"] = None  # any import of them fails
import numpy as np
import tensorflow as tf

for folder in sys.argv[1:]:
    inputs = {name: array for name, array in np.load(folder + "/request.npz").items()}
    for signature in ("serving_default", "score"):
        with tf.compat.v1.Session(graph=tf.Graph()) as session:
            graph = tf.compat.v1.saved_model.load(session, ["serve"], folder + "/1")
            sig = graph.signature_def[signature]
            feed = {sig.inputs[name].name: array for name, array in inputs.items()}
            first = session.run({name: info.name for name, info in sig.outputs.items()}, feed)
        function = tf.saved_model.load(folder + "/1").signatures[signature]
        specs = function.structured_input_signature[1]
        second = function(**{name: tf.constant(array, specs[name].dtype) for name, array in inputs.items()})
        for loader, answer in (("session", first), ("load", {n: t.numpy() for n, t in second.items()})):
            answer = {n: a.astype(bytes) if a.dtype == object else a for n, a in answer.items()}
            np.savez(f"{folder}/{signature}-{loader}.npz", **answer)
"""


def test_answers_alike_in_a_process_without_kerasrec_and_keras(tmp_path):
    expected = {}
    for number, case in enumerate(CASES):
        table = interactions(text=number % 2 == 0)
        model = fitted(case, table)
        folder = tmp_path / case
        export_saved_model(model, folder, table, top_k=10)
        np.savez(folder / "request.npz", **requests(model, table))
        expected[folder] = model_scores(model, table), model.recommend(table, k=10)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    folders = list(map(str, expected))
    done = subprocess.run([sys.executable, "-c", ALONE, *folders], cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    for folder, (scores, best) in expected.items():
        for loader in ("session", "load"):
            default = np.load(folder / f"serving_default-{loader}.npz")
            full = np.load(folder / f"score-{loader}.npz")
            np.testing.assert_allclose(full["scores"], scores, rtol=1e-5, atol=1e-5)
            for ids, top in (("item_ids", "scores"), ("item_ids", "top_k_scores")):
                answer = default if top == "scores" else full
                ids = answer[ids]
                ids = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
                np.testing.assert_array_equal(ids, best.item_ids)
                np.testing.assert_allclose(answer[top], best.scores, rtol=1e-5, atol=1e-5)


def test_signatures_are_named_ranked_and_of_stock_ops(rated, as_user_model, ease):
    signatures = loaded(rated[2]).signatures
    names = {name: sorted(f.structured_input_signature[1]) for name, f in signatures.items()}
    assert names == {
        "serving_default": ["history", "ratings"],
        "recommend": ["candidates", "exclude", "history", "k", "ratings"],
        "score": ["history", "ratings"],
    }
    recommend = signatures["recommend"].structured_input_signature[1]
    assert {n: (s.shape.as_list(), s.dtype.name) for n, s in recommend.items()} == {
        "history": ([None, None], "string"),
        "ratings": ([None, None], "float32"),
        "exclude": ([None, None], "string"),
        "candidates": ([None, None], "string"),
        "k": ([None], "int32"),
    }
    asked = loaded(as_user_model[2]).signatures["serving_default"].structured_input_signature[1]
    assert {n: (s.shape.as_list(), s.dtype.name) for n, s in asked.items()} == {"user_id": ([None], "string")}
    integers = loaded(ease[2]).signatures["serving_default"]
    assert integers.structured_input_signature[1]["history"].dtype == tf.int64
    assert integers.structured_outputs["item_ids"].dtype == tf.int64
    ops = set()
    for function in signatures.values():
        graph = function.graph.as_graph_def()
        ops |= {node.op for node in graph.node} | {node.op for f in graph.library.function for node in f.node_def}
    assert "LookupTableFindV2" in ops
    assert not [op for op in ops if "PyFunc" in op or "Xla" in op]


def test_items_of_the_history_never_come_back(rated, as_user_model):
    for model, table, version in (rated, as_user_model):
        answer = call(version, "recommend", **requests(model, table), k=np.full(N_USERS, N_ITEMS))
        for user in range(N_USERS):
            seen = set(table.item_ids[table.row(user)])
            got = [item for item in answer["item_ids"][user] if item]
            assert len(got) == len(set(got)) == N_ITEMS - len(seen)
            assert not seen & set(got)
            assert np.isneginf(answer["scores"][user, len(got) :]).all()
            assert np.isfinite(answer["scores"][user, : len(got)]).all()


def test_padding_unknown_and_repeated_ids_change_nothing(rated):
    model, table, version = rated
    a, b, c = table.item_ids[[3, 8, 20]]
    clean = call(version, "score", history=[[a, b, c]], ratings=[[5, 1, 3]])
    same = {
        "padded in front": ([["", a, b, c]], [[9, 5, 1, 3]]),
        "padded between": ([[a, "", b, "", c]], [[5, 9, 1, 9, 3]]),
        "unknown": ([["?", a, b, c, "€"]], [[4, 5, 1, 3, 2]]),
        "padded by TF Serving with the first element": ([[a, b, c, a, a]], [[5, 1, 3, 5, 5]]),
        "repeated, and rated anew": ([[a, b, c, b]], [[5, 4, 3, 1]]),
        "the first rated anew, and padded by TF Serving": ([[a, b, c, a, a, a]], [[4, 1, 3, 5, 4, 4]]),
    }
    for what, (history, ratings) in same.items():
        answer = call(version, "score", history=history, ratings=ratings)
        np.testing.assert_array_equal(answer["item_ids"], clean["item_ids"], err_msg=what)
        np.testing.assert_allclose(answer["scores"], clean["scores"], rtol=1e-6, err_msg=what)
        asked = Interactions.from_histories(
            [[i for i in history[0] if i]], table, [[r for i, r in zip(history[0], ratings[0], strict=True) if i]]
        )
        if "TF Serving" not in what:  # which pads a request after Python would have read it
            np.testing.assert_allclose(model.predict(asked, verbose=0), clean["scores"], rtol=1e-5, err_msg=what)
    other = call(version, "score", history=[[a, b, c]], ratings=[[5, 4, 3]])
    assert np.abs(other["scores"] - clean["scores"]).max() > 1e-4


def test_the_model_reads_a_history_as_in_training(ease, monkeypatch):
    """In the order given, without holes: what a model of sequences needs."""
    _, table, _ = ease
    catalogue = saved_model._Vocabulary.__new__(saved_model._Vocabulary)
    monkeypatch.setattr(saved_model._Vocabulary, "places", lambda self, ids: tf.constant(ids, tf.int32))
    endpoint = saved_model._Endpoint.__new__(saved_model._Endpoint)
    endpoint.catalogue = catalogue
    history = [[-1, 9, -1, 3, 9, 5, 3], [2, 2, 2, -1, -1, -1, 7]]
    batch = endpoint.rows(history, tf.constant([[0, 1, 0, 2, 3, 4, 5], [1, 2, 3, 0, 0, 0, 4]], tf.float32))
    # Of an item that stands twice the last rating counts; a like keeps its first place.
    assert batch["ids"].numpy().tolist() == [[9, 5, 3, -1, -1, -1, -1], [2, 7, -1, -1, -1, -1, -1]]
    assert batch["values"].numpy().tolist() == [[3, 4, 5, 0, 0, 0, 0], [3, 4, 0, 0, 0, 0, 0]]
    likes = endpoint.rows(history, None)
    assert likes["ids"].numpy().tolist() == [[9, 3, 5, -1, -1, -1, -1], [2, 7, -1, -1, -1, -1, -1]]


def test_an_empty_history_gets_the_answer_to_an_empty_row(rated):
    model, table, version = rated
    expected = np.asarray(model(np.zeros((1, N_ITEMS), np.float32)))
    for history, ratings in (([[""]], [[0]]), ([["?", ""]], [[4, 0]]), (np.empty((1, 0), str), np.empty((1, 0)))):
        answer = call(version, "score", history=history, ratings=ratings)
        np.testing.assert_allclose(answer["scores"], expected, rtol=1e-6, atol=1e-6)
        assert (answer["item_ids"] != "").all()


def test_nothing_left(ease):
    _, table, version = ease
    answer = call(version, "serving_default", history=[table.item_ids])
    assert (answer["item_ids"] == -1).all()
    assert np.isneginf(answer["scores"]).all()


def test_exclude_and_candidates(ease):
    model, table, version = ease
    request = {name: array[:3] for name, array in requests(model, table).items()}
    users = table.user_ids[:3]
    free = call(version, "recommend", **request)["item_ids"]
    banned = free[:, :2]
    answer = call(version, "recommend", **request, exclude=banned)
    np.testing.assert_array_equal(answer["item_ids"][:, :3], free[:, 2:])
    one_ban = model.recommend(table, k=5, users=users, exclude=banned[0])
    answer = call(version, "recommend", **request, exclude=np.tile(banned[0], (3, 1)))
    np.testing.assert_array_equal(answer["item_ids"], one_ban.item_ids)

    allowed = table.item_ids[::4]
    wanted = model.recommend(table, k=5, users=users, candidates=allowed)
    answer = call(version, "recommend", **request, candidates=np.tile(allowed, (3, 1)))
    np.testing.assert_array_equal(answer["item_ids"], wanted.item_ids)
    rows = np.full((3, 2), -1)
    rows[1] = free[1, [4, 0]]  # two candidates
    rows[2] = 10**9, -1  # one, which is unknown: nothing is allowed
    answer = call(version, "recommend", **request, candidates=rows)["item_ids"]
    np.testing.assert_array_equal(answer[0], free[0])
    assert answer[1].tolist() == [free[1, 0], free[1, 4], -1, -1, -1]
    assert answer[2].tolist() == [-1] * 5


def test_k_of_each_row(ease):
    model, table, version = ease
    request = {name: array[:3] for name, array in requests(model, table).items()}
    best = call(version, "recommend", **request)
    answer = call(version, "recommend", **request, k=[2, 4, 1])
    assert answer["item_ids"].shape == answer["scores"].shape == (3, 4)
    for row, k in enumerate((2, 4, 1)):
        np.testing.assert_array_equal(answer["item_ids"][row, :k], best["item_ids"][row, :k])
        assert (answer["item_ids"][row, k:] == -1).all()
        assert np.isneginf(answer["scores"][row, k:]).all()
    nobody = call(version, "recommend", history=np.empty((0, 3)))
    assert len(nobody["item_ids"]) == 0


@pytest.mark.parametrize("k", [0, -1, N_ITEMS + 1, 1_000_000])
def test_k_out_of_range_is_refused_in_the_graph(ease, k):
    _, table, version = ease
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"`k` must be between 1 and {N_ITEMS}, .* not\] \[{k}\]"):
        call(version, "recommend", history=[[7]], k=[k])


@pytest.mark.parametrize("case", ["mult_vae", "rec_vae", "svae"])
def test_embed_and_sample(tmp_path, case):
    table = interactions()
    model = fitted(case, table)
    version = export_saved_model(model, tmp_path, table, top_k=N_ITEMS)
    asked = {"history": requests(model, table)["history"][:4]}
    batch = model.batches(table.take_users(np.arange(4)), 4)[0][0]
    mean, log_var = (np.asarray(part) for part in model.posterior(batch))
    np.testing.assert_allclose(call(version, "embed", **asked)["embedding"], mean, rtol=1e-4, atol=1e-6)
    assert mean.std(axis=0).max() > 1e-3

    draws = [call(version, "sample", **asked, seed=np.full(4, seed)) for seed in range(8)]
    again = call(version, "sample", **asked, seed=np.array([5, 6, 7, 0]))
    for row, seed in enumerate((5, 6, 7, 0)):  # a row's noise is its own seed's, whatever stands beside it
        np.testing.assert_allclose(again["scores"][row], draws[seed]["scores"][row], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(again["item_ids"][row], draws[seed]["item_ids"][row])
    # The noise is that of stateless_normal, scaled by the posterior.
    noise = tf.random.stateless_normal((mean.shape[1],), [3, 0])
    code = mean[:1] + np.exp(log_var[:1] / 2) * noise
    expected = np.sort(np.asarray(model.mask_seen(model.decode(code), {"ids": batch["ids"][:1]}))[0])[::-1]
    np.testing.assert_allclose(draws[3]["scores"][0], expected, rtol=1e-4, atol=1e-5)
    lists = {tuple(draw["item_ids"][0].tolist()) for draw in draws}
    assert len(lists) > 1
    for draw in draws:
        assert not set(draw["item_ids"][0].tolist()) & set(table.item_ids[table.row(0)].tolist())


@pytest.mark.parametrize("case", ["mult_vae", "auto_rec items", "cdae", "svae"])
def test_weights_of_half_the_size(tmp_path, case):
    table = interactions()
    model = fitted(case, table)
    sizes, overlaps = [], []
    for weights in ("float32", "bfloat16"):
        version = export_saved_model(model, tmp_path, table, weights=weights)
        sizes.append(sum(p.stat().st_size for p in (version / "variables").glob("*data*")))
        about = json.loads((version / "assets.extra" / "kerasrec.json").read_text())
        assert about["weights"] == weights
        overlaps.append(about.get(f"top_{N_ITEMS}_overlap"))
        answer = call(version, "score", **requests(model, table))["scores"]
        error = np.abs(answer - model_scores(model, table)).max()
        assert (error < 1e-5) == (weights == "float32")
        assert error < 0.05
    assert sizes[1] < 0.8 * sizes[0]
    assert overlaps == [None, 1.0]  # all of so small a catalogue
    with pytest.raises(ValueError, match="`weights` must be one of float32, bfloat16, not 'int8'"):
        export_saved_model(model, tmp_path, table, weights="int8")
    if case == "svae":
        with pytest.raises(ValueError, match="bfloat16 is measured on training users"):
            export_saved_model(model, tmp_path, table.item_ids, weights="bfloat16")


def test_the_overlap_is_counted_over_the_best_100(tmp_path):
    table = generate(n_users=300, n_items=400, seed=1)
    model = EASE.for_interactions(table, reg=20.0)
    model.fit(table, verbose=0)
    version = export_saved_model(model, tmp_path, table, weights="bfloat16")
    told = json.loads((version / "assets.extra" / "kerasrec.json").read_text())["top_100_overlap"]
    answers = np.full((table.n_users, int(table.counts.max())), -1)
    for user in range(table.n_users):
        answers[user, : table.counts[user]] = table.item_ids[table.row(user)]
    found = call(version, "serving_default", history=answers)["item_ids"]
    whole = model.recommend(table, k=100).item_ids
    expected = np.mean([np.isin(a, b).mean() for a, b in zip(whole, found, strict=True)])
    assert told == pytest.approx(expected, abs=1e-6)
    assert 0.9 < told < 1


def test_inputs_of_different_sizes_are_refused_in_the_graph(rated):
    version = rated[2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="`ratings` must have the shape of `history`"):
        call(version, "serving_default", history=[["a", "b"]], ratings=[[1]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`ratings` must have as many rows as `history`"):
        call(version, "serving_default", history=[["a"], ["b"]], ratings=[[1]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`k` must have as many rows as `history`"):
        call(version, "recommend", history=[["a"]], ratings=[[1]], k=[1, 2])


def test_users_known_and_unknown(as_user_model):
    model, table, version = as_user_model
    answering = model.as_user_model(table)
    stranger = np.asarray(answering({"ids": np.array([[-1]]), "row": np.array([-1])}))
    answer = call(version, "score", user_id=["nobody", "", table.user_ids[4]])
    np.testing.assert_allclose(answer["scores"][[0, 1]], np.repeat(stranger, 2, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer["scores"][2], model_scores(model, table)[4], rtol=1e-5, atol=1e-6)
    assert (answer["item_ids"][0] != "").all()


@pytest.mark.parametrize("text", [False, True])
def test_a_user_node_goes_with_the_history_of_the_request(tmp_path, text):
    table = interactions(text)
    model = fitted("cdae", table)
    version = export_saved_model(model, tmp_path, table)
    asked = loaded(version).signatures["serving_default"].structured_input_signature[1]
    assert {n: s.shape.as_list() for n, s in asked.items()} == {"history": [None, None], "user_id": [None]}
    known, stranger = table.user_ids[9], "nobody" if text else 10**9
    items = table.item_ids[[3, 8]].tolist()
    answer = call(version, "score", history=[items, items, items], user_id=[known, stranger, "" if text else -1])
    for row, expected in ((9, answer["scores"][0]), (-1, answer["scores"][1]), (-1, answer["scores"][2])):
        batch = {"ids": np.array([[3, 8]]), "row": np.array([row])}
        np.testing.assert_allclose(expected, np.asarray(model(batch))[0], rtol=1e-5, atol=1e-6)
    assert np.abs(answer["scores"][0] - answer["scores"][1]).max() > 1e-3
    direct = model.recommend(Interactions.from_histories([items], table, user_ids=[known]), k=N_ITEMS, train=table)
    np.testing.assert_array_equal(answer["item_ids"][0], direct.item_ids[0])  # only the request's items are left out
    assert set(answer["item_ids"][0][:-2]) == set(table.item_ids) - set(items)
    stored = {name: shape for name, shape in tf.train.list_variables(str(version / "variables" / "variables"))}
    assert [len(table)] not in stored.values()  # nobody's history is in the export
    with pytest.raises(ValueError, match="learned from 60 users, not 59: give the table it learned from"):
        export_saved_model(model, tmp_path, table.take_users(np.arange(59)))
    with pytest.raises(ValueError, match="CDAE is asked by user: `items` must be the training Interactions"):
        export_saved_model(model, tmp_path, table.item_ids)


def test_answers_are_shorter_than_top_k_where_the_catalogue_is(tmp_path, ease):
    model, table, _ = ease
    version = export_saved_model(model, tmp_path, table, top_k=N_ITEMS + 5)
    assert call(version, "serving_default", history=[[7]])["item_ids"].shape == (1, N_ITEMS)
    version = export_saved_model(model, tmp_path, table, top_k=3)
    assert call(version, "serving_default", history=[[7]])["item_ids"].shape == (1, 3)


def test_a_plain_array_of_ids_does_for_models_of_histories(tmp_path, ease):
    model, table, version = ease
    other = export_saved_model(model, tmp_path, table.item_ids.tolist())
    request = requests(model, table)
    np.testing.assert_array_equal(
        call(other, "serving_default", **request)["item_ids"], call(version, "serving_default", **request)["item_ids"]
    )


def test_answers_are_float32_under_mixed_precision(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        table = interactions()
        model = fitted("mult_vae", table)
        version = export_saved_model(model, tmp_path, table)
        expected = model_scores(model, table)
    finally:
        keras.config.set_dtype_policy(before)
    answer = call(version, "score", **requests(model, table))
    assert answer["scores"].dtype == answer["top_k_scores"].dtype == np.float32
    np.testing.assert_allclose(answer["scores"], expected, rtol=1e-5, atol=1e-5)


def test_versions_count_up_and_are_never_overwritten(tmp_path, ease):
    model, table, _ = ease
    folder = tmp_path / "a" / "model"
    assert export_saved_model(model, folder, table) == folder / "1"
    assert export_saved_model(model, folder, table, version=20261121) == folder / "20261121"
    assert export_saved_model(model, str(folder), table) == folder / "20261122"
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    with pytest.raises(FileExistsError, match=r"^version 1 is already in .*: give another `version`, or none"):
        export_saved_model(model, folder, table, version=1)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    # TF Serving often runs as another user.
    for p in (folder / "1", folder / "1" / "saved_model.pb"):
        assert p.stat().st_mode & stat.S_IROTH


@pytest.mark.parametrize("step", ["save", "warmup"])
def test_a_failure_leaves_nothing_behind(tmp_path, ease, monkeypatch, step):
    model, table, _ = ease

    def fail(*_):
        raise OSError("disk full")

    if step == "save":
        monkeypatch.setattr(tf.saved_model, "save", fail)
    else:
        monkeypatch.setattr(saved_model, "_write_warmup", fail)
    with pytest.raises(OSError, match="disk full"):
        export_saved_model(model, tmp_path / "new", table)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old" / "1").mkdir(parents=True)
    with pytest.raises(OSError, match="disk full"):
        export_saved_model(model, tmp_path / "old", table)
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["1"]


def test_who_comes_first_has_the_version(tmp_path, ease, monkeypatch):
    """Another export takes the number while this one is writing."""
    model, table, _ = ease
    write = saved_model._write_warmup

    def race(file, examples):
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "saved_model.pb").touch()
        write(file, examples)

    monkeypatch.setattr(saved_model, "_write_warmup", race)
    with pytest.raises(FileExistsError, match="version 1 is already in"):
        export_saved_model(model, tmp_path, table)
    assert [p.name for p in tmp_path.iterdir()] == ["1"]
    assert [p.name for p in (tmp_path / "1").iterdir()] == ["saved_model.pb"]


def test_a_reader_never_sees_half_a_version(tmp_path, ease):
    model, table, _ = ease
    whole = {"saved_model.pb", "variables", "assets", "assets.extra", "fingerprint.pb"}
    halves, sightings, done = [], set(), threading.Event()

    def watch():
        while not done.is_set():
            for version in filter(lambda p: p.name.isdecimal(), tmp_path.iterdir()):
                sightings.add(version.name)
                there = {p.name for p in version.iterdir()}
                if there != whole or not (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size:
                    halves.append(there)

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        for _ in range(3):
            export_saved_model(model, tmp_path, table)
    finally:
        done.set()
        reader.join()
    assert {"1", "2"} <= sightings
    assert halves == []


@pytest.mark.parametrize("which", ["rated", "as_user_model", "ease"])
def test_warmup_requests_cover_every_signature(which, request):
    version = request.getfixturevalue(which)[2]
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    asked = [PredictionLog.FromString(r.numpy()).predict_log.request for r in records]
    assert [r.model_spec.signature_name for r in asked] == ["serving_default", "recommend", "score"]
    for r in asked:
        assert r.model_spec.name == version.parent.name
        inputs = {name: tf.make_ndarray(proto) for name, proto in r.inputs.items()}
        answer = call(version, r.model_spec.signature_name, **inputs)
        assert all(len(array) == 1 for array in answer.values())


def test_metadata(tmp_path, as_user_model):
    model, table, _ = as_user_model
    version = export_saved_model(model, tmp_path, table, metadata={"protocol": "é", "metrics": {"rmse": 0.9}})
    about = json.loads((version / "assets.extra" / "kerasrec.json").read_text(encoding="utf-8"))
    assert about["model"] == "AutoRec"
    assert about["config"]["rows"] == "items"
    assert (about["n_items"], about["n_users"], about["top_k"]) == (N_ITEMS, N_USERS, N_ITEMS)
    assert about["serving_inputs"] == ["user_id"]
    assert about["data"] == repr(table)
    assert about["protocol"] == "é"
    assert about["metrics"] == {"rmse": 0.9}
    assert (version / "assets" / "item_ids.txt").read_text(encoding="utf-8").splitlines() == table.item_ids.tolist()
    assert sorted(p.name for p in (version / "assets").iterdir()) == ["item_ids.txt", "user_ids.txt"]


def test_ids_keep_their_blanks_and_tabs(tmp_path):
    ids = [" a", "a", "a ", "a\tb", "é", "-1"]
    model = Popularity(len(ids))
    model.fit(np.eye(len(ids)), verbose=0)
    version = export_saved_model(model, tmp_path, ids)
    for item in ids:
        got = call(version, "serving_default", history=[[item]])["item_ids"][0]
        assert set(got) == {*ids, ""} - {item}


BAD_IDS = {
    "line break": (["a", "b\nc"], r"^item id 'b\\nc' \(number 1\) holds a line break"),
    "carriage return": (["a\r", "b"], r"holds a line break"),
    "empty": (["a", ""], "'' cannot be the id of an item .*: it stands for padding"),
    "minus one": ([-1, 4], "-1 cannot be the id of an item"),
    "repeated": (["a", "a"], "item ids must be distinct: 1 are repeated"),
    "floats": ([1.5, 2.0], "item ids must be a flat array of integers or strings, not float64"),
    "too many": ([1, 2, 3], "`items` holds 3 items, the model was made for 2"),
}


@pytest.mark.parametrize("ids, message", BAD_IDS.values(), ids=BAD_IDS)
def test_ids_that_cannot_be_exported(tmp_path, ids, message):
    model = Popularity(2)
    model.fit(np.eye(2), verbose=0)
    with pytest.raises(ValueError, match=message):
        export_saved_model(model, tmp_path / "x", ids)
    assert list(tmp_path.iterdir()) == []


def test_what_else_cannot_be_exported(tmp_path, as_user_model, ease):
    model, table, _ = ease
    with pytest.raises(ValueError, match="EASE has no weights yet: fit it or load it"):
        export_saved_model(EASE(N_ITEMS), tmp_path, table)
    with pytest.raises(ValueError, match="AutoRec is asked by user: `items` must be the training Interactions"):
        export_saved_model(as_user_model[0], tmp_path, table.item_ids)
    with pytest.raises(ValueError, match="`top_k`: expected at least 1, got 0"):
        export_saved_model(model, tmp_path, table, top_k=0)
    with pytest.raises(ValueError, match="`version` must not be negative, not -1"):
        export_saved_model(model, tmp_path, table, version=-1)
    with pytest.raises(ValueError, match="`metadata` must hold JSON values: .*float32"):
        export_saved_model(model, tmp_path, table, metadata={"rmse": np.float32(1)})
    assert list(tmp_path.iterdir()) == []


def test_the_model_goes_on_working(ease):
    _, table, _ = ease
    model = fitted("mult_vae", table)
    before = model.recommend(table, k=3)
    history = model.fit(table, epochs=1, batch_size=20, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert before.item_ids.shape == (N_USERS, 3)
