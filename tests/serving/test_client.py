import json
import time
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import CASES, arguments_for

from kerasrec import EASE, ZOO, AutoRec, Interactions
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client, Server, ServingError

N_USERS, N_ITEMS = 500, 50


def interactions(text):
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.2)
    rating = rng.integers(1, 6, len(user))
    if text:
        return Interactions.from_arrays(np.char.add("u", user.astype(str)), np.char.add("ü", item.astype(str)), rating)
    return Interactions.from_arrays(user, item * 3, rating)


def arguments(model, table):
    """What the client must be told about all users of the table."""
    rows = [slice(*table.indptr[u : u + 2]) for u in range(table.n_users)]
    given = {
        "history": ("histories", [table.item_ids[table.items[row]].tolist() for row in rows]),
        "ratings": ("ratings", [table.values[row].tolist() for row in rows]),
        "user_id": ("user_ids", table.user_ids.tolist()),
    }
    return dict(given[name] for name in model.as_user_model(table).serving_inputs)


@pytest.fixture(scope="module", params=[(case, text) for case in CASES for text in (False, True)], ids=str)
def served(request, tmp_path_factory):
    case, text = request.param
    table = interactions(text)
    model = ZOO[CASES[case][0]].for_interactions(table, seed=1, **arguments_for(case, table))
    model.compile()
    model.fit(table, epochs=1, batch_size=50, verbose=0)
    path = tmp_path_factory.mktemp("served")
    export_saved_model(model, path, table)
    with Server(path, "m", port=0, rest_port=0) as server, Client(f"127.0.0.1:{server.port}", model="m") as client:
        yield model, table, client, path / "1", f"http://127.0.0.1:{server.rest_port}/v1/models/m:predict"


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A client of a model that takes histories with ratings, and the port of its server."""
    table = interactions(text=True)
    model = AutoRec.for_interactions(table, hidden_dims=(8,), seed=1)
    model.build()
    path = tmp_path_factory.mktemp("rated")
    export_saved_model(model, path, table)
    with Server(path, "m", port=0) as server, Client(f"127.0.0.1:{server.port}", model="m") as client:
        yield client


def test_the_served_top_10_is_the_models(served):
    model, table, client, *_ = served
    asked = arguments(model, table)
    item_ids, scores = client.recommend(**asked, k=10)
    expected = model.recommend(table, k=10)
    np.testing.assert_array_equal(item_ids, expected.item_ids)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-5, atol=1e-5)
    assert item_ids.dtype.kind == table.item_ids.dtype.kind
    for user in range(N_USERS):
        assert not np.isin(item_ids[user], table.item_ids[table.row(user)]).any()

    banned, allowed = item_ids[0, :2].tolist(), table.item_ids[::2].tolist()
    got, _ = client.recommend(**asked, k=10, exclude=banned, candidates=allowed)
    np.testing.assert_array_equal(got, model.recommend(table, k=10, exclude=banned, candidates=allowed).item_ids)

    one = {name: rows[7:8] for name, rows in asked.items()}
    np.testing.assert_array_equal(client.recommend(**one, k=10)[0], item_ids[7:8])
    full = client.score(**one)
    assert full.shape == (1, N_ITEMS)
    unseen = np.setdiff1d(np.arange(N_ITEMS), table.row(7))
    np.testing.assert_allclose(np.sort(full[0, unseen])[::-1][:10], scores[7], rtol=1e-5, atol=1e-5)


def columns(model, table, k):
    """The inputs of `recommend` for all users of the table."""
    width, text = int(table.counts.max()), table.item_ids.dtype.kind == "U"
    nothing = "" if text else -1
    names = {"histories": "history", "user_ids": "user_id"}
    blanks = {"history": nothing, "ratings": 0.0}
    inputs = {"k": [k] * N_USERS, "exclude": [[nothing]] * N_USERS, "candidates": [[nothing]] * N_USERS}
    for given, rows in arguments(model, table).items():
        name = names.get(given, given)
        inputs[name] = [row + [blanks[name]] * (width - len(row)) for row in rows] if name in blanks else rows
    return inputs


def test_rest_and_a_session_answer_as_the_model(served):
    model, table, _, version, url = served
    expected, inputs = model.recommend(table, k=10), columns(model, table, 10)
    body = json.dumps({"signature_name": "recommend", "inputs": inputs}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as response:
        told = json.load(response)["outputs"]
    np.testing.assert_array_equal(np.array(told["item_ids"]), expected.item_ids)
    np.testing.assert_allclose(np.array(told["scores"], float), expected.scores, rtol=1e-5, atol=1e-5)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(version)).signature_def["recommend"]
        feed = {graph.inputs[name].name: rows for name, rows in inputs.items()}
        item_ids, scores = session.run([graph.outputs["item_ids"].name, graph.outputs["scores"].name], feed)
    item_ids = np.char.decode(item_ids.astype(bytes), "utf-8") if item_ids.dtype == object else item_ids
    np.testing.assert_array_equal(item_ids, expected.item_ids)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-5, atol=1e-5)


def test_status_and_readiness(rated):
    rated.wait_until_ready(timeout=5)
    assert rated.status() == {1: "AVAILABLE"}


def test_errors_are_one_sentence(rated):
    with pytest.raises(ServingError, match=r"^127.0.0.1:\d+: `k` must be between 1 and 50, .* not 51$") as refused:
        rated.recommend([["ü1"]], ratings=[[5]], k=51)
    assert refused.value.code == grpc.StatusCode.INVALID_ARGUMENT
    with Client(rated.target, model="other") as other:
        with pytest.raises(ServingError, match="no model 'other' here: there is m") as refused:
            other.status()
        assert refused.value.code == grpc.StatusCode.NOT_FOUND
        with pytest.raises(TimeoutError, match="model 'other' at .* not ready after 0.2 s: .*no model 'other' here"):
            other.wait_until_ready(timeout=0.2)
    with Client("127.0.0.1:1", model="m") as nobody, pytest.raises(ServingError) as refused:
        nobody.status()
    assert refused.value.code == grpc.StatusCode.UNAVAILABLE
    assert str(refused.value) == "127.0.0.1:1: nothing listens there: is `kerasrec serve` or TF Serving running?"


@pytest.mark.parametrize(
    ("k", "message"), [(0, "`k`: expected at least 1, got 0"), (1.5, "`k`: expected an integer, got 1.5")]
)
def test_k_is_a_whole_number_from_1(rated, k, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        rated.recommend([["ü1"]], ratings=[[5]], k=k)


def test_candidates_hold_for_all_users(rated):
    with pytest.raises(ValueError, match="`candidates` must be one list of ids, which holds for all users"):
        rated.recommend([["ü1"]], ratings=[[5]], candidates=[["ü2", "ü3"]])


def test_a_client_follows_a_version_that_takes_something_else(tmp_path):
    table = interactions(text=True)
    ease = EASE(table.n_items, reg=10.0)
    ease.fit(table, verbose=0)
    export_saved_model(ease, tmp_path / "m", table)
    with Server(tmp_path / "m", "m", port=0, poll=0.1) as server, Client(server_at(server), model="m") as client:
        history, user = [["ü1", "ü2"]], ["u3"]
        assert set(client.takes()) == {"history"}
        client.recommend(history, k=2)
        rated = AutoRec.for_interactions(table, rows="items", hidden_dims=(4,), seed=1)
        rated.compile()
        rated.fit(table, epochs=1, verbose=0)
        export_saved_model(rated, tmp_path / "m", table)
        wait_for(lambda: client.status().get(2) == "AVAILABLE" and 1 not in available(client))
        ids, _ = client.recommend(user_ids=user, k=2)
        assert ids.shape == (1, 2)
        with pytest.raises(ValueError, match="model 'm' takes no `histories`"):
            client.recommend(history, k=2)
        assert set(client.takes()) == {"user_id"}


def available(client):
    return [version for version, state in client.status().items() if state == "AVAILABLE"]


def server_at(server):
    return f"127.0.0.1:{server.port}"


def wait_for(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_model_that_cannot_recommend_says_so(tmp_path):
    class Doubling(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def double(self, x):
            return {"twice": 2 * x}

    made = Doubling()
    tf.saved_model.save(made, str(tmp_path / "1"), signatures={"serving_default": made.double})
    with Server(tmp_path, "m", port=0) as server, Client(f"127.0.0.1:{server.port}", model="m") as client:
        for question in (client.takes, client.recommend, client.takes):
            with pytest.raises(ValueError, match=r"^model 'm' has no signature 'recommend': it has serving_default$"):
                question()


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"histories": [["ü1"]]}, "model 'm' needs `ratings`"),
        ({"ratings": [[1]]}, "model 'm' needs `histories`"),
        ({"histories": [["ü1"]], "ratings": [[1]], "user_ids": ["u1"]}, "model 'm' takes no `user_ids`"),
        ({"histories": [["ü1"]], "ratings": [[1, 2]]}, "`ratings` must hold one number for each item of `histories`"),
        ({"histories": [[7]], "ratings": [[1]]}, "`histories` must hold strings, as the model was trained on, not 7"),
        ({"histories": [["ü1"]], "ratings": [["1"]]}, "`ratings` must hold numbers, .* not '1'"),
        ({"histories": ["ü1"], "ratings": [[1, 2]]}, "`histories` must hold a list for each user, not 'ü1'"),
        ({"histories": [["ü1"]], "ratings": [1]}, "`ratings` must hold a list for each user, not 1"),
        ({"histories": [["ü1"]], "ratings": [[1]], "exclude": [3]}, "`exclude` must hold strings"),
    ],
)
def test_wrong_arguments_are_named(rated, asked, message):
    with pytest.raises(ValueError, match=message):
        rated.recommend(**asked)


def test_rows_of_any_length(rated):
    item_ids, scores = rated.recommend([[], ["ü1", "ü2", "ü3"], ["?"]], ratings=[[], [5, 1, 3], [2]], k=3)
    assert item_ids.shape == scores.shape == (3, 3)
    np.testing.assert_array_equal(item_ids[0], item_ids[2])
    assert rated.recommend([], ratings=[], k=3)[0].shape[0] == 0
    assert rated.score(np.array([["ü1", "ü2"]]), ratings=np.array([[5.0, 2.0]])).shape == (1, N_ITEMS)


def test_a_merged_batch_gives_everyone_their_own_answer(rated, monkeypatch):
    """TF Serving pads the shorter of two requests with its very first element and answers both as wide as the wider."""
    send = Client._predict
    monkeypatch.setattr(Client, "_predict", lambda c, s, inputs, *a: send(c, s, merged(inputs), *a))
    asked = ([["ü1", "ü2"], ["ü3", "ü4"]], 2, {"ratings": [[5, 1], [4, 2]]})

    def merged(inputs):
        def widened(array):
            return np.pad(array, [(0, 0), (0, 5)], constant_values=array.flat[0]) if array.ndim == 2 else array

        other = {"history": "ü9", "ratings": 1, "k": 6, "exclude": "ü8", "candidates": ""}
        return {
            name: np.concatenate([wide, np.full((1, *wide.shape[1:]), other[name], wide.dtype)])
            for name, wide in ((name, widened(array)) for name, array in inputs.items())
        }

    item_ids, scores = rated.recommend(asked[0], asked[1], **asked[2], exclude=["ü5"])
    monkeypatch.undo()
    alone, alone_scores = rated.recommend(asked[0], asked[1], **asked[2], exclude=["ü5"])
    assert item_ids.shape == (3, 2)
    np.testing.assert_array_equal(item_ids[:2], alone)
    np.testing.assert_allclose(scores[:2], alone_scores, rtol=1e-5, atol=1e-6)


def test_requests_are_plain_predict_requests(rated, monkeypatch):
    """Signature, dtypes and the padding in front, as another client of TF Serving would send them."""
    sent = []
    monkeypatch.setattr(rated, "_prediction", type("Stub", (), {"Predict": lambda _, r, timeout: sent.append(r)})())
    with pytest.raises(AttributeError):  # the stub answers nothing
        rated.recommend([["ü1"]], 3, ratings=[[5]])
    (asked,) = sent
    assert (asked.model_spec.name, asked.model_spec.signature_name) == ("m", "recommend")
    tensors = {name: tf.make_ndarray(proto).tolist() for name, proto in asked.inputs.items()}
    assert tensors == {
        "history": [[b"", "ü1".encode()]],
        "ratings": [[0.0, 5.0]],
        "k": [3],
        "exclude": [[b""]],
        "candidates": [[b""]],
    }
