"""Load on a served model: latency and throughput, gRPC against REST, one client against many.

    python benchmarks/serving.py                               # Mult-VAE of 20,108 items, served by its own process
    python benchmarks/serving.py --items 1000000 --only load
    python benchmarks/serving.py --only soak --requests 500000 # does the server's memory stay flat?
    python benchmarks/serving.py --target 127.0.0.1:8500 --rest 127.0.0.1:8501   # one that runs, TF Serving too

Prints a Markdown table. In the closed loop each client asks again when it has its answer; in the
open loop requests come at a given rate, whatever the server does, and latency counts from when a
request was due. Load and server share the machine.
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
| what | loop | clients | requests/s | p50 ms | p99 ms | p99.9 ms | least served |
|---|---|---:|---:|---:|---:|---:|---:|"""

EXPORT = """
import sys
import numpy as np
from kerasrec import MultVAE
from kerasrec.saved_model import export_saved_model
model = MultVAE(int(sys.argv[2]), seed=1)
model.build()
export_saved_model(model, sys.argv[1], np.arange(int(sys.argv[2])))
"""

LOAD = """
import resource, sys, time
import tensorflow as tf
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, began = peak(), time.perf_counter()
model = tf.saved_model.load(sys.argv[1])
loaded = time.perf_counter()
model.signatures["serving_default"](history=tf.constant([[1, 2, 3]], tf.int64))
print(loaded - began, time.perf_counter() - loaded, peak() - before)
"""

IN_PROCESS = """
import json, sys, time
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
requests = [PredictRequest.FromString(bytes.fromhex(line)) for line in sys.stdin]
inputs = [{n: tf.constant(tf.make_ndarray(p)) for n, p in r.inputs.items()} for r in requests]
model = tf.saved_model.load(sys.argv[1])
recommend = model.signatures["recommend"]
times, until = [], time.perf_counter() + float(sys.argv[2]) + 1
while time.perf_counter() < until:
    began = time.perf_counter()
    answer = recommend(**inputs[len(times) % len(inputs)])
    answer["item_ids"].numpy(), answer["scores"].numpy()
    times.append(time.perf_counter() - began)
print(json.dumps(times[len(times) // 10:]))
"""


def main() -> None:
    """Reads the command line and runs what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=20_108)
    parser.add_argument("--length", type=int, default=60, help="of a history")
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--rates", type=float, nargs="*", default=[50.0], help="of the open loop, requests a second")
    parser.add_argument("--requests", type=int, default=500_000, help="of the soak")
    parser.add_argument("--target", help="host:port of a server that serves the model as 'default'")
    parser.add_argument("--rest", help="its REST host:port")
    parser.add_argument(
        "--only", nargs="+", choices=("load", "closed", "open", "soak"), default=["load", "closed", "open"]
    )
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before; {options.items:,} items, ", end="")
    print(f"histories of {options.length}, top {options.k}")
    questions = [question(options, np.random.default_rng(seed)) for seed in range(256)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "served"
        if options.target is None:
            subprocess.run([sys.executable, "-c", EXPORT, str(folder), str(options.items)], check=True)
        if "load" in options.only and options.target is None:
            print(loading(folder))
        if {"closed", "open"} & set(options.only):
            print(HEADER)
        if "closed" in options.only:
            if options.target is None:
                report("in process", "closed", [in_process(folder, questions, options.seconds)], options.seconds)
            for batching in (True,) if options.target else (True, False):
                with server(folder, options, batching) as (ports, _):
                    for protocol, target in ports.items():
                        for clients in options.clients:
                            times = closed(protocol, target, clients, questions, options.seconds)
                            report(f"{protocol}, {'' if batching else 'no '}batching", "closed", times, options.seconds)
        if "open" in options.only:
            with server(folder, options, True) as (ports, _):
                for rate in options.rates:
                    times = [at_rate(ports["gRPC"], rate, questions, options.seconds)]
                    report("gRPC, batching", f"{rate:g} a second", times, options.seconds)
        if "soak" in options.only:
            with server(folder, options, True) as (ports, process):
                soak(ports["gRPC"], process, questions, options)


def report(what: str, loop: str, times: list[list[float]], seconds: float) -> None:
    """A row of the table, from each client's latencies."""
    p50, p99, p999 = np.percentile(np.concatenate(times) * 1000, (50, 99, 99.9))
    n = sum(map(len, times))
    least = min(map(len, times)) * len(times) / n  # 1: an equal share for everybody; 0: somebody starved
    print(f"| {what} | {loop} | {len(times)} | {n / seconds:.0f} | {p50:.1f} | {p99:.1f} | {p999:.1f} | {least:.0%} |")


def question(options: argparse.Namespace, rng: np.random.Generator) -> PredictRequest:
    """A request of `recommend` for one user."""
    asked = PredictRequest()
    asked.model_spec.name, asked.model_spec.signature_name = MODEL, "recommend"
    history = np.append(-1, rng.choice(options.items, options.length, replace=False))
    for name, value in {"history": history[np.newaxis], "exclude": [[-1]], "candidates": [[-1]]}.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(value, tf.int64))
    asked.inputs["k"].CopyFrom(tf.make_tensor_proto([options.k], tf.int32))
    return asked


