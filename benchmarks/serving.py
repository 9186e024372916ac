"""Latency and throughput of a served model, over gRPC and REST, with one and with many clients.

    python benchmarks/serving.py                               # Mult-VAE with 20,108 items in a server process
    python benchmarks/serving.py --items 1000000 --only load   # time and memory to load a version
    python benchmarks/serving.py --only soak --requests 500000 # memory of the server over many requests
    python benchmarks/serving.py --target 127.0.0.1:8500 --rest 127.0.0.1:8501   # a running server, also TF Serving

Prints a Markdown table. In the closed loop each client sends its next request when it has its
answer. In the open loop requests are sent at a fixed rate, and latency is measured from the planned
time of a request. Clients and server share the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import psutil
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

MODEL = "default"
METHOD = "/tensorflow.serving.PredictionService/Predict"
HEADER = """
| server | loop | clients | requests/s | p50 ms | p99 ms | p99.9 ms | smallest share |
|---|---|---:|---:|---:|---:|---:|---:|"""

EXPORT = """
import sys
import numpy as np
from kerasrec import MultVAE
from kerasrec.saved_model import export_saved_model
model = MultVAE(int(sys.argv[2]), seed=1)
export_saved_model(model, sys.argv[1], np.arange(int(sys.argv[2])))
"""

LOAD = """
import resource, sys, time
import tensorflow as tf
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
peak_before, start = peak(), time.perf_counter()
model = tf.saved_model.load(sys.argv[1])
loaded = time.perf_counter()
model.signatures["serving_default"](history=tf.constant([[-1, 1, 2, 3]], tf.int64))
print(loaded - start, time.perf_counter() - loaded, peak() - peak_before)
"""

IN_PROCESS = """
import json, sys, time
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
requests = [PredictRequest.FromString(bytes.fromhex(line)) for line in sys.stdin]
inputs = [{n: tf.constant(tf.make_ndarray(p)) for n, p in r.inputs.items()} for r in requests]
model = tf.saved_model.load(sys.argv[1])
recommend = model.signatures["recommend"]
latencies, end = [], time.perf_counter() + float(sys.argv[2]) + 1
while time.perf_counter() < end:
    start = time.perf_counter()
    outputs = recommend(**inputs[len(latencies) % len(inputs)])
    outputs["item_ids"].numpy(), outputs["scores"].numpy()
    latencies.append(time.perf_counter() - start)
