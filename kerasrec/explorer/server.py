"""Serves the page and its questions on this machine alone, or writes both into one file."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from kerasrec.explorer.answers import Explorer, Question

PAGE = Path(__file__).with_name("page")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
ASKED = ("explain", "why", "draws", "prefixes", "weights", "losses")
"""The questions about somebody's list: methods of `Explorer`."""

MAX_BYTES = 1_000_000
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"


class PageServer:
    """An HTTP server of the page for one or two runs, on 127.0.0.1.

    Args:
        explorers: one, or two to compare.
        port: 0 takes any free one.

    Raises:
        OSError: the port is taken.
        ValueError: the two runs have no item in common.
    """

    def __init__(self, explorers: Sequence[Explorer], port: int = 0) -> None:
        check_related(explorers)
        asking = threading.Lock()  # layers are watched while they compute: one question at a time

        class Handler(_Handler):
            runs = explorers
            lock = asking

        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise OSError(f"cannot listen on port {port}: {error.strerror}; choose another with --port") from None
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}/"

    def serve(self) -> None:
        """Answers until it is interrupted."""
        self._http.serve_forever()

    def __enter__(self) -> PageServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


def check_related(explorers: Sequence[Explorer]) -> None:
    """Refuses two runs whose catalogues have nothing in common, of which no list could be asked of both.

    Raises:
        ValueError: they are such runs.
    """
    first, *others = (explorer.train.item_ids for explorer in explorers)
    for other in others:
        if first.dtype.kind != other.dtype.kind or not np.isin(first, other).any():
            raise ValueError("these runs know no item in common: explore runs of the same data together")


def about(explorers: Sequence[Explorer]) -> dict[str, Any]:
    """What the page asks first: the runs, and somebody to begin with."""
    first = explorers[0]
    question = first.somebody()
    return {"runs": [e.about() for e in explorers], "somebody": first.user(question.user)}


def answer(explorers: Sequence[Explorer], name: str, run: int, question: Question, seed: int = 0) -> Any:
    """The answer to one of the questions in `ASKED`.

    Raises:
        ValueError: there is no such question or run, or that run cannot answer it.
    """
    if name not in ASKED:
        raise ValueError(f"no question {name!r}")
    if not 0 <= run < len(explorers):
        raise ValueError(f"no run {run}")
    asked = getattr(explorers[run], name)
    return asked(question, seed) if name == "draws" else asked(question)


def saved_page(explorers: Sequence[Explorer], question: Question | None = None) -> str:
    """The page with all answers about one person in it, as one HTML file that needs no server.

    Args:
        explorers: one, or two to compare.
        question: whose list; a test user's where absent.

    Raises:
        ValueError: the two runs have no item in common.
    """
    check_related(explorers)
    first = explorers[0]
    question = question or first.somebody()
    beginning = about(explorers)
    known = [first._item_of(i) for i in question.history if i in first]
    beginning["somebody"] = {"user": question.user, "history": known, "ratings": question.ratings}
    answers = {}
    for run in range(len(explorers)):
        facts = beginning["runs"][run]
        absent = {"draws": not facts["draws"], "prefixes": not facts["ordered"], "weights": not facts["weights"]}
        for name in ASKED:
            if not absent.get(name):
                answers[f"{name} {run}"] = answer(explorers, name, run, question)
    # Within a script element only "</" could end it.
    data = json.dumps({"about": beginning, "answers": answers}, ensure_ascii=False).replace("</", "<\\/")
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("style.css", "app.js"))
    page = page.replace('<link rel="stylesheet" href="style.css">', f"<style>\n{style}</style>")
    embedded = f'<script type="application/json" id="saved">{data}</script>\n<script type="module">\n{script}</script>'
    return page.replace('<script type="module" src="app.js"></script>', embedded)


class _Handler(BaseHTTPRequestHandler):
    runs: Sequence[Explorer] = ()
    lock: threading.Lock
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 (the name that http.server calls)
        if self._foreign():
            return
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path.startswith("/api/"):
            self._answer(lambda: self._look_up(address.path.removeprefix("/api/"), asked))
            return
        file = PAGE / (address.path.lstrip("/") or "index.html")
        if file.parent != PAGE or not file.is_file():
            self._send(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
            return
        self._send(HTTPStatus.OK, file.read_bytes(), TYPES[file.suffix])

    def do_POST(self) -> None:  # noqa: N802
        if self._foreign():
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BYTES or self.headers.get_content_type() != "application/json":
            self.close_connection = True
            self._send(HTTPStatus.BAD_REQUEST, b"send JSON of at most 1 MB", "text/plain")
            return
        body = self.rfile.read(length)
        name = urlsplit(self.path).path.removeprefix("/api/")
        if name == "save":
            self._answer(lambda: {"html": saved_page(self.runs, Question.parse(_object(body)))})
            return
        self._answer(lambda: self._asked(name, _object(body)), alone=name != "losses")

    def _look_up(self, name: str, asked: dict[str, str]) -> Any:
        first = self.runs[0]
        if name == "about":
            return about(self.runs)
        if name == "items":
            return first.items(asked.get("q", ""))
        if name == "users":
            return first.users(asked.get("q", ""))
        if name == "user":
            text = asked.get("id", "")
            return first.user(first.question_of(text).user)
        raise ValueError(f"no question {name!r}")

    def _asked(self, name: str, body: dict[str, Any]) -> Any:
        run, seed = body.get("run", 0), body.get("seed", 0)
        if type(run) is not int or type(seed) is not int or seed < 0:
            raise ValueError("`run` and `seed` must be whole numbers")
        return answer(self.runs, name, run, Question.parse(body), seed)

    def _answer(self, ask: Any, alone: bool = True) -> None:
        try:
            with self.lock if alone else nullcontext():  # the losses have models of their own, and take seconds
                found = ask()
        except ValueError as error:
            self._send(HTTPStatus.BAD_REQUEST, json.dumps({"error": str(error)}).encode(), "application/json")
            return
        self._send(HTTPStatus.OK, json.dumps(found, ensure_ascii=False).encode(), "application/json")

    def _foreign(self) -> bool:
        """Refuses pages of other sites, whose name may lead to this machine."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host in ("127.0.0.1", "localhost"):
            return False
        self._send(HTTPStatus.FORBIDDEN, b"ask 127.0.0.1", "text/plain")
        return True

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for the address."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise ValueError(f"the request is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("the request must be a JSON object")
    return found
