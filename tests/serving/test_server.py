"""Start and stop of a server: ports, readiness, a killed process, running requests."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kerasrec_testing.platforms import needs_posix_signals
from kerasrec_testing.served import TIMEOUT, client_of, export_version, predict_request, wait_until
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving import Client, Server, ServingError
from kerasrec.serving.listening import listening_socket
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
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.rest_port}: .* in use.* `rest_port`"):
            Server(folder, port=0, rest_port=server.rest_port).start()


def test_a_server_listens_on_an_ipv6_address(folder):
    try:
        listening_socket("::1", 0).close()
    except OSError as error:
        pytest.skip(f"needs IPv6: {error}")
    with Server(folder, host="::1", port=0, rest_port=0) as server:
        assert server.address == f"[::1]:{server.port}"
        with grpc.insecure_channel(server.address) as channel:
            assert health_of(channel) == SERVING
        with urllib.request.urlopen(f"http://{server.rest_address}/v1/models/films", timeout=TIMEOUT) as answer:
            assert answer.status == 200


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
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    return process, int(process.stdout.readline().split(":")[1].split(";")[0].split(",")[0])


@needs_posix_signals
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
            process, _ = start_process(folder, "--port", str(port), "--lame-duck", "0")
            n_before = len(results)
            wait_until(lambda: len(results) >= n_before + 20 and results[-1] is True)
        finally:
            stop.set()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT)
        asking.result()
    assert set(results) == {True, grpc.StatusCode.UNAVAILABLE}
    assert process.returncode == 0


@needs_posix_signals
def test_sigterm_starts_the_lame_duck_period_of_the_command_and_ctrl_c_ends_it(folder):
    process, port = start_process(folder, "--port", "0", "--lame-duck", "3600")
    try:
        address = f"127.0.0.1:{port}"
        with grpc.insecure_channel(address) as channel, Client(address, model="films", timeout=TIMEOUT) as client:
            assert health_of(channel) == SERVING
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: health_of(channel) == NOT_SERVING)
            assert client.recommend([["i1"]], 2, ratings=[[5]])[0].shape == (1, 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT)
        assert "Traceback" not in errors and "Aborted" not in errors
        assert process.returncode == 0
    finally:
        process.kill()


N_REQUESTS = 32
N_RESTARTS = int(os.environ.get("KERASREC_RESTARTS", "6"))


@pytest.fixture
def gated_runs(monkeypatch):
    """An event that the runs of the graph wait for; it is not set."""
    run, gate = Servable.run, threading.Event()
    monkeypatch.setattr(Servable, "run", lambda *a: gate.wait(TIMEOUT) and run(*a))
    yield gate
    gate.set()


def recommend_once(server):
    """The width of an answer, or the status of the error."""
    with client_of(server, retries=0) as client:
        try:
            return client.recommend([["i1"]], 2, ratings=[[5]])[0].shape[1]
        except ServingError as error:
            return error.code


def test_running_requests_are_finished_and_new_ones_rejected_when_a_server_stops(folder, gated_runs):
    gated_runs.set()
    server = Server(folder, port=0, rest_port=0).start()
    gated_runs.clear()
    with concurrent.futures.ThreadPoolExecutor(N_REQUESTS + 1) as pool:
        answers = [pool.submit(recommend_once, server) for _ in range(N_REQUESTS)]
        wait_until(lambda: len(server.service.batcher) + 1 >= N_REQUESTS)
        stopping = pool.submit(server.stop, grace=TIMEOUT)
        wait_until(lambda: recommend_once(server) == grpc.StatusCode.UNAVAILABLE)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/v1/models/films", timeout=TIMEOUT)
        assert not stopping.done()
        gated_runs.set()
        assert [answer.result() for answer in answers] == [2] * N_REQUESTS
        stopping.result()
    assert recommend_once(server) == grpc.StatusCode.UNAVAILABLE


def test_requests_are_answered_in_the_lame_duck_period_while_health_is_not_serving(folder):
    server = Server(folder, port=0).start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        assert health_of(channel) == SERVING
        stopping = threading.Thread(target=server.stop, kwargs={"lame_duck": TIMEOUT}, daemon=True)
        stopping.start()
        wait_until(lambda: health_of(channel) == NOT_SERVING)
        assert recommend_once(server) == 2
        assert states(channel) == {1: ModelVersionStatus.AVAILABLE}
    server.stop()  # ends the lame-duck period
    stopping.join(TIMEOUT)
    assert not stopping.is_alive()
    assert recommend_once(server) == grpc.StatusCode.UNAVAILABLE


def test_a_request_that_exceeds_the_grace_period_is_not_awaited(folder, gated_runs):
    gated_runs.set()
    server = Server(folder, port=0).start()
    gated_runs.clear()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(recommend_once, server)
        wait_until(lambda: server.service.batcher.free_slots == 0)
        server.stop(grace=0.1)
        assert answer.result() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


@pytest.mark.slow
def test_servers_restart_in_turn_without_a_failed_request(folder):
    """KERASREC_RESTARTS sets the number of restarts."""
    servers = [Server(folder, port=0).start() for _ in range(2)]
    addresses = [f"127.0.0.1:{server.port}" for server in servers]
    answers, failures, starting, stop = [], [], threading.Event(), threading.Event()

    def ask_repeatedly():
        with Client(addresses, model="films", timeout=TIMEOUT) as client:
            while not stop.is_set():
                try:
                    answers.append(client.recommend([["i1"]], 2, ratings=[[5]])[0].shape)
                except Exception as error:
                    failures.append(error)
                time.sleep(0.1 * starting.is_set())  # without pauses, 8 clients leave two cores no time to load a model

    threads = [threading.Thread(target=ask_repeatedly, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(N_RESTARTS):
        n_before = len(answers)
        wait_until(lambda n=n_before: len(answers) > n + 20)
        servers[number % 2].stop(grace=TIMEOUT)
        starting.set()
        servers[number % 2] = Server(folder, port=servers[number % 2].port).start()
        starting.clear()
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT)
    for server in servers:
        server.stop()
    assert failures == []
    assert set(answers) == {(1, 2)}
