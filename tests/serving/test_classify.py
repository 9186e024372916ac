"""Classify, Regress and MultiInference over gRPC, which a predict signature does not support."""

import grpc
import pytest
from kerasrec_testing.served import TIMEOUT, export_version
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import InferenceTask, MultiInferenceRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from kerasrec.serving import Server

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
FILMS = ModelSpec(name="films")
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    path = tmp_path_factory.mktemp("classify") / "films"
    export_version(path, 1)
    with Server(path, port=0) as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield PredictionServiceStub(channel)


def rejection(method, request):
    with pytest.raises(grpc.RpcError) as rejected:
        method(request, timeout=TIMEOUT)
    return rejected.value.code(), rejected.value.details()


def test_classify_and_regress_are_rejected_with_the_messages_of_tf_serving(stub):
    was = "Was: tensorflow/serving/predict"
    for method, message, noun, name in (
        (stub.Classify, ClassificationRequest, "classification", CLASSIFY),
        (stub.Regress, RegressionRequest, "regression", REGRESS),
    ):
        expected = f"Expected {noun} signature method_name to be {name}. {was}"
        assert rejection(method, message(model_spec=FILMS)) == (INVALID, expected)
        unknown = ModelSpec(name="films", signature_name="top")
        expected = "No signature was found with the name: top"
        assert rejection(method, message(model_spec=unknown)) == (INVALID, expected)
        assert rejection(method, message(model_spec=ModelSpec(name="songs")))[0] == NOT_FOUND
        assert rejection(method, message(model_spec=ModelSpec())) == (INVALID, "ModelSpec has no name specified.")
        assert rejection(method, message()) == (INVALID, "Missing ModelSpec")


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        ([], INVALID, "ModelSpec has no name specified."),
        ([(FILMS, CLASSIFY)], INVALID, "Expected classification signature method_name to be "),
        ([(FILMS, REGRESS)], INVALID, "Expected regression signature method_name to be "),
        ([(FILMS, "rank")], grpc.StatusCode.UNIMPLEMENTED, "Unsupported signature method_name: rank"),
        ([(ModelSpec(name="songs"), CLASSIFY)], NOT_FOUND, "model 'songs' not found"),
    ],
    ids=["no task", "classify", "regress", "other method", "unknown model"],
)
def test_multi_inference_is_rejected_with_the_messages_of_tf_serving(stub, tasks, code, message):
    request = MultiInferenceRequest(tasks=[InferenceTask(model_spec=s, method_name=m) for s, m in tasks])
    assert rejection(stub.MultiInference, request)[0] == code
    assert rejection(stub.MultiInference, request)[1].startswith(message)
