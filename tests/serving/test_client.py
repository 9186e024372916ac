"""The client, with small models behind it."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.served import TIMEOUT, client_of, wait_until
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from kerasrec import EASE, AutoRec, Interactions
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client, Server, ServingError

N_USERS, N_ITEMS = 100, 50


def interactions():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.2)
    ratings = rng.integers(1, 6, len(user))
    return Interactions.from_arrays(np.char.add("u", user.astype(str)), np.char.add("ü", item.astype(str)), ratings)


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A client of a model with the inputs `history` and `ratings`."""
    table = interactions().with_titles({"ü0": "Tea", "ü1": "Jam"})
    model = AutoRec.for_interactions(table, rows="users", hidden_dims=(8,), seed=1)
    path = tmp_path_factory.mktemp("rated")
    export_saved_model(model, path, table)
    with Server(path, "m", port=0) as server, client_of(server, model="m") as client:
        yield client


def test_titles_of_items_come_from_the_server(rated):
    assert rated.titles([["ü1", "x", "ü0"], ["ü2", "", "ü0"]]).tolist() == [["Jam", "", "Tea"], ["", "", "Tea"]]
    assert rated.titles(np.array([["ü0"]])).tolist() == [["Tea"]]
    assert rated.titles([]).shape == (0,)
    with pytest.raises(ValueError, match="expected lists of one length as `item_ids`, got 1, 2"):
        rated.titles([["ü0"], ["ü0", "ü1"]])


def test_status_and_readiness(rated):
    rated.wait_until_ready(TIMEOUT)
    assert rated.status() == {1: "AVAILABLE"}


def test_an_error_contains_the_address_and_one_line(rated):
    with pytest.raises(ServingError, match=r"^127.0.0.1:\d+: .*`k`.* 1 .*50.* 51$") as rejected:
        rated.recommend([["ü1"]], ratings=[[5]], k=51)
    assert rejected.value.code == grpc.StatusCode.INVALID_ARGUMENT
    with Client(rated.target, model="other", timeout=TIMEOUT) as other:
        with pytest.raises(ServingError, match="model 'other' not found. Models: m") as rejected:
            other.status()
        assert rejected.value.code == grpc.StatusCode.NOT_FOUND
        with pytest.raises(TimeoutError, match="model 'other' at .* not ready after 0.2 s: .*'other' not found"):
            other.wait_until_ready(timeout=0.2)


def test_a_version_and_a_label_together_are_rejected():
    with pytest.raises(ValueError, match="expected `version` or `label`, got both: 1 and 'stable'"):
        Client(model="m", version=1, label="stable")


@pytest.mark.parametrize("k", [0, 1.5])
def test_k_is_a_whole_number_from_1(rated, k):
    with pytest.raises(ValueError, match=f"^`k`: expected .*, got {k}"):
        rated.recommend([["ü1"]], ratings=[[5]], k=k)


def test_candidates_are_one_list_for_all_users(rated):
    with pytest.raises(ValueError, match="expected one list of ids for all users as `candidates`, got a list for each"):
        rated.recommend([["ü1"]], ratings=[[5]], candidates=[["ü2", "ü3"]])


def test_a_client_adapts_to_a_version_with_other_inputs(tmp_path):
    table = interactions()
    ease = EASE(table.n_items, reg=10.0)
    ease.fit(table, verbose=0)
    export_saved_model(ease, tmp_path / "m", table)
    with Server(tmp_path / "m", "m", port=0, poll=0.1) as server, client_of(server, model="m") as client:
        history, user = [["ü1", "ü2"]], ["u3"]
        assert client.input_types() == {"history": "string"}
        client.recommend(history, k=2)
        auto_rec = AutoRec.for_interactions(table, rows="items", hidden_dims=(4,), seed=1)
        export_saved_model(auto_rec, tmp_path / "m", table)
        wait_until(lambda: client.status().get(2) == "AVAILABLE" and client.status()[1] != "AVAILABLE")
        ids, _ = client.recommend(user_ids=user, k=2)
        assert ids.shape == (1, 2)
        with pytest.raises(ValueError, match="model 'm' has no input for `histories`"):
            client.recommend(history, k=2)
        assert client.input_types() == {"user_id": "string"}