def loading(folder: Path) -> str:
    """Time and memory of a version in a fresh process."""
    done = subprocess.run([sys.executable, "-c", LOAD, str(folder / "1")], check=True, capture_output=True, text=True)
    loaded, first, memory = map(float, done.stdout.split())
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
    return f"{size:,.0f} MB on disk, loaded in {loaded:.1f} s, first answer after {first:.2f} s more, {memory:,.0f} MB"


def in_process(folder: Path, questions: list[PredictRequest], seconds: float) -> list[float]:
    """Latencies of the signature alone, without a server."""
    command = [sys.executable, "-c", IN_PROCESS, str(folder / "1"), str(seconds)]
    lines = "\n".join(asked.SerializeToString().hex() for asked in questions)
    return json.loads(subprocess.run(command, input=lines, check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def server(folder: Path, options: argparse.Namespace, batching: bool) -> Iterator[tuple[dict[str, str], Any]]:
    """Where a server listens, by protocol, and its process."""
    if options.target:
        yield {"gRPC": options.target, **({"REST": options.rest} if options.rest else {})}, None
        return
    command = [sys.executable, "-u", "-m", "kerasrec_cli", "serve", str(folder), "--port", "0", "--rest-port", "0"]
    command += [] if batching else ["--max-batch", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            yield dict(zip(("gRPC", "REST"), re.findall(r"127\.0\.0\.1:\d+", said), strict=True)), process
        finally:
            process.terminate()


@contextlib.contextmanager
def asking(protocol: str, target: str, questions: list[PredictRequest]) -> Iterator[Callable[[int], None]]:
    """A connection of one client: a function that asks the n-th question and waits for the answer."""
    if protocol == "gRPC":
        asked = [q.SerializeToString() for q in questions]
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(target, options) as channel:
            call = channel.unary_unary(METHOD)
            yield lambda n: call(asked[n % len(asked)], timeout=60)
        return
    columns = [{name: tf.make_ndarray(tensor).tolist() for name, tensor in q.inputs.items()} for q in questions]
    bodies = [json.dumps({"signature_name": "recommend", "inputs": inputs}) for inputs in columns]
    connection = http.client.HTTPConnection(target, timeout=60)

    def ask(n: int) -> None:
        connection.request("POST", f"/v1/models/{MODEL}:predict", bodies[n % len(bodies)])
        response = connection.getresponse()
        if b'"outputs"' not in response.read(20):
            raise RuntimeError(f"the server answered {response.status}")
        response.read()

    yield ask
    connection.close()


def closed(
    protocol: str, target: str, clients: int, questions: list[PredictRequest], seconds: float
) -> list[list[float]]:
    """Each client's latencies, where it asks again when it has its answer."""
    times: list[list[float]] = [[] for _ in range(clients)]
    ready = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        with asking(protocol, target, questions) as ask:
            ask(number)
            ready.wait()
            until = time.perf_counter() + seconds
            while (began := time.perf_counter()) < until:
                ask(number + clients * len(times[number]))
                times[number].append(time.perf_counter() - began)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    for thread in threads:
        thread.join()
    return times


def at_rate(target: str, rate: float, questions: list[PredictRequest], seconds: float) -> list[float]:
    """Latencies where requests come as a Poisson process; the wait of those that are sent late counts."""
    asked = [q.SerializeToString() for q in questions]
    due = np.cumsum(np.random.default_rng(0).exponential(1 / rate, int(rate * seconds)))
    times: list[float] = []
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(METHOD)
        call(asked[0])
        began, pending = time.perf_counter(), []
        for n, moment in enumerate(due):
            time.sleep(max(began + moment - time.perf_counter(), 0))
            answer = call.future(asked[n % len(asked)], timeout=60)
            answer.add_done_callback(lambda _, m=moment: times.append(time.perf_counter() - began - m))  # type: ignore[misc]
            pending.append(answer)
        for answer in pending:
            answer.result()
    return times


def soak(target: str, process: Any, questions: list[PredictRequest], options: argparse.Namespace) -> None:
    """The server's memory after each twentieth of many requests."""
    seen = psutil.Process(process.pid)
    print("\n| requests | resident MB |\n|---:|---:|")
    each = options.requests // 20 // 16
    for part in range(21):
        if part:
            threads = [threading.Thread(target=ask_often, args=(target, questions, each)) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(f"| {part * each * 16:,} | {seen.memory_info().rss / 2**20:,.0f} |", flush=True)


def ask_often(target: str, questions: list[PredictRequest], times: int) -> None:
    """One client, so many requests."""
    with asking("gRPC", target, questions) as ask:
        for n in range(times):
            ask(n)


if __name__ == "__main__":
    main()
