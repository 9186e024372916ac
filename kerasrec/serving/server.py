"""A server of exported models with TF Serving's gRPC and REST protocols, for laptops, Colab and tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Collection, Coroutine
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import add_PredictionServiceServicer_to_server

from kerasrec.extras import install_command
from kerasrec.serving.batching import Batching
from kerasrec.serving.grpc_services import InvalidMessages, ModelManagement, Prediction
from kerasrec.serving.limits import Limits
from kerasrec.serving.listening import host_port, listen_error, listening_socket
from kerasrec.serving.model_config import config_for_folder, read_config
from kerasrec.serving.service import Service
from kerasrec.serving.text_configs import DEFAULT_METRICS_PATH
from kerasrec.serving.tls import TLS
from kerasrec.serving.versions import Models

MAX_RUNNING = 1024
"""gRPC calls at the same time; further ones are rejected before their message is read."""

IDLE_SECONDS = 600
"""A gRPC connection without calls is closed after this time; clients open a new one with their next call."""

T = TypeVar("T")

SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


class Server:
    """Serves SavedModels with TF Serving's protocols.

    gRPC: Predict, GetModelMetadata, GetModelStatus, HandleReloadConfigRequest, health and
    reflection. REST, if `rest_port` is set: `/v1/models/NAME:predict` in row and column format,
    `/v1/models/NAME`, `/v1/models/NAME/metadata`, and `/metrics` for Prometheus. The same client
    works with this server and with TF Serving, which is the server for production.

    The server checks the folders for changes. A new version serves once it is loaded and warmed up;
    the old version is unloaded after its last request. A version that cannot be loaded changes
    nothing; its status contains the error.

    Args:
        path: folder of a model, whose highest version is served; folder of one version; or a
            `models.config` file as for TF Serving's `--model_config_file`, with several models,
            their versions (`latest`, `all`, `specific`) and labels.
        model: name of the model in requests; if omitted, the name of its folder.
        host: address to listen on, also of IPv6; 127.0.0.1 accepts only connections from this machine.
        port: gRPC port (8500, as TF Serving); 0 selects a free port, see the attribute `port`.
        rest_port: REST port (TF Serving: 8501); 0 selects a free port, see the attribute `rest_port`;
            no REST if omitted. Needs the extra `serve`.
        batching: how requests of several clients are merged.
        tls: certificate and key of the server, and the authority of its clients; no encryption if omitted.
        poll: seconds between two checks of the folders and of the `models.config` file; 0 disables them.
        limits: the largest requests, and the number of connections.
        metrics_paths: REST paths of the Prometheus metrics.
        cors: whether web pages of other origins may read REST answers.

    Raises:
        FileNotFoundError: `path` contains no SavedModel.
        ValueError: `path` is not a valid `models.config`, or `model` is set although `path` is a file.

    Example:
        >>> with Server("served", port=0) as server:  # doctest: +SKIP
        ...     Client(f"127.0.0.1:{server.port}", model="served").recommend([[3, 5]], k=10)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: str | None = None,
        host: str = "127.0.0.1",
        port: int = 8500,
        rest_port: int | None = None,
        *,
        batching: Batching = Batching(),  # noqa: B008 (it is immutable)
        tls: TLS | None = None,
        poll: float = 1.0,
        limits: Limits = Limits(),  # noqa: B008
        metrics_paths: Collection[str] = ("/metrics", DEFAULT_METRICS_PATH),
        cors: bool = False,
    ) -> None:
        path = Path(path).resolve()
        if path.is_file() and model is not None:
            raise ValueError(f"expected no `model` for {path}, which names its models, got {model!r}")
        config = read_config(path) if path.is_file() else config_for_folder(path, model)
        self.host = host
        self.port = port
        self.poll = poll
        self.models = Models(config, path if path.is_file() else None)
        self.service = Service(self.models, batching, limits)
        self._credentials = None if tls is None else tls.server_credentials()
        max_connections = limits.connections_of(1 if rest_port is None else 2)
        self._rest: Any = None
        if rest_port is not None:
            try:
                from kerasrec.serving.rest import Rest
            except ImportError as error:
                raise ImportError(f"REST needs {error.name}. Fix: {install_command('serve')}") from None
            self._rest = Rest(self.service, host, rest_port, tls, max_connections, metrics_paths, cors)
        self._health = health.aio.HealthServicer()
        self._max_connections = max_connections
        self._grpc: grpc.aio.Server | None = None
        self._end_lame_duck = asyncio.Event()
        self._stopped = threading.Event()

    @property
    def rest_port(self) -> int | None:
        """The REST port; None without REST."""
        return None if self._rest is None else self._rest.port

    @property
    def address(self) -> str:
        """`host:port` of gRPC."""
        return host_port(self.host, self.port)

    @property
    def rest_address(self) -> str | None:
        """`host:port` of REST; None without REST."""
        return None if self._rest is None else host_port(self.host, self._rest.port)

    @property
    def names(self) -> list[str]:
        """The names of the served models."""
        return self.models.names

    def start(self) -> Server:
        """Listens, loads and warms up the models, then reports SERVING.

        Raises:
            OSError: A port is in use.
            ValueError: A model has no version that can be loaded.
        """
        try:
            listening_socket(self.host, self.port).close()  # gRPC would also print its own error
            self.port = _run_in_loop(self._listen(self.address))
        except (OSError, RuntimeError) as error:
            raise OSError(listen_error(self.address, error, "port")) from None
        try:
            if self._rest is not None:
                _run_in_loop(self._rest.start())
            self.models.start(self.poll)
        except BaseException:
            self.stop()
            raise
        _run_in_loop(self._set_health(health_pb2.HealthCheckResponse.SERVING))
        return self

    async def _listen(self, address: str) -> int:
        """Starts the gRPC server with the health NOT_SERVING and returns its port."""
        self._grpc = grpc.aio.server(
            interceptors=[InvalidMessages()],
            maximum_concurrent_rpcs=MAX_RUNNING,
            options=[
                ("grpc.so_reuseport", 0),  # a port in use must be an error, not a second server on it
                ("grpc.max_receive_message_length", self.service.limits.max_request_bytes),
                ("grpc.max_allowed_incoming_connections", self._max_connections),
                ("grpc.server_handshake_timeout_ms", round(self.service.limits.header_timeout * 1000)),
                ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", 128),  # calls without a message occupy memory
                # It counts streams that have ended but are not cleared, and so rejects busy clients of one connection.
                ("grpc.http.overload_protection", 0),
            ],
        )
        add_PredictionServiceServicer_to_server(Prediction(self.service), self._grpc)
        add_ModelServiceServicer_to_server(ModelManagement(self.service), self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc)
        if self._credentials is None:
            port = self._grpc.add_insecure_port(address)
        else:
            port = self._grpc.add_secure_port(address, self._credentials)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._grpc.start()
        return int(port)

    def stop(self, grace: float = 1.0, lame_duck: float = 0.0) -> None:
        """Stops the server without failing the requests that it has accepted.

        The health becomes NOT_SERVING, and for `lame_duck` seconds requests are still answered, so
        that load balancers can select other servers. Then new requests are rejected with
        UNAVAILABLE, which clients retry at another server, and running requests are finished.

        Args:
            grace: most seconds for the running requests.
            lame_duck: seconds in which requests are still answered; a second call without it ends them.
        """
        _run_in_loop(self._shut_down(grace, lame_duck))
        self.models.stop()
        self._stopped.set()

    async def _shut_down(self, grace: float, lame_duck: float) -> None:
        await self._health.enter_graceful_shutdown()
        if not lame_duck:
            self._end_lame_duck.set()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._end_lame_duck.wait(), lame_duck)
        await self.service.drain(grace)
        stopping: list[Awaitable[None]] = [] if self._grpc is None else [self._grpc.stop(grace)]
        if self._rest is not None:
            stopping.append(self._rest.stop(grace))
        await asyncio.gather(*stopping)
        self.service.batcher.close()

    def wait(self, timeout: float | None = None) -> None:
        """Blocks until the server is stopped, or for `timeout` seconds."""
        self._stopped.wait(timeout)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def _set_health(self, status: int) -> None:
        for service in ("", *SERVICES):
            await self._health.set(service, status)


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """The event loop of all servers of this process: with several loops, gRPC wakes all of them for each event."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="kerasrec-serve", daemon=True).start()
    return loop


def _run_in_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in the event loop of the servers and waits for its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, _event_loop()).result()
