"""TF Serving's REST protocol over HTTP, and metrics for Prometheus."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from typing import Any, NamedTuple
from urllib.parse import unquote

import grpc
import uvicorn
from prometheus_client import exposition
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.errors import RequestError
from kerasrec.serving.messages import metadata_response, status_response
from kerasrec.serving.rest_json import error_json, message_json, parse_body, predict_json, read_arrays
from kerasrec.serving.service import Service, n_elements, to_thread_if_large
from kerasrec.serving.tls import TLS

PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?"
    r"(?P<operation>/metadata|:predict)?"
)
METHODS = {":predict": "Predict", "/metadata": "GetModelMetadata", None: "GetModelStatus"}
METRICS_PATHS = ("/metrics", "/monitoring/prometheus/metrics")  # the second is TF Serving's default
TIMEOUT = 60.0
"""Seconds to receive a request, and seconds to answer it: HTTP has no deadlines."""

HTTP_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
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

    def __init__(self, service: Service, host: str, port: int, tls: TLS | None, max_request_bytes: int) -> None:
        self.service = service
        self.host = host
        self.port = port
        self.max_request_bytes = max_request_bytes
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

    async def start(self) -> None:
        """Listens.

        Raises:
            OSError: The port is in use.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # With the protocol IPPROTO_TCP asyncio disables Nagle's algorithm, which delays answers by 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host.strip("[]"), self.port))
        except OSError:
            listening.close()
            message = f"cannot listen on {self.host}:{self.port}. Fix: choose a free port with `rest_port`"
            raise OSError(message) from None
        self.port = listening.getsockname()[1]
        self._running = asyncio.create_task(self._server.serve([listening]))

    async def stop(self, grace: float) -> None:
        """Rejects new requests and gives running requests `grace` seconds to finish."""
        self._config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._running is not None:
            await asyncio.wait([self._running], timeout=grace + 5)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        try:
            body = await asyncio.wait_for(self._read_body(scope, receive), TIMEOUT)
        except asyncio.TimeoutError:
            response = _error(408, f"the request did not arrive within {TIMEOUT:.0f} seconds")
        except _Disconnected:
            return
        else:
            if body is None:
                response = _error(413, f"the request is longer than {self.max_request_bytes:,} bytes")
            else:
                response = await self.respond(scope["method"], scope["path"], body)
        headers = [(b"content-type", response.content_type.encode())]
        headers.append((b"content-length", str(len(response.body)).encode()))
        if response.code in (408, 413):
            headers.append((b"connection", b"close"))  # the rest of the body is not read
        await send({"type": "http.response.start", "status": response.code, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _read_body(self, scope: Any, receive: Any) -> bytes | None:
        """The body, or None if it is too long."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if int(length) > self.max_request_bytes:
            return None
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            body += message.get("body", b"")
            if len(body) > self.max_request_bytes:
                return None
            more = message.get("more_body", False)
        return bytes(body)

    async def respond(self, method: str, path: str, body: bytes) -> Response:
        """The response to one request."""
        if method == "GET" and path in METRICS_PATHS:
            return Response(200, exposition.generate_latest(self.service.metrics), exposition.CONTENT_TYPE_LATEST)
        match = PATH.fullmatch(path)
        if match is None or method != ("POST" if match["operation"] == ":predict" else "GET"):
            return _error(
                404,
                f"{method} {path} not found. Paths: POST /v1/models/NAME:predict, GET /v1/models/NAME, "
                "GET /v1/models/NAME/metadata and GET /metrics",
            )
        spec = ModelSpec(name=unquote(match["name"]), version_label=unquote(match["label"] or ""))
        if match["version"]:
            spec.version.value = int(match["version"])
        grpc_method = METHODS[match["operation"]]
        try:
            with self.service.request("rest", grpc_method, spec.name):
                if grpc_method == "Predict":
                    return Response(200, await self._predict(spec, body))
                if grpc_method == "GetModelMetadata":
                    return Response(200, message_json(metadata_response(self.service.models, spec)))
                return Response(200, message_json(status_response(self.service.models.status(spec))))
        except RequestError as error:
            return _error(HTTP_CODES.get(error.code, 500), str(error))

    async def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        fields = await to_thread_if_large(len(body), parse_body, body)
        spec.signature_name = fields.get("signature_name", "")
        _, outputs = await self.service.predict(
            spec, len(body), lambda servable, signature: read_arrays(servable, signature, fields), timeout=TIMEOUT
        )
        return await to_thread_if_large(n_elements(outputs), predict_json, outputs, "instances" in fields)


class _Disconnected(Exception):
    """The client closed the connection before its request arrived."""


def _error(code: int, message: str) -> Response:
    return Response(code, error_json(message))
