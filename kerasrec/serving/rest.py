"""TF Serving's REST protocol over HTTP, and metrics for Prometheus."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import grpc
import uvicorn
from prometheus_client import exposition
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.classify import CLASSIFY, REGRESS, reject_signature_method
from kerasrec.serving.errors import RequestError
from kerasrec.serving.http_connections import Connection, Connections
from kerasrec.serving.listening import host_port, listen_error, listening_socket
from kerasrec.serving.logs import request_id
from kerasrec.serving.messages import metadata_response, status_response
from kerasrec.serving.rest_json import error_json, message_json, parse_body, predict_json, read_arrays
from kerasrec.serving.service import Service, n_elements, to_thread_if_large
from kerasrec.serving.text_configs import DEFAULT_METRICS_PATH
from kerasrec.serving.tls import TLS

_MODEL = r"/([^/:]+)"
_VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
ORIGIN = re.compile("^https?://[^/]*", re.IGNORECASE)
"""What precedes the path if a client sends the whole address, as to a proxy (RFC 9112, 3.2.2)."""

PATHS = re.compile("/v1/.*", re.IGNORECASE | re.DOTALL)
POST_PATH = re.compile(f"/v1/models{_MODEL}{_VERSION}:(classify|regress|predict)", re.IGNORECASE)
GET_PATH = re.compile(f"/v1/models(?:{_MODEL})?{_VERSION}(?:/(metadata))?", re.IGNORECASE)
"""The patterns of TF Serving (`http_rest_api_util.cc`)."""

OPERATIONS = {"predict": "Predict", "classify": "Classify", "regress": "Regress", "metadata": "GetModelMetadata"}
MAX_VERSION = 2**63 - 1
MAX_VERSION_DIGITS = 19
METRICS_PATHS = ("/metrics", DEFAULT_METRICS_PATH)
TIMEOUT = 60.0
"""Seconds to receive a request, and seconds to answer it: HTTP has no deadlines."""

CORS_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]
"""As TF Serving with `--rest_api_enable_cors_support`."""

MAX_BUFFERED_REQUESTS = 16
"""Bytes of all requests in memory, as a multiple of the largest request."""

HTTP_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class Response(NamedTuple):
    """Status code, body and content type."""

    code: int
    body: bytes
    content_type: str = "application/json"


class Rest:
    """The HTTP server; it runs in the event loop in which it is started."""

    def __init__(
        self,
        service: Service,
        host: str,
        port: int,
        tls: TLS | None,
        max_connections: int,
        metrics_paths: Collection[str] = METRICS_PATHS,
        cors: bool = False,
    ) -> None:
        self.service = service
        self.host = host
        self.port = port
        self.max_request_bytes = service.limits.max_request_bytes
        self.connections = Connections(max_connections, service.limits.header_timeout)
        self.metrics_paths = metrics_paths
        self._extra_headers = CORS_HEADERS if cors else []
        self._n_buffered_bytes = 0
        tls_options: dict[str, Any] = {}
        if tls is not None:
            tls_options = {"ssl_certfile": tls.cert, "ssl_keyfile": tls.key, "ssl_ca_certs": tls.ca}
            tls_options["ssl_cert_reqs"] = ssl.CERT_NONE if tls.ca is None else ssl.CERT_REQUIRED
        # Loop and protocol are explicit: other installed packages must not change the behaviour.
        self._config = uvicorn.Config(
            self._application,
            loop="asyncio",
            http="h11",
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            **tls_options,
        )
        self._server = uvicorn.Server(self._config)
        self._running: asyncio.Task[None] | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._listening: socket.socket | None = None

    async def start(self) -> None:
        """Listens.

        Raises:
            OSError: The port is in use.
        """
        try:
            listening = listening_socket(self.host, self.port)
        except OSError as error:
            raise OSError(listen_error(host_port(self.host, self.port), error, "rest_port")) from None
        self.port = listening.getsockname()[1]
        self._config.load()
        self._listening = listening
        self._running = asyncio.create_task(self._server.serve([]))
        self._accepting = asyncio.create_task(
            self.connections.accept(listening, self._create_connection, self._config.ssl)
        )

    def _create_connection(self) -> Connection:
        loop = asyncio.get_running_loop()
        return Connection(self.connections, self._config, self._server.server_state, {}, loop)

    async def stop(self, grace: float) -> None:
        """Rejects new requests and gives running requests `grace` seconds to finish."""
        self._config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._accepting is not None and self._listening is not None:
            self._accepting.cancel()
            self._listening.close()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=grace + 5)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        headers = dict(scope["headers"])
        body = bytearray()
        try:
            await asyncio.wait_for(self._read_body(headers, receive, body), TIMEOUT)
            data = bytes(body)
            if b"gzip" in headers.get(b"content-encoding", b""):
                data = await to_thread_if_large(self.max_request_bytes, decompress, data, self.max_request_bytes)
            given_id = headers.get(b"x-request-id", b"").decode("latin-1")
            path = ORIGIN.sub("", scope["raw_path"].decode("latin-1"))
            response = await self.respond(scope["method"], path, data, given_id)
        except asyncio.TimeoutError:
            response = _error(408, f"the request did not arrive within {TIMEOUT:.0f} seconds")
        except _TooLong:
            response = _error(413, f"the request is longer than {self.max_request_bytes:,} bytes")
        except RequestError as error:
            response = _error(HTTP_CODES[error.code], str(error))
        except _Disconnected:
            return
        finally:
            self._n_buffered_bytes -= len(body)
        response_headers = [(b"content-type", response.content_type.encode())]
        response_headers.append((b"content-length", str(len(response.body)).encode()))
        response_headers += self._extra_headers
        if request_id.get():
            response_headers.append((b"x-request-id", request_id.get().encode()))
        if response.code in (408, 413, 429):
            response_headers.append((b"connection", b"close"))  # the rest of the body is not read
        await send({"type": "http.response.start", "status": response.code, "headers": response_headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _read_body(self, headers: Mapping[bytes, bytes], receive: Any, body: bytearray) -> None:
        if int(headers.get(b"content-length", b"0")) > self.max_request_bytes:
            raise _TooLong
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            part = message.get("body", b"")
            body += part
            self._n_buffered_bytes += len(part)
            if len(body) > self.max_request_bytes:
                raise _TooLong
            if self._n_buffered_bytes > MAX_BUFFERED_REQUESTS * self.max_request_bytes:
                reason = "the server is reading too many large requests. Fix: try again later"
                raise RequestError(reason, grpc.StatusCode.RESOURCE_EXHAUSTED)
            more = message.get("more_body", False)

    async def respond(self, method: str, path: str, body: bytes, given_id: str = "") -> Response:
        """The response to one request.

        Args:
            method: HTTP method.
            path: path of the request, without the query and not decoded.
            body: body of the request.
            given_id: id of the request that the client has sent.
        """
        if method == "GET" and path in self.metrics_paths:
            metrics = exposition.generate_latest(self.service.metrics.registry)
            return Response(200, metrics, exposition.CONTENT_TYPE_LATEST)
        if not PATHS.fullmatch(path):
            return _error(404, f"{path} not found. Paths: /v1/models/NAME, /v1/models/NAME:predict and /metrics")
        if method == "OPTIONS" and self._extra_headers:
            return Response(200, b"")
        try:
            operation, spec = parse_path(method, path)
            with self.service.request("rest", operation, spec.name, given_id):
                return Response(200, await self._answer(operation, spec, body))
        except RequestError as error:
            return _error(HTTP_CODES.get(error.code, 500), str(error))

    async def _answer(self, operation: str, spec: ModelSpec, body: bytes) -> bytes:
        if operation == "GetModelStatus":
            return message_json(status_response(self.service.models.status(spec)))
        if operation == "GetModelMetadata":
            return message_json(metadata_response(self.service.models, spec))
        fields = await to_thread_if_large(len(body), parse_body, body)
        spec.signature_name = fields.get("signature_name", "")
        if operation != "Predict":
            reject_signature_method(self.service.models, spec, CLASSIFY if operation == "Classify" else REGRESS)
        _, outputs = await self.service.predict(
            spec, len(body), lambda servable, signature: read_arrays(servable, signature, fields), timeout=TIMEOUT
        )
        return await to_thread_if_large(n_elements(outputs), predict_json, outputs, "instances" in fields)


def parse_path(method: str, path: str) -> tuple[str, ModelSpec]:
    """The operation of a request, with the name of its gRPC method, and its model and version.

    Raises:
        RequestError: The path does not belong to the protocol, has no model, or its version is too large.
    """
    pattern = {"GET": GET_PATH, "POST": POST_PATH}.get(method)
    match = pattern.fullmatch(path) if pattern else None
    name, version, label, suffix = match.groups() if match else ("", None, None, None)
    if match is None or (method == "POST" and suffix not in OPERATIONS):  # TF Serving accepts only lower case here
        raise RequestError(f"Malformed request: {method} {path}")
    if not name:
        raise RequestError("Missing model name in request.")
    if version and (len(version) > MAX_VERSION_DIGITS or int(version) > MAX_VERSION):
        raise RequestError(f"Failed to convert version: {version} to numeric.")
    spec = ModelSpec(name=unquote(name), version_label=unquote(label or ""))
    if version:
        spec.version.value = int(version)
    return OPERATIONS.get(suffix or "", "GetModelStatus"), spec


def decompress(body: bytes, max_bytes: int) -> bytes:
    """A gzip body without its compression.

    Raises:
        _TooLong: The result is longer than `max_bytes`.
        RequestError: The body is not valid gzip.
    """
    decompressed, is_complete = bytearray(), False
    while body or not is_complete:  # a gzip file may have several members
        gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            decompressed += gzip.decompress(body, max_bytes + 1 - len(decompressed))
        except zlib.error as error:
            raise RequestError(f"the body is not valid gzip: {error}") from None
        if len(decompressed) > max_bytes:
            raise _TooLong
        if not gzip.eof:
            raise RequestError("the body is not valid gzip: it is incomplete")
        body, is_complete = gzip.unused_data, True
    return bytes(decompressed)


class _Disconnected(Exception):
    """The client closed the connection before its request arrived."""


class _TooLong(Exception):
    """The body is longer than the limit."""


def _error(code: int, message: str) -> Response:
    return Response(code, error_json(message))
