"""Rejects Classify, Regress and MultiInference with the errors of TF Serving.

An export has only predict signatures, so no request of these methods can succeed.
"""

from __future__ import annotations

import grpc
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.errors import RequestError
from kerasrec.serving.servable import Servable
from kerasrec.serving.versions import Models

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
NOUNS = {CLASSIFY: "classification", REGRESS: "regression"}


def reject_signature_method(models: Models, spec: ModelSpec, method_name: str) -> None:
    """Rejects a request for a classification or a regression.

    Args:
        models: the served models.
        spec: model, version and signature of the request.
        method_name: `CLASSIFY` or `REGRESS`.

    Raises:
        RequestError: Always. The message names the first part of `spec` that does not match.
    """
    with models.acquire(spec) as servable:
        _check_method_name(servable, spec, method_name)
    raise _unimplemented()


def reject_multi_inference(models: Models, request: MultiInferenceRequest) -> None:
    """Rejects a request for several classifications and regressions.

    Raises:
        RequestError: Always. The message states the first fault; a request without faults is UNIMPLEMENTED.
    """
    first = request.tasks[0].model_spec if request.tasks else ModelSpec()
    with models.acquire(first) as servable:
        for task in request.tasks:
            if not task.model_spec.name:
                raise RequestError("Found ModelSpec with an empty model name.")
            if task.model_spec.name != first.name:
                raise RequestError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
            if task.method_name not in NOUNS:
                message = f"Unsupported signature method_name: {task.method_name}"
                raise RequestError(message, grpc.StatusCode.UNIMPLEMENTED)
            _check_method_name(servable, task.model_spec, task.method_name)
    raise _unimplemented()


def _check_method_name(servable: Servable, spec: ModelSpec, expected: str) -> None:
    name = spec.signature_name or "serving_default"
    if name not in servable.signatures:
        raise RequestError(f"No signature was found with the name: {name}")
    method_name = servable.signatures[name].method_name
    if method_name != expected:
        raise RequestError(f"Expected {NOUNS[expected]} signature method_name to be {expected}. Was: {method_name}")


def _unimplemented() -> RequestError:
    message = "this server runs only predict signatures. Fix: use Predict, or serve the model with TF Serving"
    return RequestError(message, grpc.StatusCode.UNIMPLEMENTED)
