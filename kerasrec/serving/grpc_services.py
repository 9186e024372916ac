"""The gRPC methods of TF Serving's PredictionService and ModelService."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServerInterceptor, ServicerContext
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer

from kerasrec.serving.classify import CLASSIFY, REGRESS, reject_multi_inference, reject_signature_method
from kerasrec.serving.errors import RequestError
from kerasrec.serving.logs import request_id
from kerasrec.serving.messages import metadata_response, model_spec, status_response
from kerasrec.serving.service import Service, n_elements, to_thread_if_large
from kerasrec.serving.tensors import proto_from_array
from kerasrec.types import Array

REQUEST_ID = "x-request-id"
"""Metadata with the id of a request; in the answer only if it is an error."""


def _method(implementation: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Turns `implementation(servicer, request, context)` into a gRPC method with metrics and status codes."""

    async def method(servicer: Any, request: Any, context: ServicerContext[Any, Any]) -> Any:
        has_spec = "model_spec" in request.DESCRIPTOR.fields_by_name
        model = request.model_spec.name if has_spec else ""
        given_id = next((value for name, value in context.invocation_metadata() or () if name == REQUEST_ID), "")
        try:
            with servicer.service.request("grpc", implementation.__name__, model, str(given_id)):
                if has_spec and not request.HasField("model_spec"):
                    raise RequestError("Missing ModelSpec")
                return await implementation(servicer, request, context)
        except RequestError as error:
            await context.abort(error.code, str(error), ((REQUEST_ID, request_id.get()),))

    return method


class Prediction(PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods are rejected as TF Serving does for a predict signature."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @_method
    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: ServicerContext[Any, Any]
    ) -> predict_pb2.PredictResponse:
        servable, outputs = await self.service.predict(
            request.model_spec,
            request.ByteSize(),
            lambda servable, signature: servable.arrays_from_protos(signature, request.inputs),
            tuple(request.output_filter),
            context.time_remaining(),
        )
        response = await to_thread_if_large(n_elements(outputs), _predict_response, outputs)
        response.model_spec.CopyFrom(model_spec(request.model_spec.name, servable.version))
        response.model_spec.signature_name = request.model_spec.signature_name or "serving_default"
        return response

    @_method
    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: ServicerContext[Any, Any]
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        for field in request.metadata_field:
            if field != "signature_def":
                raise RequestError(f"expected `metadata_field` signature_def, got {field!r}")
        if not request.metadata_field:
            raise RequestError("expected `metadata_field` signature_def, got none")
        return metadata_response(self.service.models, request.model_spec)

    @_method
    async def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: ServicerContext[Any, Any]
    ) -> None:
        reject_signature_method(self.service.models, request.model_spec, CLASSIFY)

    @_method
    async def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: ServicerContext[Any, Any]
    ) -> None:
        reject_signature_method(self.service.models, request.model_spec, REGRESS)

    @_method
    async def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: ServicerContext[Any, Any]
    ) -> None:
        reject_multi_inference(self.service.models, request)


class ModelManagement(ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @_method
    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: ServicerContext[Any, Any]
    ) -> get_model_status_pb2.GetModelStatusResponse:
        return status_response(self.service.models.status(request.model_spec))

    @_method
    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: ServicerContext[Any, Any]
    ) -> model_management_pb2.ReloadConfigResponse:
        await asyncio.to_thread(self.service.models.reload, request.config)  # loads new models
        return model_management_pb2.ReloadConfigResponse()


def _predict_response(outputs: Mapping[str, Array]) -> predict_pb2.PredictResponse:
    return predict_pb2.PredictResponse(outputs={name: proto_from_array(array) for name, array in outputs.items()})


class InvalidMessages(ServerInterceptor):
    """Rejects bytes that are not a valid message with INVALID_ARGUMENT.

    Without this class, gRPC responds with INTERNAL and logs a traceback for each invalid message.
    """

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
            self._handlers[method] = _rejecting_invalid_bytes(handler)
        return self._handlers[method]


def _rejecting_invalid_bytes(handler: Any) -> Any:
    def deserialize(data: bytes) -> Any:
        try:
            return handler.request_deserializer(data)
        except DecodeError as error:
            return error

    async def method(request: Any, context: ServicerContext[Any, Any]) -> Any:
        if isinstance(request, DecodeError):
            message = f"the request is not a valid message of this method: {request}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(method, deserialize, handler.response_serializer)
