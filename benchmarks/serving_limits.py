"""How much misbehaving clients delay the others: slow sockets, oversized requests, many short connections.

    python benchmarks/serving_limits.py                     # against the working tree
    python benchmarks/serving_limits.py --connections 20000 # fewer short connections

Starts `kerasrec serve` in a process that may open 256 files. Clients that keep their connections send requests over
gRPC and REST while the misbehaving clients run in another process. Prints a Markdown table with the latencies of the
well-behaved clients, the memory of the server and the lines of its log.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import psutil
from serving import EXPORT, MODEL, add_request_options, client, random_request

N_FILES = 256
SERVE = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({N_FILES}, {N_FILES}))
from kerasrec_cli import main
sys.argv[0] = "kerasrec"
main()
"""
HEADER = """
| misbehaving clients | requests/s | p50 ms | p99 ms | failed | server MB | log lines |
|---|---:|---:|---:|---:|---:|---:|"""


def main() -> None:
    """Reads the command line and prints a row for each kind of misbehaviour."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_request_options(parser)
    parser.add_argument("--clients", type=int, default=4, help="well-behaved clients of each protocol")
    parser.add_argument("--connections", type=int, default=100_000, help="short connections")
    options = parser.parse_args()
    requests = [random_request(options, np.random.default_rng(seed)) for seed in range(64)]
    with tempfile.TemporaryDirectory() as temporary:
        folder, log = Path(temporary) / "served", Path(temporary) / "log"
        subprocess.run([sys.executable, "-c", EXPORT, str(folder), str(options.items)], check=True)
        with server(folder, log) as (process, grpc_port, rest_port):
            large = large_body(options.items, 1000, 1000)
            scenarios: dict[str, tuple[Any, ...]] = {
                "none": (idle_sockets, (), 0),
                "300 idle sockets at each port": (idle_sockets, (grpc_port, rest_port), 300),
                "requests above the size limit": (post_all, rest_port, b" " * 2**25, 6),
                f"6 × {len(large) / 2**20:.0f} MB of 1,000 users": (post_all, rest_port, large, 6),
                f"{options.connections:,} connections": (connect, rest_port, options.connections),
            }
            print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before; {N_FILES} open files")
            print(HEADER)
            for name, misbehaviour in scenarios.items():
                with others_running(*misbehaviour) as others:
                    latencies, n_failed = well_behaved(options, grpc_port, rest_port, requests, others, name)
                p50, p99 = np.percentile(latencies, (50, 99)) * 1000
                memory = psutil.Process(process.pid).memory_info().rss / 2**20
                n_lines = len(log.read_text(errors="replace").splitlines())
                rate = len(latencies) / sum(latencies) * 2 * options.clients
                print(
                    f"| {name} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {n_failed} | {memory:,.0f} | {n_lines} |",
                    flush=True,
                )


@contextlib.contextmanager
def server(folder: Path, log: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A server process and its ports."""
    command = [sys.executable, "-u", "-c", SERVE, "serve", str(folder), "--port", "0", "--rest-port", "0"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            grpc_port, rest_port = (int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", line))
            yield process, grpc_port, rest_port
        finally:
            process.kill()


class Others(NamedTuple):
    """The process of the misbehaving clients."""

    process: BaseProcess
    begin: Event


@contextlib.contextmanager
def others_running(misbehave: Callable[..., None], *arguments: Any) -> Iterator[Others]:
    """A process of misbehaving clients, which `begin` starts and the end of the context stops.

    In this process, they would hold the interpreter's lock of the well-behaved clients.
    """
    spawn = multiprocessing.get_context("spawn")
    ready, begin, stop = spawn.Event(), spawn.Event(), spawn.Event()
    process = spawn.Process(target=run_others, args=(ready, begin, stop, misbehave, *arguments))
    process.start()
    ready.wait()
    try:
        yield Others(process, begin)
    finally:
        begin.set()
        stop.set()
        process.join()


def run_others(ready: Event, begin: Event, stop: Event, misbehave: Callable[..., None], *arguments: Any) -> None:
    """Misbehaves between two events."""
    ready.set()
    begin.wait()
    misbehave(*arguments, stop)


def well_behaved(
    options: argparse.Namespace,
    grpc_port: int,
    rest_port: int,
    requests: list[Any],
    others: Others,
    name: str,
) -> tuple[list[float], int]:
    """Latencies in seconds and failures of clients that keep their connections, while others misbehave."""
    latencies: list[float] = []
    failures: list[Exception] = []
    connected = threading.Barrier(2 * options.clients + 1)
    end = math.inf
    waits_for_others = name.endswith("connections")

    def is_running() -> bool:
        return time.perf_counter() < end or (waits_for_others and others.process.is_alive())

    def ask(send: Callable[[int], None]) -> None:
        send(0)
        connected.wait()
        number = 1
        while is_running():
            start = time.perf_counter()
            try:
                send(number)
                latencies.append(time.perf_counter() - start)
            except Exception as error:
                failures.append(error)
                time.sleep(0.1)
            number += 1

    def run_client(protocol: str, port: int) -> None:
        with client(protocol, f"127.0.0.1:{port}", requests) as send:
            ask(send)

    threads = [
        threading.Thread(target=run_client, args=address)
        for address in (("gRPC", grpc_port), ("REST", rest_port))
        for _ in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    connected.wait()
    others.begin.set()
    end = time.perf_counter() + options.seconds
    for thread in threads:
        thread.join()
    return latencies, len(failures)


def large_body(n_items: int, n_users: int, length: int) -> bytes:
    """A legal request of many users with long histories."""
    rng = np.random.default_rng(0)
    rows = np.insert(rng.integers(0, n_items, (n_users, length)), 0, -1, axis=1)
    return json.dumps({"inputs": {"history": rows.tolist()}}).encode()


def idle_sockets(ports: tuple[int, ...], number: int, stop: Event) -> None:
    """Opens sockets that never send, and opens closed ones again."""
    sockets: list[socket.socket] = []
    while not stop.is_set():
        for port in ports:
            for _ in range(number):
                with contextlib.suppress(OSError):
                    sockets.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        stop.wait(5)
        for connection in sockets:
            connection.close()
        sockets.clear()


def post_all(port: int, body: bytes, n_clients: int, stop: Event) -> None:
    """Sends the same body again and again from several clients."""

    def post() -> None:
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("POST", f"/v1/models/{MODEL}:predict", body)
                connection.getresponse().read()
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def connect(port: int, number: int, stop: Event) -> None:
    """Opens and closes connections one after another."""
    for _ in range(number):
        if stop.is_set():
            return
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()


if __name__ == "__main__":
    main()
