"""Serves the page of `kerasrec explore` while the library is imported, which takes seconds."""

from __future__ import annotations

import importlib.util
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"
"""As `kerasrec.explorer.server.POLICY`: it holds as long as the page is open."""

MAX_WAIT_SECONDS = 600.0


class WaitingServer:
    """Sends the files of the page, and lets its questions wait, until `PageServer` takes the socket over.

    A question is then redirected to its own address, where `PageServer` answers.

    Args:
        port: 0 selects a free one.

    Raises:
        OSError: the port is in use.
    """

    def __init__(self, port: int) -> None:
        try:
            self.socket = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            message = f"cannot listen on port {port}: {error.strerror}. Fix: choose another one with --port"
            raise OSError(message) from None
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        self.answered = threading.Event()
        self._http = _HTTPServer(self.socket, self.answered)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop_accepting(self) -> None:
        """Leaves new connections to another server of the socket."""
        self._http.shutdown()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, answered: threading.Event) -> None:
        self.answered = answered
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.page = page_folder()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: the reader closed the tab, or the command ends."""


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer

    def do_GET(self) -> None:  # noqa: N802 (the name that http.server calls)
        path = urlsplit(self.path).path
        file = self.server.page / (path.lstrip("/") or "index.html")
        if path.startswith("/api/"):
            self.server.answered.wait(MAX_WAIT_SECONDS)
            self.send_response(HTTPStatus.TEMPORARY_REDIRECT)
            self.send_header("Location", self.path)
            body = b""
        elif file.parent == self.server.page and file.is_file():
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{TYPES[file.suffix]}; charset=utf-8")
            body = file.read_bytes()
        else:
            self.send_response(HTTPStatus.NOT_FOUND)
            body = b""
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the terminal shows the address."""


def page_folder() -> Path:
    """The folder of the page's files, found without importing the library."""
    spec = importlib.util.find_spec("kerasrec")
    if spec is None or spec.origin is None:
        raise ImportError("kerasrec is not installed")
    return Path(spec.origin).parent / "explorer" / "page"
