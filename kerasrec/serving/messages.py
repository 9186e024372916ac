"""What TF Serving's protocol tells of models, as messages that gRPC and REST both send."""

from __future__ import annotations

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.service import Service
from kerasrec.serving.versions import Status


def metadata(service: Service, spec: ModelSpec) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version, as TF Serving tells them.

    Raises:
        RequestError: there is no such model or version.
    """
    with service.models.using(spec) as servable:
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.CopyFrom(spec_of(spec.name, servable.version))
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


def spec_of(name: str, version: int) -> ModelSpec:
    """Which version of which model answered."""
    spec = ModelSpec(name=name)
    spec.version.value = version
    return spec
