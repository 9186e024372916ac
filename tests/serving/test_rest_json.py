"""JSON bodies of predict requests: their arrays, and the errors of invalid ones."""

import base64
import http.client
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.served import TIMEOUT, export_version

from kerasrec.serving import Server
from kerasrec.serving.errors import RequestError
from kerasrec.serving.rest_json import parse_body, predict_json, read_arrays
from kerasrec.serving.servable import Servable
from kerasrec.serving.tensors import with_front_padding


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export_version(tmp_path_factory.mktemp("json") / "films", 1)


@pytest.fixture(scope="module")
def servable(folder):
    return Servable(folder)


def answer(servable, body):
    """The JSON of the response to a body; checks and runs it as the server does."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    fields = parse_body(body)
    signature = fields.get("signature_name") or "serving_default"
    inputs = with_front_padding(read_arrays(servable, signature, fields))
    servable.check(signature, inputs)
    return json.loads(predict_json(servable.run(signature, inputs), "instances" in fields))


QUESTION = {
    "history": ["i1", ""],
    "ratings": [5, 0.0],
    "k": 2,
    "exclude": ["i2"],
    "candidates": ["i2", "i3", "i4", ""],
}


def test_a_row_of_recommend(servable):
    (row,) = answer(servable, {"signature_name": "recommend", "instances": [QUESTION]})["predictions"]
    assert sorted(row["item_ids"]) == ["i3", "i4"]


def test_base64_is_decoded(servable):
    encoded = {**QUESTION, "history": [{"b64": base64.b64encode(b"i1").decode()}, ""]}
    answers = [answer(servable, {"signature_name": "recommend", "instances": [q]}) for q in (QUESTION, encoded)]
    assert answers[0] == answers[1]


def test_examples_are_base64(servable):
    text = {"history": ["i1", "i2"], "exclude": ["i3"]}
    feature = {name: tf.train.Feature(bytes_list={"value": [i.encode() for i in ids]}) for name, ids in text.items()}
    feature["ratings"] = tf.train.Feature(float_list={"value": [5, 1]})
    feature["k"] = tf.train.Feature(int64_list={"value": [3]})
    example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    encoded = {"b64": base64.b64encode(example).decode()}
    question = {"history": ["i1", "i2"], "ratings": [5, 1], "k": 3, "exclude": ["i3"], "candidates": []}
    (expected,) = answer(servable, {"signature_name": "recommend", "instances": [question]})["predictions"]
    for instances in ([encoded], [{"examples": encoded}]):
        (row,) = answer(servable, {"signature_name": "examples", "instances": instances})["predictions"]
        assert row == expected
    assert (row["n_known"], row["n_valid"]) == (2, 3)


def test_answers_are_strict_json(servable):
    """Lists with places without items, and the scores of all items."""

    def reject(constant):
        raise AssertionError(f"{constant} is not JSON")

    for signature in ("recommend", "score"):
        question = {**QUESTION, "k": 12}
        if signature == "score":
            question = {name: question[name] for name in ("history", "ratings")}
        body = json.dumps({"signature_name": signature, "instances": [question]}).encode()
        inputs = with_front_padding(read_arrays(servable, signature, parse_body(body)))
        json.loads(predict_json(servable.run(signature, inputs), by_row=True), parse_constant=reject)


def test_a_list_that_is_shorter_than_k_is_padded(servable):
    (row,) = answer(servable, {"signature_name": "recommend", "instances": [{**QUESTION, "k": 6}]})["predictions"]
    assert row["item_ids"][2:] == [""] * 4
    assert row["scores"][2:] == [np.finfo(np.float32).min] * 4
    assert row["n_valid"] == 2


def test_an_empty_history_in_column_format(servable):
    outputs = answer(servable, {"signature_name": "score", "inputs": {"history": [[]], "ratings": [[]]}})["outputs"]
    assert np.shape(outputs["scores"]) == (1, 12)


def test_the_only_output_has_no_name():
    scores = {"scores": np.array([[1.0, 2.0]])}
    assert json.loads(predict_json(scores, by_row=True)) == {"predictions": [[1.0, 2.0]]}
    assert json.loads(predict_json(scores, by_row=False)) == {"outputs": [[1.0, 2.0]]}


def test_binary_outputs_are_base64():
    outputs = {"code_bytes": np.array([b"\xff"], object), "text": np.array([b"i1"], object)}
    assert json.loads(predict_json(outputs, by_row=True)) == {
        "predictions": [{"code_bytes": {"b64": "/w=="}, "text": "i1"}]
    }


def test_unknown_fields_of_the_body_and_unknown_columns_are_ignored(servable):
    """As in TF Serving; unknown fields of a row are rejected."""
    columns = {"history": [["i1"]], "ratings": [[5]]}
    expected = answer(servable, {"inputs": columns})
    assert answer(servable, {"inputs": {**columns, "age": [3]}, "colour": 1}) == expected


ROW = {"history": ["i1"], "ratings": [5]}
OPTIONS = {"exclude": [], "candidates": []}
INVALID = {
    "not JSON": ("{", "the body is not valid JSON"),
    "bytes": (b"\xff\xfe\x00", "the body is not valid JSON"),
    "deep": ("[" * 50_000, "the body is not valid JSON"),
    "a list": ("[]", "expected a JSON object in the body, got \\[\\]"),
    "neither": ({}, "either `instances` \\(rows\\) or `inputs` \\(columns\\) in the body, got neither"),
    "both": ({"instances": [ROW], "inputs": {}}, "either `instances` .*, got both"),
    "no rows": ({"instances": []}, "expected `instances` as a list with at least one row"),
    "rows differ": ({"instances": [ROW, {"history": ["i1"]}]}, "the fields of row 0 .*, got others in row 1"),
    "bare values": ({"instances": [["i1"]]}, "expected `instances` as a list of objects with history, ratings"),
    "bare columns": ({"inputs": [["i1"]]}, "expected `inputs` as an object with history, ratings"),
    "signature not text": ({"signature_name": 3, "instances": [ROW]}, "expected a string as `signature_name`, got 3"),
    "unknown signature": ({"signature_name": "top", "instances": [ROW]}, "signature 'top' not found"),
    "missing": ({"instances": [{"history": ["i1"]}]}, "input `ratings` of 'serving_default' is missing"),
    "unknown": ({"instances": [{**ROW, "age": 3}]}, "no input `age`"),
    "integers": ({"instances": [{**ROW, "history": [1]}]}, "expected strings in `history`, got 1"),
    "text": ({"instances": [{**ROW, "ratings": ["5"]}]}, 'expected numbers in `ratings`, got "5"'),
    "true": ({"instances": [{**ROW, "ratings": [True]}]}, "expected numbers in `ratings`, got true"),
    "null": ({"instances": [{**ROW, "ratings": [None]}]}, "expected numbers in `ratings`, got null"),
    "not base64": ({"instances": [{**ROW, "history": [{"b64": "?"}]}]}, "expected base64 in `history`"),
    "surrogate": ('{"instances": [{"history": ["\\ud800"], "ratings": [1]}]}', "not valid JSON: no low surrogate"),
    "rank 0": ({"instances": [{**ROW, "history": "i1"}]}, "expected `history` with 2 dimensions, got 1"),
    "rank 3": ({"instances": [{**ROW, "history": [["i1"]]}]}, "expected `history` with 2 dimensions, got more"),
    "ragged": (
        {"inputs": {"history": [["i1"], []], "ratings": [[1], [2]]}},
        "expected rows of one length in `history`, got 1 and 0. Fix: pad ids",
    ),
    "lengths": ({"instances": [{**ROW, "ratings": [5, 1]}]}, "expected `ratings` with the shape of `history`"),
    "k huge": (
        {"signature_name": "recommend", "instances": [{**ROW, **OPTIONS, "k": 2**40}]},
        "expected int32 in `k`, got a larger number",
    ),
    "k real": (
        {"signature_name": "recommend", "instances": [{**ROW, **OPTIONS, "k": 2.0}]},
        "expected integers in `k`, got 2.0",
    ),
}


@pytest.mark.parametrize("body, message", INVALID.values(), ids=INVALID)
def test_an_invalid_body_is_rejected_with_the_name_of_its_field(servable, body, message):
    with pytest.raises(RequestError, match=message) as rejected:
        answer(servable, body)
    assert rejected.value.code == grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def connection(folder):
    with Server(folder.parent, port=0, rest_port=0) as server:
        open_connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)
        yield open_connection
        open_connection.close()


def post(connection, body):
    """Status code and JSON of the response."""
    connection.request("POST", "/v1/models/films:predict", body)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "the body is not valid JSON"),
        ("[" * 50_000, "the body is not valid JSON"),
        ('{"instances": [{"history": ["i1"], "ratings": [NaN]}]}', "the body is not valid JSON"),
        ('{"instances": [{"history": ["i1"], "ratings": [1e39]}]}', "`ratings`.*finite"),
        (json.dumps({"signature_name": "recommend", "instances": [{**ROW, **OPTIONS, "k": 0}]}), "`k`.* 1 .*12"),
    ],
    ids=["not JSON", "deep", "NaN", "infinite", "k zero"],
)
def test_an_invalid_body_is_400_over_http(connection, body, message):
    code, answer = post(connection, body)
    assert (code, list(answer)) == (400, ["error"])
    with pytest.raises(ValueError, match=message):
        raise ValueError(answer["error"])