def test_a_model_without_recommend_is_reported(tmp_path):
    class Doubling(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def double(self, x):
            return {"twice": 2 * x}

    module = Doubling()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": module.double})
    with Server(tmp_path, "m", port=0) as server, client_of(server, model="m") as client:
        for method in (client.input_types, client.recommend, client.input_types):
            with pytest.raises(
                ValueError, match="^model 'm' has no signature 'recommend'. Signatures: serving_default$"
            ):
                method()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"histories": [["ü1"]]}, "model 'm' requires `ratings`"),
        ({"ratings": [[1]]}, "model 'm' requires `histories`"),
        ({"histories": [["ü1"]], "ratings": [[1]], "user_ids": ["u1"]}, "model 'm' has no input for `user_ids`"),
        ({"histories": [["ü1"]], "ratings": [[1, 2]]}, "one number in `ratings` for each item in `histories`"),
        ({"histories": [[7]], "ratings": [[1]]}, "expected strings in `histories`, as in the training data, got 7"),
        ({"histories": [["ü1"]], "ratings": [["1"]]}, "expected numbers in `ratings`, .* got '1'"),
        ({"histories": ["ü1"], "ratings": [[1, 2]]}, "expected a list for each user in `histories`, got 'ü1'"),
        ({"histories": [["ü1"]], "ratings": [1]}, "expected a list for each user in `ratings`, got 1"),
        ({"histories": [["ü1"]], "ratings": [[1]], "exclude": [3]}, "expected strings in `exclude`"),
    ],
)
def test_an_error_names_the_invalid_argument(rated, arguments, message):
    with pytest.raises(ValueError, match=message):
        rated.recommend(**arguments)


def test_rows_of_any_length(rated):
    item_ids, scores = rated.recommend([[], ["ü1", "ü2", "ü3"], ["?"]], ratings=[[], [5, 1, 3], [2]], k=3)
    assert item_ids.shape == scores.shape == (3, 3)
    np.testing.assert_array_equal(item_ids[0], item_ids[2])
    assert rated.recommend([], ratings=[], k=3)[0].shape[0] == 0
    assert rated.score(np.array([["ü1", "ü2"]]), ratings=np.array([[5.0, 2.0]])).shape == (1, N_ITEMS)


def test_a_batch_merged_by_tf_serving_returns_the_separate_answers(rated, monkeypatch):
    """TF Serving pads each tensor with its first element, and returns the largest k of the batch."""
    predict = Client._predict
    padding_columns = 5
    other_user = {"history": "ü9", "ratings": 1, "k": 6, "exclude": "ü8", "candidates": ""}

    def merged(inputs):
        batch = {}
        for name, array in inputs.items():
            if array.ndim == 2:
                array = np.pad(array, [(0, 0), (0, padding_columns)], constant_values=array.flat[0])
            other_row = np.full((1, *array.shape[1:]), other_user[name], array.dtype)
            if array.ndim == 2:
                other_row[:, 0] = array.flat[0]  # padding, with which each row starts
            batch[name] = np.concatenate([array, other_row])
        return batch

    def ask():
        return rated.recommend([["ü1", "ü2"], ["ü3", "ü4"]], 2, ratings=[[5, 1], [4, 2]], exclude=["ü5"])

    monkeypatch.setattr(Client, "_predict", lambda client, name, inputs, *a: predict(client, name, merged(inputs), *a))
    item_ids, scores = ask()
    monkeypatch.undo()
    separate_ids, separate_scores = ask()
    assert item_ids.shape == (3, 2)
    np.testing.assert_array_equal(item_ids[:2], separate_ids)
    np.testing.assert_allclose(scores[:2], separate_scores, rtol=1e-5, atol=1e-6)


def test_a_request_is_a_plain_predict_request(rated, monkeypatch):
    """Its signature, dtypes and front padding are those of any client of TF Serving."""
    rated.input_types()  # caches the signatures
    requests = []

    def call(stub, method, request):
        requests.append(request)
        outputs = {"item_ids": tf.make_tensor_proto([["ü2"]]), "scores": tf.make_tensor_proto([[1.0]])}
        return PredictResponse(outputs=outputs)

    monkeypatch.setattr(rated._connection, "call", call)
    rated.recommend([["ü1"]], 3, ratings=[[5]])
    (request,) = requests
    assert (request.model_spec.name, request.model_spec.signature_name) == ("m", "recommend")
    tensors = {name: tf.make_ndarray(proto).tolist() for name, proto in request.inputs.items()}
    assert tensors == {
        "history": [[b"", "ü1".encode()]],
        "ratings": [[0.0, 5.0]],
        "k": [3],
        "exclude": [[b""]],
        "candidates": [[b""]],
    }
