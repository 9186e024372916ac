"""What arrives from a network: mutated requests, wrong certificates, a killed server."""

import concurrent.futures
import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
import trustme
from google.protobuf.message import DecodeError
from kerasrec_testing.served import N_ITEMS, export, request
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from kerasrec.serving import TLS, Client, Server, ServingError

N_MUTATED = int(os.environ.get("KERASREC_FUZZ", "10000"))
REFUSALS = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "films"
    export(path, 1)
    return path


def mutated(rng):
    """A request with one to three bytes or fields changed."""
    signature = rng.choice(["", "serving_default", "recommend", "score"])
    asked = request(signature)
    if rng.random() < 0.5:
        data = bytearray(asked.SerializeToString())
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(data))
            how = rng.random()
            if how < 0.6:
                data[place] = rng.randrange(256)
            elif how < 0.8:
                del data[place : place + rng.randint(1, 8)]
            else:
                data[place:place] = rng.randbytes(rng.randint(1, 8))
        return bytes(data)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice([*asked.inputs, "colour"])
        tensor = asked.inputs[name]
        change = rng.randrange(9)
        if change == 0:
            del asked.inputs[name]
        elif change == 1:
            tensor.dtype = rng.choice([0, 1, 3, 7, 9, 14, 23, 99, 101])
        elif change == 2:
            for dim in tensor.tensor_shape.dim:
                dim.size = rng.choice([-1, 0, 1, 2, 3, 1001, 2**31, 2**62])
        elif change == 3:
            tensor.tensor_shape.dim.add(size=rng.choice([0, 1, 2]))
        elif change == 4:
            tensor.tensor_content = rng.randbytes(rng.randint(0, 16))
        elif change == 5:
            value = rng.choice([0, 1, -1, N_ITEMS, N_ITEMS + 1, 2**31 - 1, -(2**31)])
            asked.inputs["k"].CopyFrom(tf.make_tensor_proto([value], tf.int32))
        elif change == 6:
            value = rng.choice([0.0, 5.0, float("nan"), float("inf"), -1e38])
            asked.inputs["ratings"].CopyFrom(tf.make_tensor_proto([[value] * rng.randint(0, 3)], tf.float32))
        elif change == 7:
            asked.model_spec.name = rng.choice(["films", "", "film", "ü" * 1000])
        else:
            asked.output_filter.append(rng.choice(["scores", "item_ids", "odds"]))
    return asked.SerializeToString()


OUTPUTS = {"serving_default": {"item_ids", "scores"}, "recommend": {"item_ids", "scores"}}
OUTPUTS["score"] = {"item_ids", "scores", "top_k_scores"}
INPUTS = {"history": (tf.string, 2), "ratings": (tf.float32, 2)}
MORE_INPUTS = {"k": (tf.int32, 1), "exclude": (tf.string, 2), "candidates": (tf.string, 2)}


def is_valid(data):
    """What a reader of the protocol's description would accept."""
    try:
        asked = PredictRequest.FromString(data)
    except DecodeError:
        return False
    spec = asked.model_spec
    signature = spec.signature_name or "serving_default"
    if spec.name != "films" or spec.version_label or signature not in OUTPUTS:
        return False
    if spec.HasField("version") and spec.version.value != 1:
        return False
    expected = {**INPUTS, **(MORE_INPUTS if signature == "recommend" else {})}
    if set(asked.inputs) != set(expected) or not set(asked.output_filter) <= OUTPUTS[signature]:
        return False
    arrays = {}
    for name, (dtype, rank) in expected.items():
        tensor = asked.inputs[name]
        sizes = [dim.size for dim in tensor.tensor_shape.dim]
        if tensor.dtype != dtype.as_datatype_enum or len(sizes) != rank or tensor.tensor_shape.unknown_rank:
            return False
        if min(sizes) < 0 or np.prod(sizes, dtype=float) > 8 * 2**20:
            return False
        try:
            arrays[name] = tf.make_ndarray(tensor)
        except Exception:
            return False
    n_rows = len(arrays["history"])
    if n_rows > 1000 or any(len(array) != n_rows for array in arrays.values()):
        return False
    ratings = arrays["ratings"]
    if ratings.shape != arrays["history"].shape or not np.isfinite(ratings).all():
        return False
    return "k" not in arrays or bool(((arrays["k"] >= 1) & (arrays["k"] <= N_ITEMS)).all())


def test_mutated_requests_never_crash_hang_or_get_an_answer_they_should_not(folder):
    """KERASREC_FUZZ says how many."""
    rng = random.Random(7)
    requests = [mutated(rng) for _ in range(N_MUTATED)]
    expected = [is_valid(data) for data in requests]
    assert 0.02 < np.mean(expected) < 0.98
    with Server(folder, port=0) as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        started = psutil.Process().memory_info().rss
        for start in range(0, len(requests), 32):
            part = slice(start, start + 32)
            pending = [call.future(data, timeout=30) for data in requests[part]]
            for data, valid, answer in zip(requests[part], expected[part], pending, strict=True):
                if valid:
                    assert PredictResponse.FromString(answer.result()).outputs, data
                    continue
                error = answer.exception()
                assert error is not None, f"answered: {data!r}"
                assert error.code() in REFUSALS, (data, error)
        assert PredictResponse.FromString(call(request().SerializeToString(), timeout=30)).outputs
        assert psutil.Process().memory_info().rss - started < 300 * 2**20


