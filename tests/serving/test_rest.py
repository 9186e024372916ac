"""The REST form: what it answers, and what it says to what it cannot."""

import base64
import http.client
import json
import socket

import numpy as np
import pytest
from kerasrec_testing.served import export, model, table

from kerasrec.serving import Client, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("rest") / "films"
    export(path, 1)
    export(path, 2, seed=2)
    with Server(path, port=0, rest_port=0, max_request_bytes=100_000) as running:
        yield running


def call(server, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    connection.request(method, path, body)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if "json" in response.getheader("content-type") else text.decode()


def predict(server, body, path="/v1/models/films:predict"):
    return call(server, "POST", path, body)


def rows():
    return [(table().item_ids[table().row(u)].tolist(), row_values(u).tolist()) for u in range(table().n_users)]


def row_values(user):
    return table().values[table().indptr[user] : table().indptr[user + 1]]


def test_rows_and_columns_answer_as_grpc_and_the_model(server):
    expected = model(2).recommend(table(), k=4)
    width = int(table().counts.max())
    padded = [(h + [""] * (width - len(h)), r + [0] * (width - len(h))) for h, r in rows()]
    code, by_row = predict(server, {"instances": [{"history": h, "ratings": r} for h, r in padded]})
    assert code == 200
    columns = {"history": [h for h, _ in padded], "ratings": [r for _, r in padded]}
    code, by_column = predict(server, {"inputs": columns})
    assert code == 200
    np.testing.assert_array_equal([row["item_ids"] for row in by_row["predictions"]], expected.item_ids)
    np.testing.assert_array_equal(by_column["outputs"]["item_ids"], expected.item_ids)
    np.testing.assert_allclose(by_column["outputs"]["scores"], expected.scores, rtol=1e-5)
    assert [row["scores"] for row in by_row["predictions"]] == by_column["outputs"]["scores"]
    with Client(f"127.0.0.1:{server.port}", model="films") as client:
        grpc_ids, grpc_scores = client.recommend([h for h, _ in rows()], 4, ratings=[r for _, r in rows()])
    np.testing.assert_array_equal(grpc_ids, expected.item_ids)
    np.testing.assert_allclose(by_column["outputs"]["scores"], grpc_scores, rtol=1e-5)


def test_each_signature_and_encoding(server):
    asked = {
        "history": ["i1", ""],
        "ratings": [5, 0.0],
        "k": 2,
        "exclude": ["i2"],
        "candidates": ["i2", "i3", "i4", ""],
    }
    code, answer = predict(server, {"signature_name": "recommend", "instances": [asked]})
    assert code == 200
    assert sorted(answer["predictions"][0]["item_ids"]) == ["i3", "i4"]
    asked["history"] = [{"b64": base64.b64encode(b"i1").decode()}, ""]
    assert predict(server, {"signature_name": "recommend", "instances": [asked]}) == (code, answer)
    asked["k"] = 6  # more than are allowed: -Infinity, as TF Serving writes it
    _, longer = predict(server, {"signature_name": "recommend", "instances": [asked]})
    assert longer["predictions"][0]["item_ids"][2:] == [""] * 4
    assert longer["predictions"][0]["scores"][2:] == [float("-inf")] * 4
    code, answer = predict(server, {"signature_name": "score", "inputs": {"history": [[]], "ratings": [[]]}})
    assert (code, np.shape(answer["outputs"]["scores"])) == (200, (1, 12))


def test_status_and_metadata(server):
    code, told = call(server, "GET", "/v1/models/films")
    state = {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert (code, told) == (200, {"model_version_status": [state]})
    assert call(server, "GET", "/v1/models/films/versions/2") == (code, told)
    code, told = call(server, "GET", "/v1/models/films/metadata")
    assert told["model_spec"] == {"name": "films", "signature_name": "", "version": "2"}
    inputs = told["metadata"]["signature_def"]["signature_def"]["recommend"]["inputs"]
    assert sorted(inputs) == ["candidates", "exclude", "history", "k", "ratings"]
    assert inputs["history"]["dtype"] == "DT_STRING"


ONE = {"history": ["i1"], "ratings": [5]}
BAD = {
    "no JSON": ("{", "the body is not JSON"),
    "bytes": (b"\xff\xfe\x00", "the body is not JSON"),
    "deep": ("[" * 50_000, "the body is not JSON"),
    "a list": ("[]", "must be a JSON object with `instances` or `inputs`"),
    "neither": ({}, "either `instances` \\(rows\\) or `inputs` \\(columns\\)"),
    "both": ({"instances": [ONE], "inputs": {}}, "either `instances`"),
    "other field": ({"instances": [ONE], "colour": 1}, "no field `colour`"),
    "no rows": ({"instances": []}, "`instances` must be a list with at least one row"),
    "rows differ": ({"instances": [ONE, {"history": ["i1"]}]}, "row 1 has other fields than row 0"),
    "bare values": ({"instances": [["i1"]]}, "`instances` must hold objects with history, ratings"),
    "bare columns": ({"inputs": [["i1"]]}, "`inputs` must be an object with history, ratings"),
    "signature no text": ({"signature_name": 3, "instances": [ONE]}, "`signature_name` must be a string"),
    "no signature": ({"signature_name": "top", "instances": [ONE]}, "no signature 'top'"),
    "missing": ({"instances": [{"history": ["i1"]}]}, "input `ratings` of 'serving_default' is missing"),
    "unknown": ({"instances": [{**ONE, "age": 3}]}, "no input `age`"),
    "integers": ({"instances": [{**ONE, "history": [1]}]}, "`history` must hold strings, not 1"),
    "text": ({"instances": [{**ONE, "ratings": ["5"]}]}, '`ratings` must hold numbers, not "5"'),
    "true": ({"instances": [{**ONE, "ratings": [True]}]}, "`ratings` must hold numbers, not true"),
    "null": ({"instances": [{**ONE, "ratings": [None]}]}, "`ratings` must hold numbers, not null"),
    "no base64": ({"instances": [{**ONE, "history": [{"b64": "?"}]}]}, "`b64` that is not base64"),
    "surrogate": ('{"instances": [{"history": ["\\ud800"], "ratings": [1]}]}', "text that is no Unicode"),
    "rank 0": ({"instances": [{**ONE, "history": "i1"}]}, "`history` must have 2 dimensions, not 1"),
    "rank 3": ({"instances": [{**ONE, "history": [["i1"]]}]}, "`history` must have 2 dimensions, not more"),
    "ragged": ({"inputs": {"history": [["i1"], []], "ratings": [[1], [2]]}}, "`history` has rows of different lengths"),
    "lengths": ({"instances": [{**ONE, "ratings": [5, 1]}]}, "`ratings` must have the shape of `history`"),
    "NaN": ('{"instances": [{"history": ["i1"], "ratings": [NaN]}]}', "`ratings` must be finite"),
    "huge": ('{"instances": [{"history": ["i1"], "ratings": [1e400]}]}', "`ratings` must be finite"),
    "k huge": (
        {"signature_name": "recommend", "instances": [{**ONE, "k": 2**40, "exclude": [], "candidates": []}]},
        "`k` holds a number that is no int32",
    ),
    "k real": (
        {"signature_name": "recommend", "instances": [{**ONE, "k": 2.0, "exclude": [], "candidates": []}]},
        "`k` must hold integers, not 2.0",
    ),
    "k zero": (
        {"signature_name": "recommend", "instances": [{**ONE, "k": 0, "exclude": [], "candidates": []}]},
        "`k` must be between 1 and 12",
    ),
}


@pytest.mark.parametrize("body, message", BAD.values(), ids=BAD)
def test_a_bad_request_is_told_what_is_wrong(server, body, message):
    code, answer = predict(server, body)
    assert code == 400
    assert list(answer) == ["error"]
    with pytest.raises(ValueError, match=message):
        raise ValueError(answer["error"])


def test_what_is_not_there_is_404_and_what_is_too_long_413(server):
    for method, path in (
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/films:predict"),
        ("POST", "/v1/models/films"),
        ("POST", "/v1/models/songs:predict"),
        ("POST", "/v1/models/films/versions/1:predict"),
        ("POST", "/v1/models/films/versions/" + "9" * 40 + ":predict"),
        ("POST", "/v1/models/films/labels/stable:predict"),
        ("GET", "/v1/models/songs"),
    ):
        code, answer = call(server, method, path, {"instances": [ONE]} if method == "POST" else None)
        assert (code, list(answer)) == (404, ["error"]), path
    code, answer = predict(server, " " * 100_001)
    assert (code, answer["error"]) == (413, "the request is longer than 100,000 bytes")


def test_metrics(server):
    predict(server, {"instances": [ONE, ONE]})
    call(server, "GET", "/v1/models/made-up")
    code, text = call(server, "GET", "/metrics")
    assert code == 200
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    name = 'kerasrec_serving_seconds_count{method="Predict",model="films",protocol="rest",status="OK"}'
    assert float(found[name]) >= 1
    assert float(found['kerasrec_serving_users_total{model="films",signature="serving_default"}']) >= 2
    assert float(found["kerasrec_serving_queue"]) == 0
    assert "made-up" not in text
    assert call(server, "GET", "/monitoring/prometheus/metrics")[0] == 200


def test_slow_clients_hold_up_nobody(server):
    stalled = []
    for sent in (
        b"",
        b"POST /v1/mod",
        b"POST /v1/models/films:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{",
    ):
        for _ in range(100):
            stalled.append(socket.create_connection(("127.0.0.1", server.rest_port)))
            stalled[-1].sendall(sent)
    assert predict(server, {"instances": [ONE]})[0] == 200
    for connection in stalled:
        connection.close()
    assert predict(server, {"instances": [ONE]})[0] == 200


def test_a_taken_rest_port_is_said(server, tmp_path):
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.rest_port}.* another REST port"):
        Server(server.models._models["films"].config.base_path, port=0, rest_port=server.rest_port).start()
