"""A server of exported models that speaks TF Serving's gRPC and REST, for a laptop, Colab and tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_management_pb2, predict_pb2
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

from kerasrec.serving.batching import Batching
from kerasrec.serving.servable import Refused
from kerasrec.serving.service import Service
from kerasrec.serving.tls import TLS
from kerasrec.serving.versions import Models, Status, config_of, read_config

MAX_REQUEST_BYTES = 64 * 1024 * 1024

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
        workers: requests in hand at a time, those that wait for a batch included.

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
        workers: int = 288,
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
            self._rest = Rest(self.service, host, rest_port, tls, max_request_bytes, workers)
        self._health = health.HealthServicer()
        self._grpc = grpc.server(
            ThreadPoolExecutor(workers, thread_name_prefix="kerasrec-serve"),
            interceptors=[_Messages()],
            options=[
                ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server on it
                ("grpc.max_receive_message_length", max_request_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", 128),  # calls that never send their message hold a worker each
                # Counts streams that have ended but are not cleared yet, and so refuses busy clients of one connection.
                ("grpc.http.overload_protection", 0),
            ],
        )
        add_PredictionServiceServicer_to_server(_Prediction(self.service), self._grpc)
        add_ModelServiceServicer_to_server(_Status(self.service), self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection(SERVICES, self._grpc)

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
            if self._credentials is None:
                self.port = self._grpc.add_insecure_port(address)
            else:
                self.port = self._grpc.add_secure_port(address, self._credentials)
        except RuntimeError:
            raise OSError(f"cannot listen on {address}: is it taken? choose another port") from None
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._grpc.start()
        try:
            if self._rest is not None:
                self._rest.start()
            self.models.start(self.poll)
        except BaseException:
            self.stop()
            raise
        self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return self

    def stop(self, grace: float = 1.0) -> None:
        """Takes no more requests and gives those under way `grace` seconds."""
        self._health.enter_graceful_shutdown()
        until = time.monotonic() + grace
        ended = self._grpc.stop(grace)
        if self._rest is not None:
            self._rest.stop(grace)
        ended.wait(max(until - time.monotonic(), 0) + 5)
        self.models.stop()

    def wait(self, timeout: float | None = None) -> None:
        """Blocks until the server is stopped, or for `timeout` seconds."""
        self._grpc.wait_for_termination(timeout)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _set_health(self, status: int) -> None:
        for service in ("", *SERVICES[:2]):
            self._health.set(service, status)


class _Messages(grpc.ServerInterceptor):
    """Bytes that are no message are the client's fault; gRPC by itself says INTERNAL and logs a traceback for each."""

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        def parsed(data: bytes) -> Any:
            try:
                return handler.request_deserializer(data)
            except DecodeError as error:
                return error

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            if isinstance(request, DecodeError):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request is no message of this method: {request}")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, parsed, handler.response_serializer)


def _method(answer: Callable[..., Any]) -> Callable[..., Any]:
    """`answer(servicer, request, context)` as a gRPC method: counted, and what goes wrong becomes a status."""

    def method(servicer: Any, request: Any, context: grpc.ServicerContext) -> Any:
        model = request.model_spec.name if hasattr(request, "model_spec") else ""
        try:
            with servicer.service.counted("grpc", answer.__name__, model):
                return answer(servicer, request, context)
        except Refused as refused:
            context.abort(refused.code, str(refused))

    return method


class _Prediction(PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @_method
    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        servable, outputs = self.service.predict(
            request.model_spec,
            lambda servable, signature: servable.parsed(signature, request.inputs),
            tuple(request.output_filter),
            context.time_remaining(),
            context.is_active,
        )
        protos = {name: tf.make_tensor_proto(array) for name, array in outputs.items()}
        response = predict_pb2.PredictResponse(outputs=protos)
        response.model_spec.CopyFrom(_spec(request.model_spec.name, servable.version))
        response.model_spec.signature_name = request.model_spec.signature_name or "serving_default"
        return response

    @_method
    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        for field in request.metadata_field:
            if field != "signature_def":
                raise Refused(f"no metadata field {field!r}: there is signature_def")
        if not request.metadata_field:
            raise Refused("`metadata_field` is missing: it must hold signature_def")
        return metadata(self.service, request.model_spec)


class _Status(ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @_method
    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        return status(self.service.models.status(request.model_spec))

    @_method
    def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        self.service.models.reload(request.config)
        return model_management_pb2.ReloadConfigResponse()


def metadata(service: Service, spec: ModelSpec) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version, as TF Serving tells them.

    Raises:
        Refused: there is no such model or version.
    """
    with service.models.using(spec) as servable:
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.CopyFrom(_spec(spec.name, servable.version))
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response.metadata["signature_def"].Pack(signatures)
        return response


def status(found: dict[int, Status]) -> get_model_status_pb2.GetModelStatusResponse:
    """The states of versions, as TF Serving tells them."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, (state, reason) in sorted(found.items(), reverse=True):
        one = response.model_version_status.add(version=version, state=state)
        one.status.error_message = reason
        if reason:
            one.status.error_code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
    return response


def _spec(name: str, version: int) -> ModelSpec:
    spec = ModelSpec(name=name)
    spec.version.value = version
    return spec