def test_mutated_rest_bodies_are_refused_or_answered(folder):
    rng = random.Random(8)
    whole = json.dumps({"signature_name": "score", "instances": [{"history": ["i1", "i3"], "ratings": [5, 1]}]})
    with Server(folder, port=0, rest_port=0) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
        codes = []
        for _ in range(N_MUTATED // 5):
            body = bytearray(whole.encode())
            for _ in range(rng.randint(1, 2)):
                body[rng.randrange(len(body))] = rng.choice(b'[]{}",:0-9eE.itrn\\\xff ')
            connection.request("POST", "/v1/models/films:predict", bytes(body))
            response = connection.getresponse()
            told = json.loads(response.read())
            codes.append(response.status)
            assert list(told) == (["predictions"] if response.status == 200 else ["error"]), body
        assert set(codes) == {200, 400}
        connection.close()


def test_too_long_a_request_is_refused(folder):
    with Server(folder, port=0, max_request_bytes=10_000) as server:
        with Client(f"127.0.0.1:{server.port}", model="films") as client:
            with pytest.raises(ServingError) as refused:
                client.recommend([["i1"] * 20_000], ratings=[[1] * 20_000])
            assert refused.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert client.recommend([["i1"]], 2, ratings=[[1]])[0].shape == (1, 2)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Files of an authority, of a server and of a client that it signed, and of a client of another authority."""
    path, authority, other = tmp_path_factory.mktemp("certificates"), trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(path / "ca.pem"))
    for name, by in (("server", authority), ("client", authority), ("stranger", other)):
        issued = by.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(str(path / f"{name}.key"))
        for pem in issued.cert_chain_pems:
            pem.write_to_path(str(path / f"{name}.pem"), append=True)
    return path


def test_tls_and_mutual_tls(folder, certificates):
    def own(name, trusted=True):
        return TLS(
            certificates / f"{name}.pem", certificates / f"{name}.key", certificates / "ca.pem" if trusted else None
        )

    def works(server, tls):
        with Client(f"127.0.0.1:{server.port}", model="films", tls=tls, retries=0, timeout=5) as client:
            try:
                return client.status() == {1: "AVAILABLE"}
            except ServingError as error:
                assert error.code == grpc.StatusCode.UNAVAILABLE
                return False

    def rest(server, tls):
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
        connection = http.client.HTTPSConnection("127.0.0.1", server.rest_port, timeout=10, context=context)
        try:
            connection.request("GET", "/v1/models/films")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    knows = TLS(ca=certificates / "ca.pem")
    with Server(folder, port=0, rest_port=0, tls=own("server", trusted=False)) as server:
        assert [works(server, tls) for tls in (knows, own("client"), None, TLS())] == [True, True, False, False]
        assert rest(server, knows)
    with Server(folder, port=0, rest_port=0, tls=own("server")) as server:
        assert [works(server, tls) for tls in (own("client"), knows, own("stranger"))] == [True, False, False]
        assert [rest(server, tls) for tls in (own("client"), knows, own("stranger"))] == [True, False, False]
    with pytest.raises(ValueError, match="`cert` and `key` together"):
        TLS(certificates / "client.pem")
    with pytest.raises(ValueError, match="a server needs `cert` and `key`"):
        Server(folder, port=0, tls=knows)
    with pytest.raises(ValueError, match=r"client.pem and .*ca.pem are no certificate and its key in PEM"):
        Server(folder, port=0, tls=TLS(certificates / "client.pem", certificates / "ca.pem")).start()


def start(folder, *options):
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "kerasrec_cli", "serve", str(folder), "--name", "films", *options]
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    return process, int(process.stdout.readline().split(":")[1].split(";")[0].split(",")[0])


def test_a_killed_server_is_found_again_and_a_stopped_one_answers_what_it_has(folder):
    process, port = start(folder, "--port", "0")
    found, done = [], threading.Event()

    def keep_asking():
        with Client(f"127.0.0.1:{port}", model="films", timeout=5) as client:
            while not done.is_set():
                try:
                    found.append(client.recommend([["i1"]], 2, ratings=[[5]])[0].shape == (1, 2))
                except ServingError as error:
                    found.append(error.code)
                time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        asking = pool.submit(keep_asking)
        try:
            while len(found) < 5:
                time.sleep(0.02)
            process.kill()
            process.communicate(timeout=20)
            process, _ = start(folder, "--port", str(port))
            n_before = len(found)
            until = time.monotonic() + 20
            while found[-1] is not True or len(found) < n_before + 20:
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            done.set()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        asking.result()
    assert set(found) == {True, grpc.StatusCode.UNAVAILABLE}
    assert process.returncode == 0


def test_what_is_under_way_at_the_end_is_answered(folder, monkeypatch):
    from kerasrec.serving.servable import Servable

    run, began = Servable.run, threading.Event()
    server = Server(folder, port=0).start()
    monkeypatch.setattr(Servable, "run", lambda *a: began.set() or time.sleep(0.5) or run(*a))
    with Client(f"127.0.0.1:{server.port}", model="films", retries=0) as client:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(client.recommend, [["i1"]], 2, ratings=[[5]])
            assert began.wait(20)
            server.stop(grace=10)
            assert answer.result()[0].shape == (1, 2)
        with pytest.raises(ServingError):
            client.status()
