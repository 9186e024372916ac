"""Responses of TF Serving's protocol that describe models; gRPC and REST send the same messages."""

from __future__ import annotations

import grpc
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.versions import Models, Status


def metadata_response(models: Models, spec: ModelSpec) -> GetModelMetadataResponse:
    """The signatures of a version.

    Raises:
        RequestError: The model or the version does not exist or is not available.
    """
    with models.acquire(spec) as servable:
        response = GetModelMetadataResponse(model_spec=model_spec(spec.name, servable.version))
        response.metadata["signature_def"].Pack(SignatureDefMap(signature_def=servable.signatures))
        return response


def status_response(statuses: dict[int, Status]) -> GetModelStatusResponse:
    """The status of each version, the highest version first."""
    response = GetModelStatusResponse()
    for version, (state, error) in sorted(statuses.items(), reverse=True):
        status = response.model_version_status.add(version=version, state=state).status
        status.error_message = error
        if error:
            status.error_code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
    return response


def model_spec(name: str, version: int) -> ModelSpec:
    """Name and version of a model as a message."""
    spec = ModelSpec(name=name)
    spec.version.value = version
    return spec
