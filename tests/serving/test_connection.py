"""Retries, deadlines and addresses of a client's calls."""

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from kerasrec.serving import Client, ServingError
from kerasrec.serving.connection import Connection

UNAVAILABLE, CANCELLED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class FailingStub:
    """Answers with the given statuses in turn, then with a response; counts its calls."""

    def __init__(self, *codes):
        self.codes = list(codes)
        self.n_calls = 0

    def GetModelStatus(self, request, timeout):  # noqa: N802
        self.n_calls += 1
        if not self.codes:
            return GetModelStatusResponse()
        code = self.codes.pop(0)
        error = grpc.RpcError()
        error.code, error.details = lambda: code, lambda: "failed"
        raise error


def connection_of(*stubs, timeout=120.0, retries=3):
    """A connection whose servers are `stubs`."""
    connection = Connection([f"127.0.0.1:{n}" for n in range(1, 1 + len(stubs))], timeout, retries, None)
    connection.stubs = [{ModelServiceStub: stub} for stub in stubs]
    return connection


def call(connection):
    return connection.call(ModelServiceStub, "GetModelStatus", GetModelStatusRequest())


@pytest.mark.parametrize("code", [UNAVAILABLE, CANCELLED], ids=str)
def test_an_unavailable_or_stopping_server_is_tried_again(code):
    stub = FailingStub(code, code)
    assert call(connection_of(stub)) == GetModelStatusResponse()
    assert stub.n_calls == 3


@pytest.mark.parametrize(
    ("codes", "n_calls", "options"),
    [
        ([UNAVAILABLE, UNAVAILABLE, INVALID, UNAVAILABLE], 3, {}),
        ([UNAVAILABLE] * 5, 3, {"retries": 2}),
        ([INVALID, UNAVAILABLE], 1, {}),
        ([UNAVAILABLE] * 5, 1, {"timeout": 0.05}),  # less than the first pause
    ],
    ids=["other error", "number of retries", "not retried", "deadline"],
)
def test_retries_end_with_another_error_their_number_or_the_deadline(codes, n_calls, options):
    stub = FailingStub(*codes)
    with pytest.raises(ServingError, match="127.0.0.1:1: failed"):
        call(connection_of(stub, **options))
    assert stub.n_calls == n_calls


def test_calls_go_to_each_server_in_turn():
    stubs = [FailingStub(), FailingStub(), FailingStub()]
    connection = connection_of(*stubs)
    for _ in range(6):
        call(connection)
    assert [stub.n_calls for stub in stubs] == [2, 2, 2]


def test_a_failed_call_is_repeated_at_the_next_server_without_a_pause():
    stopped, running = FailingStub(*[UNAVAILABLE] * 9), FailingStub()
    connection = connection_of(stopped, running, retries=0, timeout=0.05)  # no time for a pause
    for _ in range(4):
        assert call(connection) == GetModelStatusResponse()
    assert (stopped.n_calls, running.n_calls) == (2, 4)


def test_all_servers_are_tried_again_after_a_pause():
    stubs = [FailingStub(UNAVAILABLE, CANCELLED), FailingStub(CANCELLED, UNAVAILABLE)]
    assert call(connection_of(*stubs)) == GetModelStatusResponse()
    assert [stub.n_calls for stub in stubs] == [3, 2]


def test_an_error_contains_the_address_of_the_last_server():
    with pytest.raises(ServingError, match="^127.0.0.1:2: failed$"):
        call(connection_of(FailingStub(UNAVAILABLE), FailingStub(INVALID)))


def test_a_refused_connection_is_reported_with_its_fix():
    with Client("127.0.0.1:1", model="m", retries=0) as client, pytest.raises(ServingError) as rejected:
        client.status()
    assert rejected.value.code == UNAVAILABLE
    message = "127.0.0.1:1: no server listens at this address. Fix: start `kerasrec serve` or TF Serving"
    assert str(rejected.value) == message


def test_an_empty_list_of_servers_is_rejected():
    with pytest.raises(ValueError, match="expected at least one address, got none"):
        Client([], model="m")
