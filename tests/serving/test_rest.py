"""The REST protocol over HTTP: paths, status codes, metrics and slow connections."""

import http.client
import json
import socket

import numpy as np
import pytest
from kerasrec_testing.served import TIMEOUT, client_of, export_version, history_of, model, ratings_of, table

from kerasrec.serving import Server

ROW = {"history": ["i1"], "ratings": [5]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("rest") / "films"
    export_version(path, 1)
    export_version(path, 2, seed=2)
    with Server(path, port=0, rest_port=0, max_request_bytes=100_000) as running:
        yield running


def call(server, method, path, body=None):
    """Status code, and the JSON or the text of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    connection.request(method, path, body)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if "json" in response.getheader("content-type") else text.decode()


def predict(server, body, path="/v1/models/films:predict"):
    return call(server, "POST", path, body)


def test_rows_and_columns_have_the_answers_of_grpc_and_of_the_model(server):
    expected = model(2).recommend(table(), k=4)
    width = int(table().counts.max())
    histories = [history_of(user) for user in range(table().n_users)]
    ratings = [ratings_of(user).tolist() for user in range(table().n_users)]
    columns = {
        "history": [ids + [""] * (width - len(ids)) for ids in histories],
        "ratings": [values + [0] * (width - len(values)) for values in ratings],
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    code, by_row = predict(server, {"instances": rows})
    assert code == 200
    code, by_column = predict(server, {"inputs": columns})
    assert code == 200
    np.testing.assert_array_equal([row["item_ids"] for row in by_row["predictions"]], expected.item_ids)
    np.testing.assert_array_equal(by_column["outputs"]["item_ids"], expected.item_ids)
    np.testing.assert_allclose(by_column["outputs"]["scores"], expected.scores, rtol=1e-5)
    assert [row["scores"] for row in by_row["predictions"]] == by_column["outputs"]["scores"]
    with client_of(server) as client:
        grpc_ids, grpc_scores = client.recommend(histories, 4, ratings=ratings)
    np.testing.assert_array_equal(grpc_ids, expected.item_ids)
    np.testing.assert_allclose(by_column["outputs"]["scores"], grpc_scores, rtol=1e-5)


def test_status_and_metadata(server):
    code, status = call(server, "GET", "/v1/models/films")
    state = {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert (code, status) == (200, {"model_version_status": [state]})
    assert call(server, "GET", "/v1/models/films/versions/2") == (code, status)
    code, metadata = call(server, "GET", "/v1/models/films/metadata")
    assert metadata["model_spec"] == {"name": "films", "signature_name": "", "version": "2"}
    inputs = metadata["metadata"]["signature_def"]["signature_def"]["recommend"]["inputs"]
    assert sorted(inputs) == ["candidates", "exclude", "history", "k", "ratings"]
    assert inputs["history"]["dtype"] == "DT_STRING"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/films:predict"),
        ("POST", "/v1/models/films"),
        ("POST", "/v1/models/songs:predict"),
        ("POST", "/v1/models/films/versions/1:predict"),
        ("POST", "/v1/models/films/versions/" + "9" * 40 + ":predict"),
        ("POST", "/v1/models/films/labels/stable:predict"),
        ("GET", "/v1/models/songs"),
    ],
)
def test_an_unknown_path_model_or_version_is_404(server, method, path):
    code, answer = call(server, method, path, {"instances": [ROW]} if method == "POST" else None)
    assert (code, list(answer)) == (404, ["error"])


def test_a_body_above_the_size_limit_is_413(server):
    code, answer = predict(server, " " * 100_001)
    assert (code, answer["error"]) == (413, "the request is longer than 100,000 bytes")


def test_metrics_count_requests_users_and_the_queue(server):
    predict(server, {"instances": [ROW, ROW]})
    call(server, "GET", "/v1/models/made-up")
    code, text = call(server, "GET", "/metrics")
    assert code == 200
    metrics = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    name = 'kerasrec_serving_seconds_count{method="Predict",model="films",protocol="rest",status="OK"}'
    assert float(metrics[name]) >= 1
    assert float(metrics['kerasrec_serving_users_total{model="films",signature="serving_default"}']) >= 2
    assert float(metrics["kerasrec_serving_queue"]) == 0
    assert "made-up" not in text
    assert call(server, "GET", "/monitoring/prometheus/metrics")[0] == 200


def test_incomplete_requests_do_not_delay_others(server):
    connections = []
    for start_of_request in (
        b"",
        b"POST /v1/mod",
        b"POST /v1/models/films:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{",
    ):
        for _ in range(100):
            connections.append(socket.create_connection(("127.0.0.1", server.rest_port)))
            connections[-1].sendall(start_of_request)
    assert predict(server, {"instances": [ROW]})[0] == 200
    for connection in connections:
        connection.close()
    assert predict(server, {"instances": [ROW]})[0] == 200
