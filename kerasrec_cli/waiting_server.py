"""Serves the page of `kerasrec explore` while the library is imported, which takes seconds."""

from __future__ import annotations

import importlib.util
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

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
        self.page_files = _load_page_files()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: the reader closed the tab, or the command ends."""


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer

    def do_GET(self) -> None:  # noqa: N802 (the name that http.server calls)
        path = urlsplit(self.path).path
        page_files = self.server.page_files
        file = page_files.page_file(path)
        if path.startswith("/api/"):
            self.server.answered.wait(MAX_WAIT_SECONDS)
            self.send_response(HTTPStatus.TEMPORARY_REDIRECT)
            self.send_header("Location", self.path)
            body = b""
        elif file is not None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{file.content_type}; charset=utf-8")
            body = file.content
        else:
            self.send_response(HTTPStatus.NOT_FOUND)
            body = b""
        self.send_header("Content-Length", str(len(body)))
        for name, value in page_files.HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the terminal shows the address."""


def _load_page_files() -> ModuleType:
    """The module `kerasrec.explorer.page_files`, loaded without its package."""
    package = importlib.util.find_spec("kerasrec")
    if package is None or package.origin is None:
        raise ImportError("kerasrec is not installed")
    path = Path(package.origin).parent / "explorer" / "page_files.py"
    spec = importlib.util.spec_from_file_location("page_files", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
