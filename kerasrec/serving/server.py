"""A server of exported models that speaks TF Serving's gRPC and REST, for a laptop, Colab and tests."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_management_pb2, predict_pb2
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

from kerasrec.serving.batching import Batching
from kerasrec.serving.messages import metadata, spec_of, status
from kerasrec.serving.servable import RequestError, tensor_proto
from kerasrec.serving.service import Service, aside, entries
from kerasrec.serving.tls import TLS
from kerasrec.serving.versions import Models, config_of, read_config
from kerasrec.types import Array

MAX_REQUEST_BYTES = 64 * 1024 * 1024
T = TypeVar("T")

SERVICES = (
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
    health.SERVICE_NAME,
    reflection.SERVICE_NAME,
)


class Server:
    """Serves SavedModels with TF Serving's protocols, of which it is the faithful stand-in.

    Over gRPC: Predict, GetModelMetadata, GetModelStatus, HandleReloadConfigRequest, health and
    reflection. Over REST, where `rest_port` is given: `/v1/models/NAME:predict` in row and column
    format, `/v1/models/NAME`, `/v1/models/NAME/metadata`, and `/metrics` for Prometheus. The same
    client works against it and against TF Serving, which is the server for production.

    Folders are watched: a new version takes over once it is loaded and warmed up, and the old one
    is dropped when its last request is answered. A version that cannot be loaded changes nothing;
    its status says why.

    Args:
        path: a model's folder, of whose versions the highest is served, the folder of one version,
            or a `models.config` file as TF Serving's `--model_config_file`: several models, each
            with its versions (`latest`, `all`, `specific`) and labels.
        model: the name that clients ask for; the name of the model's folder where absent.
        host: address to listen on (127.0.0.1: this machine only).
        port: port for gRPC (8500, as TF Serving); 0 is any free one, see `port`.
        rest_port: port for REST (TF Serving has 8501); 0 is any free one, see `rest_port`; none
            where absent. Needs `pip install 'kerasrec[serve]'`.
        batching: how requests of several clients are answered together.
        tls: certificate and key of the server, and whose clients it answers; no encryption where absent.
        poll: seconds between two looks at the folders; 0 looks only once.
        max_request_bytes: the longest request (64 MiB).

    Raises:
        FileNotFoundError: there is no SavedModel in `path`.
        ValueError: `path` is no valid `models.config`.

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
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        path = Path(path).resolve()
        if path.is_file() and model is not None:
            raise ValueError(f"{path} names its models itself: leave `model` out")
        config = read_config(path) if path.is_file() else config_of(path, model)
        self.host = host
        self.port = port
        self.poll = poll
        self.models = Models(config)
        self.service = Service(self.models, batching)
        self._credentials = None if tls is None else tls.of_server()
        self._rest: Any = None
        if rest_port is not None:
            try:
                from kerasrec.serving.rest import Rest
            except ImportError as error:
                raise ImportError(f"REST needs {error.name}: pip install 'kerasrec[serve]'") from None
            self._rest = Rest(self.service, host, rest_port, tls, max_request_bytes)
        self._health = health.aio.HealthServicer()
        self._max_request_bytes = max_request_bytes
        self._grpc: grpc.aio.Server | None = None
        self._stopped = threading.Event()

    @property
    def rest_port(self) -> int | None:
        """The port for REST."""
        return None if self._rest is None else self._rest.port

    @property
    def names(self) -> list[str]:
        """The models that it serves."""
        return self.models.names

    def start(self) -> Server:
        """Listens, loads the models, warms them up, and only then reports SERVING.

        Raises:
            OSError: a port is taken.
            ValueError: a model has no version that can be loaded.
        """
        address = f"{self.host}:{self.port}"
        try:
            socket.create_server((self.host, self.port)).close()  # gRPC would print what it cannot do as well
            self.port = _in_loop(self._listen(address))
        except (OSError, RuntimeError):
            raise OSError(f"cannot listen on {address}: is it taken? choose another port") from None
        try:
            if self._rest is not None:
                _in_loop(self._rest.start())
            self.models.start(self.poll)
        except BaseException:
            self.stop()
            raise
        _in_loop(self._set_health(health_pb2.HealthCheckResponse.SERVING))
        return self

    async def _listen(self, address: str) -> int:
        """Starts the gRPC server, not serving yet, and returns its port."""
        self._grpc = grpc.aio.server(
            interceptors=[_Messages()],
            options=[
                ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server on it
                ("grpc.max_receive_message_length", self._max_request_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", 128),  # calls that never send their message are held in memory
                # Counts streams that have ended but are not cleared yet, and so refuses busy clients of one connection.
                ("grpc.http.overload_protection", 0),
            ],
        )
        add_PredictionServiceServicer_to_server(_Prediction(self.service), self._grpc)
        add_ModelServiceServicer_to_server(_Status(self.service), self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection(SERVICES, self._grpc)
        if self._credentials is None:
            port = self._grpc.add_insecure_port(address)
        else:
            port = self._grpc.add_secure_port(address, self._credentials)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._grpc.start()
        return int(port)

    def stop(self, grace: float = 1.0) -> None:
        """Takes no more requests and gives those under way `grace` seconds."""
        _in_loop(self._end(grace))
        self.models.stop()
        self._stopped.set()

    async def _end(self, grace: float) -> None:
        await self._health.enter_graceful_shutdown()
        ending: list[Awaitable[None]] = [] if self._grpc is None else [self._grpc.stop(grace)]
        if self._rest is not None:
            ending.append(self._rest.stop(grace))
        await asyncio.gather(*ending)
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
        for service in ("", *SERVICES[:2]):
            await self._health.set(service, status)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all servers of this process: gRPC's of several would wake each other in vain."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="kerasrec-serve", daemon=True).start()
    return loop


def _in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Does something in the servers' event loop and waits for it."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


class _Messages(grpc.aio.ServerInterceptor):
    """Bytes that are no message are the client's fault; gRPC by itself says INTERNAL and logs a traceback for each."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None or handler.unary_unary is None:
                return handler
            self._handlers[method] = self._careful(handler)
        return self._handlers[method]

    @staticmethod
    def _careful(handler: Any) -> Any:
        def parsed(data: bytes) -> Any:
            try:
                return handler.request_deserializer(data)
            except DecodeError as error:
                return error

        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            if isinstance(request, DecodeError):
                message = f"the request is no message of this method: {request}"
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, parsed, handler.response_serializer)


def _method(answer: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """`answer(servicer, request, context)` as a gRPC method: counted, and what goes wrong becomes a status."""

    async def method(servicer: Any, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        model = request.model_spec.name if hasattr(request, "model_spec") else ""
        try:
            with servicer.service.counted("grpc", answer.__name__, model):
                return await answer(servicer, request, context)
        except RequestError as refused:
            await context.abort(refused.code, str(refused))

    return method


class _Prediction(PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @_method
    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> predict_pb2.PredictResponse:
        servable, outputs = await self.service.predict(
            request.model_spec,
            request.ByteSize(),
            lambda servable, signature: servable.parsed(signature, request.inputs),
            tuple(request.output_filter),
            context.time_remaining(),
        )
        response = await aside(entries(outputs), _response, outputs)
        response.model_spec.CopyFrom(spec_of(request.model_spec.name, servable.version))
        response.model_spec.signature_name = request.model_spec.signature_name or "serving_default"
        return response

    @_method
    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        for field in request.metadata_field:
            if field != "signature_def":
                raise RequestError(f"no metadata field {field!r}: there is signature_def")
        if not request.metadata_field:
            raise RequestError("`metadata_field` is missing: it must hold signature_def")
        return metadata(self.service, request.model_spec)


class _Status(ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @_method
    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> get_model_status_pb2.GetModelStatusResponse:
        return status(self.service.models.status(request.model_spec))

    @_method
    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> model_management_pb2.ReloadConfigResponse:
        await asyncio.to_thread(self.service.models.reload, request.config)  # loads what is new
        return model_management_pb2.ReloadConfigResponse()


def _response(outputs: Mapping[str, Array]) -> predict_pb2.PredictResponse:
    return predict_pb2.PredictResponse(outputs={name: tensor_proto(array) for name, array in outputs.items()})
