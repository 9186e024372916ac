"""Retries and deadlines of a client's calls."""

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from kerasrec.serving import ServingError
from kerasrec.serving.connection import Connection

UNAVAILABLE, INVALID = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT


class FailingStub:
    """Answers with the given statuses in turn, then with a response."""

    def __init__(self, *codes):
        self.codes = list(codes)

    def GetModelStatus(self, request, timeout):  # noqa: N802
        if not self.codes:
            return GetModelStatusResponse()
        code = self.codes.pop(0)
        error = grpc.RpcError()
        error.code, error.details = lambda: code, lambda: "failed"
        raise error


def call(stub, timeout=120.0, retries=3):
    connection = Connection("127.0.0.1:1", timeout, retries, None)
    connection.stubs[ModelServiceStub] = stub
    try:
        return connection.call(ModelServiceStub, "GetModelStatus", GetModelStatusRequest())
    finally:
        connection.close()


def test_an_unavailable_server_is_tried_again():
    assert call(FailingStub(UNAVAILABLE, UNAVAILABLE)) == GetModelStatusResponse()


@pytest.mark.parametrize(
    ("codes", "n_left", "options"),
    [
        ([UNAVAILABLE, UNAVAILABLE, INVALID, UNAVAILABLE], 1, {}),
        ([UNAVAILABLE] * 5, 2, {"retries": 2}),
        ([INVALID, UNAVAILABLE], 1, {}),
        ([UNAVAILABLE] * 5, 4, {"timeout": 0.05}),  # less than the first pause
    ],
    ids=["other error", "too many retries", "not retried", "deadline"],
)
def test_retries_end_with_another_error_their_number_or_the_deadline(codes, n_left, options):
    stub = FailingStub(*codes)
    with pytest.raises(ServingError, match="127.0.0.1:1: failed"):
        call(stub, **options)
    assert len(stub.codes) == n_left


def test_a_refused_connection_is_reported_with_its_fix():
    with pytest.raises(ServingError) as rejected:
        connection = Connection("127.0.0.1:1", 120.0, 0, None)
        connection.call(ModelServiceStub, "GetModelStatus", GetModelStatusRequest())
    assert rejected.value.code == UNAVAILABLE
    message = "127.0.0.1:1: no server listens at this address. Fix: start `kerasrec serve` or TF Serving"
    assert str(rejected.value) == message
