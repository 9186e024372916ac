"""The gRPC channels of a client, with deadlines, retries and several addresses."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import grpc
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving.tls import TLS, handshake_problem

FIRST_PAUSE = 0.1
"""Seconds before the first retry at the same address; each further pause is twice as long."""

HANDSHAKE_SECONDS = 2.0
"""Seconds for each step of the handshake that finds the reason of a failure."""

NOT_LISTENING = "no server listens at this address"

RETRIED_CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,  # a server that stops cancels calls; this client never cancels its own
)

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # the default of 4 MB is less than the scores of a large catalogue
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.initial_reconnect_backoff_ms", 100),  # by default gRPC waits up to minutes for a restarted server
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class ServingError(RuntimeError):
    """The server rejected a request or could not be reached.

    Attributes:
        code: the gRPC status, such as `grpc.StatusCode.INVALID_ARGUMENT`.
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


class Connection:
    """Connections to one or several servers of the same models.

    Each call goes to the next address in turn. A call that fails with UNAVAILABLE or CANCELLED is
    repeated at the following addresses; after all of them it is repeated from the first, with a pause.

    Args:
        addresses: `host:port` of each server.
        timeout: seconds for each call, retries included.
        retries: most repetitions of a call over all addresses.
        tls: certificates; no encryption if omitted.

    Raises:
        ValueError: There are no addresses.
    """

    def __init__(self, addresses: Sequence[str], timeout: float, retries: int, tls: TLS | None) -> None:
        if not addresses:
            raise ValueError("expected at least one address, got none")
        self.addresses = list(addresses)
        self.timeout = timeout
        self.retries = retries
        self._tls = tls
        if tls is None:
            self._channels = [grpc.insecure_channel(address, CHANNEL_OPTIONS) for address in addresses]
        else:
            credentials = tls.client_credentials()
            self._channels = [grpc.secure_channel(address, credentials, CHANNEL_OPTIONS) for address in addresses]
        self.stubs: list[dict[type, Any]] = [
            {stub: stub(channel) for stub in (PredictionServiceStub, ModelServiceStub)} for channel in self._channels
        ]
        self._turns = itertools.count()  # `next` is atomic, so threads can share a connection
        self._closed = False

    def call(self, stub: type, method: str, request: Any) -> Any:
        """The response to a request.

        Raises:
            ServingError: The server rejected the request, or no server answered before the deadline.
        """
        deadline = time.monotonic() + self.timeout
        turn = next(self._turns)
        pause, retries_left = FIRST_PAUSE, self.retries
        while True:
            for number in range(turn, turn + len(self.addresses)):
                index = number % len(self.addresses)
                timeout = max(deadline - time.monotonic(), 0)
                try:
                    return getattr(self.stubs[index][stub], method)(request, timeout=timeout)
                except grpc.RpcError as error:
                    failure = ServingError(f"{self.addresses[index]}: {_message(error)}", error.code())
                if failure.code not in RETRIED_CODES or self._closed:
                    raise failure
            if not retries_left or time.monotonic() + pause >= deadline:
                raise self._with_tls_problem(failure, self.addresses[index])
            time.sleep(pause)
            pause, retries_left = 2 * pause, retries_left - 1

    def _with_tls_problem(self, failure: ServingError, address: str) -> ServingError:
        """The error with the reason of a failed TLS handshake, which gRPC does not report."""
        if failure.code == grpc.StatusCode.UNAVAILABLE and NOT_LISTENING not in str(failure):
            problem = handshake_problem(address, self._tls, HANDSHAKE_SECONDS)
            if problem:
                return ServingError(f"{address}: {problem}", failure.code)
        return failure

    def close(self) -> None:
        """Closes the connections."""
        self._closed = True
        for channel in self._channels:
            channel.close()


def _message(error: grpc.RpcError) -> str:
    """The message of a status; gRPC describes a wrong port in terms of its sockets and frames."""
    details = error.details() or ""
    if error.code() == grpc.StatusCode.UNAVAILABLE and "Connection refused" in details:
        return f"{NOT_LISTENING}. Fix: start `kerasrec serve` or TF Serving"
    if error.code() == grpc.StatusCode.UNAVAILABLE and "http1.x server" in details:
        return "expected a gRPC server, got one of HTTP. Fix: give the port of gRPC (usually 8500), not that of REST"
    return details
