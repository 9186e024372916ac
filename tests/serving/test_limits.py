"""Requests and connections beyond the limits of a server."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.platforms import needs_file_limit
from kerasrec_testing.served import TIMEOUT, client_of, export_version, predict_request, wait_until

from kerasrec.serving import Limits, Server
from kerasrec.serving.errors import RequestError
from kerasrec.serving.servable import Servable

PREDICT = "/v1/models/films:predict"
BODY = json.dumps({"instances": [{"history": ["i1"], "ratings": [5]}]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("limits") / "films"
    export_version(path, 1)
    return path


@pytest.fixture(scope="module")
def servable(folder):
    return Servable(folder / "1")


def example(**features):
    lists = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=ids)) for name, ids in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


LIMITS = Limits(max_rows=3, max_width=4)
TOO_LARGE = {
    "rows": ("examples", {"examples": [example()] * 4}, "`examples` with at most 3 rows, got 4. Fix: send several"),
    "width": (
        "serving_default",
        {"history": np.full((1, 5), b"i1", object), "ratings": np.ones((1, 5), np.float32)},
        "expected `history` with at most 4 ids for each user, got 5. Fix: send the latest ids",
    ),
    "width of an example": (
        "examples",
        {"examples": [example(), example(exclude=[b"i1"] * 5)]},
        "expected `exclude` with at most 4 ids for each user, got 5",
    ),
    "no example": (
        "examples",
        {"examples": [example(), b"\xff\xff"]},
        "element 1 of `examples` is not a serialised tf.train.Example",
    ),
}


@pytest.mark.parametrize(("signature", "inputs", "message"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_request_beyond_a_limit_is_rejected_with_the_limit(servable, signature, inputs, message):
    arrays = {name: np.array(array, object) if name == "examples" else array for name, array in inputs.items()}
    with pytest.raises(RequestError, match=message):
        servable.check(signature, arrays, (), LIMITS)


def test_an_answer_beyond_the_limit_is_rejected_before_it_is_computed(servable, monkeypatch):
    monkeypatch.setattr("kerasrec.serving.servable.MAX_ANSWER_ELEMENTS", 23)
    arrays = {"history": np.full((2, 1), b"i1", object), "ratings": np.ones((2, 1), np.float32)}
    with pytest.raises(RequestError, match="at most 23 elements of the output `scores`, got 24 for 2 rows. Fix"):
        servable.check("score", arrays)
    servable.check("score", arrays, ["item_ids"])
    blank = {name: np.full((2, 1), b"", object) for name in ("exclude", "candidates")}
    servable.check("recommend", {**arrays, **blank, "k": np.array([11, 1])})
    with pytest.raises(RequestError, match="at most 23 elements of the output `item_ids`, got 24"):
        servable.check("recommend", {**arrays, **blank, "k": np.array([1, 12])})


@needs_file_limit
def test_the_number_of_connections_leaves_files_for_the_process(monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 256))
    assert Limits().connections_of(2) == 96
    assert Limits(max_connections=10).connections_of(2) == 10
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert Limits().connections_of(1) == 1000


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_width": 0}, "`max_width`: expected at least 1, got 0"),
        ({"header_timeout": 0}, "`header_timeout` above 0"),
    ],
)
def test_limits_out_of_range_are_rejected(limits, message):
    with pytest.raises(ValueError, match=message):
        Limits(**limits)


def post(port):
    """The status code of a prediction."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("POST", PREDICT, BODY)
    code = connection.getresponse().status
    connection.close()
    return code


def is_closed(connection):
    """Waits until the other end has closed the connection, at most `TIMEOUT` seconds."""
    connection.settimeout(TIMEOUT)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_connection_without_a_complete_head_is_closed_in_time(folder):
    with Server(folder, port=0, rest_port=0, limits=Limits(header_timeout=0.3)) as server:
        for start in (b"", b"POST /v1/mod", b"GET /v1/models/films HTTP/1.1\r\nHost: a\r\n"):
            with socket.create_connection(("127.0.0.1", server.rest_port)) as connection:
                connection.sendall(start)
                assert is_closed(connection)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:  # no HTTP/2 handshake
            connection.settimeout(TIMEOUT)
            try:
                while connection.recv(1000):  # settings, then the end
                    pass
            except ConnectionError:
                pass
        assert post(server.rest_port) == 200


def test_a_new_connection_replaces_the_one_that_is_idle_longest_without_any_request(folder):
    limits = Limits(max_connections=4, header_timeout=3600)
    with Server(folder, port=0, rest_port=0, limits=limits) as server:
        idle = []
        for _ in range(4):
            idle.append(socket.create_connection(("127.0.0.1", server.rest_port)))
            wait_until(lambda: len(server._rest.connections) == len(idle))
        request = b"GET /v1/models/films HTTP/1.1\r\nHost: a\r\n\r\n"
        idle[0].sendall(request)
        answer = b""
        while not answer.endswith(b"]\n}\n"):
            answer += idle[0].recv(1000) or pytest.fail("the connection is closed")
        assert post(server.rest_port) == 200
        assert is_closed(idle[1]), "idle[0] is older, but had a request"
        idle[0].sendall(request)
        assert idle[0].recv(15) == b"HTTP/1.1 200 OK"
        for connection in idle:
            connection.close()


def test_a_connection_is_rejected_if_all_others_have_a_request(folder, monkeypatch):
    gate, run = threading.Event(), Servable.run
    with Server(folder, port=0, rest_port=0, limits=Limits(max_connections=2)) as server:
        monkeypatch.setattr(Servable, "run", lambda *a: gate.wait(TIMEOUT) and run(*a))
        busy = [http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT) for _ in range(2)]
        for number, connection in enumerate(busy):
            connection.request("POST", PREDICT, BODY)
            wait_until(lambda n=number: server.service.n_running == n + 1)
        with socket.create_connection(("127.0.0.1", server.rest_port)) as rejected:
            assert is_closed(rejected)
        gate.set()
        assert [connection.getresponse().status for connection in busy] == [200, 200]
        for connection in busy:
            connection.close()
        wait_until(lambda: post(server.rest_port) == 200)


def test_grpc_rejects_connections_beyond_the_limit(folder):
    with Server(folder, port=0, limits=Limits(max_connections=2, header_timeout=3600)) as server:
        with client_of(server) as client:
            client.wait_until_ready(TIMEOUT)
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
            assert any(is_closed_soon(connection) for connection in idle)
            assert client.recommend([["i1"]], 2, ratings=[[5]])[0].shape == (1, 2)
            for connection in idle:
                connection.close()


def is_closed_soon(connection):
    """Reads what the server sends first, then whether it closes the connection within a second."""
    connection.settimeout(1)
    try:
        while connection.recv(1000):
            pass
        return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@needs_file_limit
@pytest.mark.slow
def test_idle_sockets_beyond_the_file_limit_leave_rest_and_grpc_running(folder, tmp_path):
    """300 idle sockets at each port of a process that may open 256 files."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256));"
        "from kerasrec_cli import main; sys.argv[0] = 'kerasrec'; main()"
    )
    command = [sys.executable, "-c", code, "serve", folder, "--name", "films", "--port", "0", "--rest-port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        line = process.stdout.readline()
        grpc_port, rest_port = (int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", line))
        sockets = []
        for port in (rest_port, grpc_port):
            for _ in range(300):
                sockets.append(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT))
        for _ in range(3):
            assert post(rest_port) == 200
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            assert call(predict_request().SerializeToString(), timeout=TIMEOUT, wait_for_ready=True)
        for connection in sockets:
            connection.close()
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT)
    assert len((tmp_path / "log").read_text().splitlines()) < 50
