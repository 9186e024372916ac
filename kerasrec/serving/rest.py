"""The REST form of TF Serving's protocol, and metrics for Prometheus."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import grpc
import numpy as np
import tensorflow as tf
import uvicorn
from google.protobuf import json_format
from prometheus_client import exposition
from tensorflow_serving.apis import get_model_metadata_pb2  # noqa: F401 (its types must be known to be printed)
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.messages import metadata, status
from kerasrec.serving.servable import MAX_ELEMENTS, RequestError, Servable, same_names
from kerasrec.serving.service import Service, aside, entries
from kerasrec.serving.tls import TLS
from kerasrec.types import Array

PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?(?P<what>/metadata|:predict)?"
)
METRICS = ("/metrics", "/monitoring/prometheus/metrics")  # the second is where TF Serving has them
JSON = "application/json"
TIMEOUT = 60.0
"""Seconds for a request to arrive, and for its answer to be made: HTTP has no deadlines."""

CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class Reply(NamedTuple):
    """What goes back."""

    code: int
    body: bytes
    kind: str = JSON


class Rest:
    """Answers HTTP, in the event loop in which it is started."""

    def __init__(self, service: Service, host: str, port: int, tls: TLS | None, max_request_bytes: int) -> None:
        self.service = service
        self.host = host
        self.port = port
        self.max_request_bytes = max_request_bytes
        secure: dict[str, Any] = {}
        if tls is not None:
            secure = {"ssl_certfile": tls.cert, "ssl_keyfile": tls.key, "ssl_ca_certs": tls.ca}
            secure["ssl_cert_reqs"] = ssl.CERT_NONE if tls.ca is None else ssl.CERT_REQUIRED
        # Explicit loop and protocol: what else is installed must not change how it behaves.
        self._config = uvicorn.Config(
            self._application,
            loop="asyncio",
            http="h11",
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            **secure,
        )
        self._server = uvicorn.Server(self._config)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens.

        Raises:
            OSError: the port is taken.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # With the protocol named, asyncio switches Nagle's algorithm off, which holds answers back for 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host.strip("[]"), self.port))
        except OSError:
            listening.close()
            message = f"cannot listen on {self.host}:{self.port}: is it taken? choose another REST port"
            raise OSError(message) from None
        self.port = listening.getsockname()[1]
        self._running = asyncio.create_task(self._server.serve([listening]))

    async def stop(self, grace: float) -> None:
        """Takes no more requests and gives those under way `grace` seconds."""
        self._config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._running is not None:
            await asyncio.wait([self._running], timeout=grace + 5)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        try:
            body = await asyncio.wait_for(self._body(scope, receive), TIMEOUT)
        except asyncio.TimeoutError:
            reply = _error(408, f"the request did not arrive within {TIMEOUT:.0f} seconds")
        except _Gone:
            return
        else:
            if body is None:
                reply = _error(413, f"the request is longer than {self.max_request_bytes:,} bytes")
            else:
                reply = await self.reply(scope["method"], scope["path"], body)
        headers = [(b"content-type", reply.kind.encode()), (b"content-length", str(len(reply.body)).encode())]
        if reply.code in (408, 413):
            headers.append((b"connection", b"close"))  # the rest of the body is not worth reading
        await send({"type": "http.response.start", "status": reply.code, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _body(self, scope: Any, receive: Any) -> bytes | None:
        """The body, None where it is too long."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if int(length) > self.max_request_bytes:
            return None
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > self.max_request_bytes:
                return None
            more = message.get("more_body", False)
        return bytes(body)

    async def reply(self, method: str, path: str, body: bytes) -> Reply:
        """The reply to one request."""
        if method == "GET" and path in METRICS:
            return Reply(200, exposition.generate_latest(self.service.metrics), exposition.CONTENT_TYPE_LATEST)
        found = PATH.fullmatch(path)
        wanted = "POST" if found and found["what"] == ":predict" else "GET"
        if found is None or method != wanted:
            return _error(
                404,
                f"no {method} {path} here: there are POST /v1/models/NAME:predict, GET /v1/models/NAME, "
                "GET /v1/models/NAME/metadata and GET /metrics",
            )
        spec = ModelSpec(name=unquote(found["name"]), version_label=unquote(found["label"] or ""))
        if found["version"]:
            spec.version.value = int(found["version"])
        what = {":predict": "Predict", "/metadata": "GetModelMetadata", None: "GetModelStatus"}[found["what"]]
        try:
            with self.service.counted("rest", what, spec.name):
                if what == "Predict":
                    return Reply(200, await self._predict(spec, body))
                told = (
                    metadata(self.service, spec)
                    if what == "GetModelMetadata"
                    else status(self.service.models.status(spec))
                )
                return Reply(200, _told(told))
        except RequestError as refused:
            return _error(CODES.get(refused.code, 500), str(refused))

    async def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        asked = await aside(len(body), _parsed, body)
        spec.signature_name = asked.get("signature_name", "")
        _, outputs = await self.service.predict(
            spec, len(body), lambda servable, signature: arrays(servable, signature, asked), timeout=TIMEOUT
        )
        return await aside(entries(outputs), _answered, outputs, "instances" in asked)


def _answered(outputs: Mapping[str, Array], by_row: bool) -> bytes:
    """The outputs of a signature as JSON, in row or column format."""
    lists = {name: _listed(name, array) for name, array in outputs.items()}
    single = next(iter(lists.values())) if len(lists) == 1 else None
    if not by_row:
        return json.dumps({"outputs": lists if single is None else single}, ensure_ascii=False).encode()
    rows = single
    if rows is None:
        rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return json.dumps({"predictions": rows}, ensure_ascii=False).encode()


