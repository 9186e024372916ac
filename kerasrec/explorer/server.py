"""An HTTP server of the page, for this machine only."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tqdm.auto import tqdm

from kerasrec.explorer.api import answer, check_comparable, search
from kerasrec.explorer.explorer import Explorer
from kerasrec.explorer.page_files import HEADERS, page_file
from kerasrec.explorer.question import Question
from kerasrec.explorer.static_page import saved_page, to_json

MAX_BYTES = 1_000_000


class PageServer:
    """Serves the page for one or two runs on 127.0.0.1 in a background thread, until the context ends.

    The server listens at once. Without `explorers`, requests wait until `show` is called, so that the address can be
    printed before the models are loaded.

    Args:
        explorers: one, or two to compare; may follow in `show`.
        port: 0 selects a free one.
        listening: a socket that listens already, instead of `port`.

    Raises:
        OSError: the port is in use.
        ValueError: the two runs have no item in common.

    Example:
        >>> from kerasrec.explorer import PageServer
        >>> with PageServer() as server:
        ...     print(server.address.startswith("http://127.0.0.1:"))
        True
    """

    def __init__(
        self, explorers: Sequence[Explorer] = (), port: int = 0, listening: socket.socket | None = None
    ) -> None:
        if explorers:
            check_comparable(explorers)
        try:
            self._http = _HTTPServer(port, listening)
        except OSError as error:
            message = f"cannot listen on port {port}: {error.strerror}. Fix: choose another one with --port"
            raise OSError(message) from None
        self.port = self._http.socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        if explorers:
            self.show(explorers)

    def show(self, explorers: Sequence[Explorer]) -> None:
        """Answers waiting and later requests about these runs.

        Raises:
            ValueError: the two runs have no item in common.
        """
        check_comparable(explorers)
        self._http.explorers = explorers
        self._http.loaded.set()

    def prepare(self) -> None:
        """Computes each answer once, because the first time is slow: TensorFlow traces, `losses` trains two models."""
        explorers = self._http.explorers
        pairs = [(run, name) for run, explorer in enumerate(explorers) for name in explorer.answers if name != "losses"]
        pairs += [(run, "losses") for run in range(len(explorers))]
        for run, name in tqdm(pairs, "preparing the steps", unit="step", leave=False, disable=None):
            question = explorers[run].example_question()
            with self._http.lock_for(name):
                answer(explorers, name, run, question)

    def wait(self) -> None:
        """Blocks until the process is interrupted."""
        threading.Event().wait()

    def __enter__(self) -> PageServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, listening: socket.socket | None) -> None:
        self.explorers: Sequence[Explorer] = ()
        self.loaded = threading.Event()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler, bind_and_activate=listening is None)
        if listening is not None:
            self.socket.close()
            self.socket = listening

    def lock_for(self, name: str) -> Any:
        """The lock of a question: layers are recorded for one at a time. `losses` takes seconds and records none."""
        return nullcontext() if name == "losses" else self.lock

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the reader closed the tab
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 (the name that http.server calls)
        if self._refused_host():
            return
        url = urlsplit(self.path)
        if url.path.startswith("/api/"):
            parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
            name = url.path.removeprefix("/api/")
            self._answer(name, lambda: search(self.server.explorers, name, parameters))
            return
        file = page_file(url.path)
        if file is None:
            self._send(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
            return
        self._send(HTTPStatus.OK, *file)

    def do_POST(self) -> None:  # noqa: N802
        if self._refused_host():
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BYTES or self.headers.get_content_type() != "application/json":
            self.close_connection = True
            self._send(HTTPStatus.BAD_REQUEST, b"expected JSON of at most 1 MB", "text/plain")
            return
        body = self.rfile.read(length)
        name = urlsplit(self.path).path.removeprefix("/api/")
        self._answer(name, lambda: self._question(name, _json_object(body)))

    def _question(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        explorers, question = self.server.explorers, Question.parse(body)
        if name == "save":
            return {"html": saved_page(explorers, question)}
        run, seed = body.get("run", 0), body.get("seed", 0)
        if type(run) is not int or type(seed) is not int or seed < 0:
            raise ValueError(f"expected `run` and `seed` to be integers of at least 0, got {run!r} and {seed!r}")
        return answer(explorers, name, run, question, seed)

    def _answer(self, name: str, compute: Callable[[], Any]) -> None:
        self.server.loaded.wait()
        try:
            with self.server.lock_for(name):
                body = to_json(compute())
        except ValueError as error:
            self._send(HTTPStatus.BAD_REQUEST, to_json({"error": str(error)}).encode(), "application/json")
            return
        self._send(HTTPStatus.OK, body.encode(), "application/json")

    def _refused_host(self) -> bool:
        """Refuses requests for other host names: pages of other sites could resolve theirs to this machine."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host in ("127.0.0.1", "localhost"):
            return False
        self._send(HTTPStatus.FORBIDDEN, b"expected the host 127.0.0.1", "text/plain")
        return True

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the terminal shows the address."""


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ValueError(f"expected JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, got {type(content).__name__}")
    return content