print(json.dumps(latencies[len(latencies) // 10:]))
"""


def main() -> None:
    """Reads the command line and runs the selected measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_request_options(parser)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="numbers of clients, closed loop")
    parser.add_argument("--rates", type=float, nargs="*", default=[50.0], help="requests per second, open loop")
    parser.add_argument("--requests", type=int, default=500_000, help="requests of the soak test")
    parser.add_argument("--target", help="host:port of a running server whose model is named 'default'")
    parser.add_argument("--rest", help="REST host:port of that server")
    parser.add_argument(
        "--only", nargs="+", choices=("load", "closed", "open", "soak"), default=["load", "closed", "open"]
    )
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before; {options.items:,} items, ", end="")
    print(f"histories of {options.length} items, top {options.k}")
    requests = [random_request(options, np.random.default_rng(seed)) for seed in range(256)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "served"
        if options.target is None:
            subprocess.run([sys.executable, "-c", EXPORT, str(folder), str(options.items)], check=True)
        if "load" in options.only and options.target is None:
            print(load_cost(folder))
        if {"closed", "open"} & set(options.only):
            print(HEADER)
        if "closed" in options.only:
            measure_closed_loop(folder, requests, options)
        if "open" in options.only:
            with server(folder, options, batching=True) as (addresses, _):
                for rate in options.rates:
                    latencies = [open_loop(addresses["gRPC"], rate, requests, options.seconds)]
                    print_row("gRPC, batching", f"{rate:g} per second", latencies, options.seconds)
        if "soak" in options.only:
            with server(folder, options, batching=True) as (addresses, process):
                soak(addresses["gRPC"], process, requests, options)


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that define a request and the duration of a measurement."""
    parser.add_argument("--items", type=int, default=20_108, help="size of the catalogue")
    parser.add_argument("--length", type=int, default=60, help="items in a history")
    parser.add_argument("--k", type=int, default=100, help="items in an answer")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")


def measure_closed_loop(folder: Path, requests: list[PredictRequest], options: argparse.Namespace) -> None:
    """Prints a row for the signature alone, and for each server, protocol and number of clients."""
    if options.target is None:
        print_row("in process", "closed", [in_process(folder, requests, options.seconds)], options.seconds)
    for batching in (True,) if options.target else (True, False):
        with server(folder, options, batching) as (addresses, _):
            for protocol, address in addresses.items():
                for n_clients in options.clients:
                    latencies = closed_loop(protocol, address, n_clients, requests, options.seconds)
                    name = f"{protocol}, {'' if batching else 'no '}batching"
                    print_row(name, "closed", latencies, options.seconds)


def print_row(name: str, loop: str, latencies: list[list[float]], seconds: float) -> None:
    """Prints a row of the table from the latencies of each client."""
    p50, p99, p999 = np.percentile(np.concatenate(latencies) * 1000, (50, 99, 99.9))
    n_requests = sum(map(len, latencies))
    n_clients = len(latencies)
    share = min(map(len, latencies)) * n_clients / n_requests  # 100 %: every client has an equal share
    rate = n_requests / seconds
    print(f"| {name} | {loop} | {n_clients} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {p999:.1f} | {share:.0%} |")


def random_request(options: argparse.Namespace, rng: np.random.Generator) -> PredictRequest:
    """A request of the signature `recommend` for one user."""
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "recommend"
    history = np.append(-1, rng.choice(options.items, options.length, replace=False))
    for name, ids in {"history": history[np.newaxis], "exclude": [[-1]], "candidates": [[-1]]}.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(ids, tf.int64))
    request.inputs["k"].CopyFrom(tf.make_tensor_proto([options.k], tf.int32))
    return request


def load_cost(folder: Path) -> str:
    """Time and memory to load a version in a new process."""
    done = subprocess.run([sys.executable, "-c", LOAD, str(folder / "1")], check=True, capture_output=True, text=True)
    load_seconds, first_seconds, memory = map(float, done.stdout.split())
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
    return (
        f"{size:,.0f} MB on disk, loaded in {load_seconds:.1f} s, first answer {first_seconds:.2f} s later, "
        f"{memory:,.0f} MB of memory"
    )


def in_process(folder: Path, requests: list[PredictRequest], seconds: float) -> list[float]:
    """Latencies of the signature without a server, in a new process."""
    command = [sys.executable, "-c", IN_PROCESS, str(folder / "1"), str(seconds)]
    lines = "\n".join(request.SerializeToString().hex() for request in requests)
    return json.loads(subprocess.run(command, input=lines, check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def server(folder: Path, options: argparse.Namespace, batching: bool) -> Iterator[tuple[dict[str, str], Any]]:
    """The addresses of a server by protocol, and its process."""
    if options.target:
        yield {"gRPC": options.target, **({"REST": options.rest} if options.rest else {})}, None
        return
    command = [sys.executable, "-u", "-m", "kerasrec_cli", "serve", str(folder), "--port", "0", "--rest-port", "0"]
    command += [] if batching else ["--max-batch", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield dict(zip(("gRPC", "REST"), re.findall(r"127\.0\.0\.1:\d+", line), strict=True)), process
        finally:
            process.terminate()


@contextlib.contextmanager
def client(protocol: str, address: str, requests: list[PredictRequest]) -> Iterator[Callable[[int], None]]:
    """The connection of one client: a function that sends the n-th request and waits for the answer."""
    if protocol == "gRPC":
        messages = [request.SerializeToString() for request in requests]
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(address, options) as channel:
            call = channel.unary_unary(METHOD)
            yield lambda n: call(messages[n % len(messages)], timeout=60)
        return
    inputs = [{name: tf.make_ndarray(tensor).tolist() for name, tensor in r.inputs.items()} for r in requests]
    bodies = [json.dumps({"signature_name": "recommend", "inputs": columns}) for columns in inputs]
    connection = http.client.HTTPConnection(address, timeout=60)

    def post(n: int) -> None:
        try:
            connection.request("POST", f"/v1/models/{MODEL}:predict", bodies[n % len(bodies)])
            response = connection.getresponse()
            if b'"outputs"' not in response.read():
                raise RuntimeError(f"expected outputs, got status {response.status}")
        except Exception:
            connection.close()  # the next request opens a new connection
            raise

    yield post
    connection.close()


def closed_loop(
    protocol: str, address: str, n_clients: int, requests: list[PredictRequest], seconds: float
) -> list[list[float]]:
    """The latencies of each client; it sends its next request when it has its answer."""
    latencies: list[list[float]] = [[] for _ in range(n_clients)]
    connected = threading.Barrier(n_clients + 1)

    def run_client(number: int) -> None:
        with client(protocol, address, requests) as send:
            send(number)
            connected.wait()
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                send(number + n_clients * len(latencies[number]))
                latencies[number].append(time.perf_counter() - start)

    threads = [threading.Thread(target=run_client, args=(number,)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    connected.wait()
    for thread in threads:
        thread.join()
    return latencies


def open_loop(address: str, rate: float, requests: list[PredictRequest], seconds: float) -> list[float]:
    """Latencies of requests at the times of a Poisson process, measured from these times."""
    messages = [request.SerializeToString() for request in requests]
    planned_times = np.cumsum(np.random.default_rng(0).exponential(1 / rate, int(rate * seconds)))
    latencies: list[float] = []
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(METHOD)
        call(messages[0])
        start, pending = time.perf_counter(), []
        for n, planned in enumerate(planned_times):
            time.sleep(max(start + planned - time.perf_counter(), 0))
            answer = call.future(messages[n % len(messages)], timeout=60)
            answer.add_done_callback(lambda _, p=planned: latencies.append(time.perf_counter() - start - p))  # type: ignore[misc]
            pending.append(answer)
        for answer in pending:
            answer.result()
    return latencies


def soak(address: str, process: Any, requests: list[PredictRequest], options: argparse.Namespace) -> None:
    """Prints the memory of the server after each twentieth of many requests of 16 clients."""
    server_process = psutil.Process(process.pid)
    print("\n| requests | resident MB |\n|---:|---:|")
    n_per_client = options.requests // 20 // 16
    for step in range(21):
        if step:
            threads = [threading.Thread(target=send_many, args=(address, requests, n_per_client)) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(f"| {step * n_per_client * 16:,} | {server_process.memory_info().rss / 2**20:,.0f} |", flush=True)


def send_many(address: str, requests: list[PredictRequest], n_requests: int) -> None:
    """Sends requests one after another from one client."""
    with client("gRPC", address, requests) as send:
        for n in range(n_requests):
            send(n)


if __name__ == "__main__":
    main()