class _Gone(Exception):
    """The client hung up before its request had arrived."""


def arrays(servable: Servable, signature: str, asked: Mapping[str, Any]) -> dict[str, Array]:
    """The inputs of a request in row format (`instances`) or column format (`inputs`).

    Raises:
        RequestError: they are not those of the signature.
    """
    expected = servable.signature(signature).inputs
    if "instances" in asked:
        columns = _columns(asked["instances"], expected)
    else:
        columns = asked["inputs"]
        if not isinstance(columns, dict):
            if len(expected) != 1:
                raise RequestError(f"`inputs` must be an object with {', '.join(sorted(expected))}")
            columns = {next(iter(expected)): columns}
    same_names(columns, expected, signature)
    return {name: _array(name, value, expected[name]) for name, value in columns.items()}


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from None
    if not isinstance(asked, dict):
        raise RequestError("the body must be a JSON object with `instances` or `inputs`")
    if ("instances" in asked) == ("inputs" in asked):
        raise RequestError("the body must have either `instances` (rows) or `inputs` (columns)")
    unknown = asked.keys() - {"instances", "inputs", "signature_name"}
    if unknown:
        raise RequestError(f"the body has no field `{min(unknown)}`: it has signature_name and instances or inputs")
    if not isinstance(asked.get("signature_name", ""), str):
        raise RequestError("`signature_name` must be a string")
    return asked


def _columns(instances: Any, expected: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(instances, list) or not instances:
        raise RequestError("`instances` must be a list with at least one row")
    if not isinstance(instances[0], dict):
        if len(expected) != 1:
            raise RequestError(f"`instances` must hold objects with {', '.join(sorted(expected))}")
        return {next(iter(expected)): instances}
    for number, row in enumerate(instances):
        if not isinstance(row, dict) or row.keys() != instances[0].keys():
            raise RequestError(f"`instances`: row {number} has other fields than row 0")
    return {name: [row[name] for row in instances] for name in instances[0]}


def _array(name: str, value: Any, expected: Any) -> Array:
    rank = len(expected.tensor_shape.dim)
    dtype = tf.as_dtype(expected.dtype)
    shape: list[int] = []
    _measure(name, value, 0, rank, shape)
    if np.prod(shape, dtype=float) > MAX_ELEMENTS:
        raise RequestError(f"`{name}` has a shape that is too large: {shape}")
    leaves = value
    for _ in range(rank - 1):
        leaves = [leaf for part in leaves for leaf in part]
    if dtype == tf.string:
        flat = np.empty(len(leaves), object)
        flat[:] = [_text(name, leaf) for leaf in leaves]
        return flat.reshape(shape)
    kinds = (int,) if dtype.is_integer else (int, float)
    for leaf in leaves:
        if type(leaf) not in kinds:
            raise RequestError(
                f"`{name}` must hold {'integers' if dtype.is_integer else 'numbers'}, not {_shown(leaf)}"
            )
    try:
        if dtype.is_integer:
            return np.array(leaves, dtype.as_numpy_dtype).reshape(shape)
        with np.errstate(over="ignore"):  # an infinite rating is refused in the graph
            return np.array(leaves, np.float64).astype(dtype.as_numpy_dtype).reshape(shape)
    except OverflowError:
        raise RequestError(f"`{name}` holds a number that is no {dtype.name}") from None


def _measure(name: str, value: Any, depth: int, rank: int, shape: list[int]) -> None:
    """Finds the shape of nested lists, and that all of a level are of the same length."""
    if depth == rank:
        if isinstance(value, list):
            raise RequestError(f"`{name}` must have {rank} dimensions, not more")
        return
    if not isinstance(value, list):
        raise RequestError(f"`{name}` must have {rank} dimensions, not {depth}")
    if len(shape) == depth:
        shape.append(len(value))
    elif shape[depth] != len(value):
        raise RequestError(f'`{name}` has rows of different lengths: pad them with "" or -1 (ratings with 0)')
    if not value and len(shape) == depth + 1:
        shape.extend([0] * (rank - depth - 1))
    for part in value:
        _measure(name, part, depth + 1, rank, shape)


def _text(name: str, leaf: Any) -> bytes:
    if isinstance(leaf, str):
        try:
            return leaf.encode()
        except UnicodeEncodeError:
            raise RequestError(f"`{name}` holds text that is no Unicode") from None
    if isinstance(leaf, dict) and leaf.keys() == {"b64"} and isinstance(leaf["b64"], str):
        try:
            return base64.b64decode(leaf["b64"], validate=True)
        except ValueError:
            raise RequestError(f"`{name}` holds a `b64` that is not base64") from None
    raise RequestError(f"`{name}` must hold strings, not {_shown(leaf)}")


def _shown(leaf: Any) -> str:
    text = json.dumps(leaf)
    return text if len(text) <= 40 else text[:40] + "…"


def _listed(name: str, array: Array) -> Any:
    if array.dtype != object:
        return array.tolist()
    if name.endswith("_bytes"):  # TF Serving's convention
        flat: list[Any] = [{"b64": base64.b64encode(value).decode()} for value in array.flat]
    else:
        flat = [value.decode("utf-8", "replace") for value in array.flat]
    listed = np.empty(array.size, object)
    listed[:] = flat
    return listed.reshape(array.shape).tolist()


def _told(message: Any) -> bytes:
    """A message as TF Serving prints it: field names as in the .proto, all fields."""
    told = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for one in told.get("model_version_status", ()):
        one.setdefault("status", {})
        one["status"] = {"error_code": "OK", "error_message": "", **one["status"]}
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()


def _error(code: int, message: str) -> Reply:
    return Reply(code, json.dumps({"error": message}, ensure_ascii=False).encode())
