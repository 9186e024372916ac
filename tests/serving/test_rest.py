"""The REST protocol over HTTP: paths, status codes, metrics and slow connections."""

import base64
import gzip
import http.client
import json
import socket

import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.served import TIMEOUT, client_of, export_version, history_of, model, ratings_of, table

from kerasrec.serving import Client, Limits, Server, ServingError

ROW = {"history": ["i1"], "ratings": [5]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("rest") / "films"
    export_version(path, 1)
    export_version(path, 2, seed=2)
    with Server(path, port=0, rest_port=0, limits=Limits(max_request_bytes=100_000)) as running:
        yield running


def call(server, method, path, body=None, headers={}):  # noqa: B006 (it is not changed)
    """Status code, and the JSON or the text of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    connection.request(method, path, body, headers)
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
        "history": [[""] * (1 + width - len(ids)) + ids for ids in histories],
        "ratings": [[0] * (1 + width - len(values)) + values for values in ratings],
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


ONE_ROW = {"instances": [ROW]}


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("GET", "/", 404, "/ not found"),
        ("GET", "/v2/models/films", 404, "/v2/models/films not found"),
        ("GET", "/v1/films", 400, "Malformed request: GET /v1/films"),
        ("GET", "/v1/models/films/", 400, "Malformed request: GET /v1/models/films/"),
        ("GET", "/v1/models/films/versions/two", 400, "Malformed request: GET /v1/models/films/versions/two"),
        ("POST", "/v1/models/films:rank", 400, "Malformed request: POST /v1/models/films:rank"),
        ("GET", "/v1/models/films:predict", 400, "Malformed request: GET /v1/models/films:predict"),
        ("POST", "/v1/models/films", 400, "Malformed request: POST /v1/models/films"),
        ("PUT", "/v1/models/films:predict", 400, "Malformed request: PUT /v1/models/films:predict"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/versions/1", 400, "Missing model name in request."),
        ("POST", "/v1/models/films/labels/stable:predict", 400, "Unrecognized servable version label: stable"),
        ("POST", "/v1/models/songs:predict", 404, "model 'songs' not found"),
        ("POST", "/v1/models/films/versions/1:predict", 404, "version 1 of model 'films' not found"),
        ("GET", "/v1/models/songs", 404, "model 'songs' not found"),
        ("GET", "/v1/models/so%6Egs/metadata", 404, "model 'songs' not found"),
        ("GET", "/v1/models/50%2525", 404, "model '50%25' not found"),
    ],
    ids=str,
)
def test_an_invalid_path_has_the_status_and_message_of_tf_serving(server, method, path, code, message):
    answer_code, answer = call(server, method, path, ONE_ROW if method != "GET" else None)
    assert (answer_code, list(answer)) == (code, ["error"])
    assert answer["error"].startswith(message)


@pytest.mark.parametrize("n_digits", [19, 20, 5000])
def test_a_version_above_64_bits_is_rejected(server, n_digits):
    version = "9" * n_digits
    code, answer = predict(server, ONE_ROW, f"/v1/models/films/versions/{version}:predict")
    assert (code, answer["error"]) == (400, f"Failed to convert version: {version} to numeric.")


def test_an_answer_contains_the_id_of_its_request(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)
    ids = []
    for headers in ({"X-Request-ID": "shop-1/a:b"}, {"X-Request-ID": "no spaces, please"}, {}):
        connection.request("GET", "/v1/models/films", headers=headers)
        response = connection.getresponse()
        response.read()
        ids.append(response.getheader("x-request-id"))
    connection.close()
    assert ids[0] == "shop-1/a:b"
    assert len(ids[1]) == len(ids[2]) == 16
    assert ids[1] != ids[2]


def test_other_origins_may_read_the_answers_if_cors_is_enabled(server, tmp_path):
    """As in TF Serving with `--rest_api_enable_cors_support`; without it OPTIONS is malformed."""
    assert call(server, "OPTIONS", "/v1/models/films:predict")[0] == 400
    export_version(tmp_path / "films", 1)
    with Server(tmp_path / "films", port=0, rest_port=0, cors=True, metrics_paths=["/numbers"]) as with_cors:
        connection = http.client.HTTPConnection("127.0.0.1", with_cors.rest_port, timeout=TIMEOUT)
        for method, path, code in (
            ("OPTIONS", "/v1/models/films:predict", 200),
            ("GET", "/v1/models/films", 200),
            ("GET", "/v1/models/songs", 404),
            ("HEAD", "/v1/models/films", 400),
        ):
            connection.request(method, path)
            response = connection.getresponse()
            assert (response.status, response.getheader("Access-Control-Allow-Origin")) == (code, "*")
            assert response.getheader("Access-Control-Allow-Methods") == "POST, GET"
            assert response.getheader("Access-Control-Allow-Headers") == "Content-Type"
            response.read()
        connection.close()
        assert call(with_cors, "GET", "/numbers")[0] == 200
        assert call(with_cors, "GET", "/metrics")[0] == 404


def test_a_grpc_client_of_the_rest_port_gets_the_reason(server):
    with (
        Client(f"127.0.0.1:{server.rest_port}", model="films", retries=0) as client,
        pytest.raises(ServingError, match="got one of HTTP. Fix: give the port of gRPC"),
    ):
        client.status()


def test_a_head_request_is_malformed(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)
    connection.request("HEAD", "/v1/models/films")
    assert connection.getresponse().status == 400
    connection.close()


def test_paths_ignore_case_and_the_query(server):
    """As in TF Serving the operation after the colon is in lower case, and names are compared exactly."""
    absolute = "http://films.example:80/v1/models/films:predict"  # as to a proxy
    for path in (
        "/V1/Models/films:predict",
        "/v1/MODELS/films/VERSIONS/2:predict",
        "/v1/models/films:predict?a=1",
        absolute,
    ):
        assert call(server, "POST", path, ONE_ROW)[0] == 200
    status = call(server, "GET", "/v1/models/films")
    assert call(server, "GET", "/V1/MODELS/films") == status
    assert call(server, "POST", "/v1/models/films:PREDICT", ONE_ROW)[0] == 400
    assert call(server, "GET", "/v1/models/Films")[0] == 404


def test_the_error_of_an_example_of_another_type_names_the_feature(server):
    ids = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    example = tf.train.Example(features=tf.train.Features(feature={"history": ids})).SerializeToString()
    body = {"signature_name": "examples", "instances": [{"b64": base64.b64encode(example).decode()}]}
    code, answer = predict(server, body)
    assert code == 400
    assert "history" in answer["error"] and "\n" not in answer["error"]


def test_a_gzip_body_is_decompressed(server):
    body = json.dumps(ONE_ROW).encode()
    gzipped = {"Content-Encoding": "gzip"}
    path = "/v1/models/films:predict"
    assert call(server, "POST", path, gzip.compress(body), gzipped) == call(server, "POST", path, body)
    members = gzip.compress(body[:9]) + gzip.compress(body[9:])
    assert call(server, "POST", path, members, gzipped) == call(server, "POST", path, body)
    for invalid in (body, b"", gzip.compress(body)[:-9], gzip.compress(body) + b"x"):
        code, answer = call(server, "POST", path, invalid, gzipped)
        assert (code, answer["error"][:26]) == (400, "the body is not valid gzip")
    code, answer = call(server, "POST", path, gzip.compress(b" " * 100_001), gzipped)
    assert (code, answer["error"]) == (413, "the request is longer than 100,000 bytes")


@pytest.mark.parametrize(("operation", "noun"), [("classify", "classification"), ("regress", "regression")])
def test_other_operations_are_rejected_as_for_a_predict_signature(server, operation, noun):
    path = f"/v1/models/films:{operation}"
    code, answer = call(server, "POST", path, {"examples": [{"history": ["i1"]}]})
    expected = f"Expected {noun} signature method_name to be tensorflow/serving/{operation}. "
    assert (code, answer["error"]) == (400, expected + "Was: tensorflow/serving/predict")
    code, answer = call(server, "POST", path, {"signature_name": "top", "examples": []})
    assert (code, answer["error"]) == (400, "No signature was found with the name: top")


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
    assert float(metrics['kerasrec_serving_active_version{model="films",version="2"}']) == 1
    assert float(metrics["kerasrec_serving_queue_rejections_total"]) == 0
    assert float(metrics["process_resident_memory_bytes"]) > 1e6
    assert float(metrics["process_open_fds"]) > 3
    # The names of TF Serving.
    assert float(metrics[':tensorflow:serving:request_count{model_name="films",status="OK"}']) >= 1
    latency = ':tensorflow:serving:request_latency_count{API="Predict",entrypoint="REST",model_name="films"}'
    assert float(metrics[latency]) >= 1
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
