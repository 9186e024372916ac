"""Start and stop of a server: ports, readiness, a killed process, running requests."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kerasrec_testing.served import TIMEOUT, client_of, export_version, predict_request, wait_until
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving import Client, Server, ServingError
from kerasrec.serving.servable import Servable

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("server") / "films"
    export_version(path, 1)
    return path


def health_of(channel, service=""):
    request = health_pb2.HealthCheckRequest(service=service)
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT).status


def states(channel):
    request = GetModelStatusRequest(model_spec=predict_request().model_spec)
    response = ModelServiceStub(channel).GetModelStatus(request, timeout=TIMEOUT)
    return {v.version: v.state for v in response.model_version_status}


def test_health_is_serving_only_after_the_warm_up(folder, monkeypatch):
    server = Server(folder, port=0)
    warm_up, run, during_warm_up, runs = Servable.warm_up, Servable.run, [], []

    def observed_warm_up(servable):
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            during_warm_up.append((health_of(channel), states(channel)))
            with pytest.raises(grpc.RpcError, match="model 'films' is loading") as rejected:
                PredictionServiceStub(channel).Predict(predict_request(), timeout=TIMEOUT)
            during_warm_up.append(rejected.value.code())
        warm_up(servable)

    monkeypatch.setattr(Servable, "warm_up", observed_warm_up)
    monkeypatch.setattr(Servable, "run", lambda s, name, inputs: runs.append(name) or run(s, name, inputs))
    with server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        assert during_warm_up == [(NOT_SERVING, {1: ModelVersionStatus.LOADING}), grpc.StatusCode.UNAVAILABLE]
        assert runs[::2] == runs[1::2]  # each request alone and as a batch
        assert {"serving_default", "recommend", "score"} <= set(runs)
        assert states(channel) == {1: ModelVersionStatus.AVAILABLE}
        assert health_of(channel) == health_of(channel, "tensorflow.serving.PredictionService") == SERVING


def test_a_port_in_use_is_an_error(folder):
    with Server(folder, port=0, rest_port=0) as server:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.port}.* a free port with `port`"):
            Server(folder, port=server.port).start()
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.rest_port}.* `rest_port`"):
            Server(folder, port=0, rest_port=server.rest_port).start()


def test_a_model_that_cannot_be_loaded_stops_the_server(folder, tmp_path):
    defective = tmp_path / "films" / "1"
    shutil.copytree(folder / "1", defective)
    shutil.rmtree(defective / "variables")
    server = Server(defective, port=0)
    with pytest.raises(ValueError, match="model 'films' has no version that can be loaded: .*variables"):
        server.start()
    server.wait(TIMEOUT)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError):
        health_of(channel)


def test_a_client_finds_a_restarted_server(folder):
    with Server(folder, port=0) as server:
        port = server.port
        client = client_of(server)
        assert client.status() == {1: "AVAILABLE"}
    with pytest.raises(ServingError):
        client.status()
    with Server(folder, port=port), client:
        client.wait_until_ready(TIMEOUT)
        assert client.recommend([["i1"]], 2, ratings=[[5]])[0].shape == (1, 2)


def start_process(folder, *options):
    """`kerasrec serve` in a process, and its port."""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "kerasrec_cli", "serve", str(folder), "--name", "films", *options]
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    return process, int(process.stdout.readline().split(":")[1].split(";")[0].split(",")[0])


def test_a_client_finds_a_killed_server_again(folder):
    process, port = start_process(folder, "--port", "0")
    results, stop = [], threading.Event()

    def ask_repeatedly():
        with Client(f"127.0.0.1:{port}", model="films", timeout=TIMEOUT) as client:
            while not stop.is_set():
                try:
                    results.append(client.recommend([["i1"]], 2, ratings=[[5]])[0].shape == (1, 2))
                except ServingError as error:
                    results.append(error.code)
                time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        asking = pool.submit(ask_repeatedly)
        try:
            wait_until(lambda: len(results) >= 5)
            process.kill()
            process.communicate(timeout=TIMEOUT)
            wait_until(lambda: results[-1] is not True)
            process, _ = start_process(folder, "--port", str(port))
            n_before = len(results)
            wait_until(lambda: len(results) >= n_before + 20 and results[-1] is True)
        finally:
            stop.set()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT)
        asking.result()
    assert set(results) == {True, grpc.StatusCode.UNAVAILABLE}
    assert process.returncode == 0


def test_running_requests_are_answered_when_a_server_stops(folder, monkeypatch):
    run, started = Servable.run, threading.Event()
    server = Server(folder, port=0).start()
    monkeypatch.setattr(Servable, "run", lambda *a: started.set() or time.sleep(0.5) or run(*a))
    with client_of(server, retries=0) as client, concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(client.recommend, [["i1"]], 2, ratings=[[5]])
        assert started.wait(TIMEOUT)
        server.stop(grace=TIMEOUT)
        assert answer.result()[0].shape == (1, 2)
        with pytest.raises(ServingError):
            client.status()
