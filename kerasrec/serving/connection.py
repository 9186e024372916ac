"""A gRPC channel of a client, with deadlines and retries."""

from __future__ import annotations

import time
from typing import Any

import grpc
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving.tls import TLS

FIRST_PAUSE = 0.1
"""Seconds before the first retry; each further pause is twice as long."""

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
    """A connection to a server.

    Args:
        target: `host:port`.
        timeout: seconds for each call, retries included.
        retries: most retries of a call with the status UNAVAILABLE.
        tls: certificates; no encryption if omitted.
    """

    def __init__(self, target: str, timeout: float, retries: int, tls: TLS | None) -> None:
        self.target = target
        self.timeout = timeout
        self.retries = retries
        if tls is None:
            self._channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, tls.client_credentials(), CHANNEL_OPTIONS)
        self.stubs: dict[type, Any] = {stub: stub(self._channel) for stub in (PredictionServiceStub, ModelServiceStub)}

    def call(self, stub: type, method: str, request: Any) -> Any:
        """The response to a request.

        Raises:
            ServingError: The server rejected the request, or it could not be reached before the deadline.
        """
        deadline = time.monotonic() + self.timeout
        pause, retries_left = FIRST_PAUSE, self.retries
        while True:
            try:
                return getattr(self.stubs[stub], method)(request, timeout=max(deadline - time.monotonic(), 0))
            except grpc.RpcError as error:
                can_retry = error.code() == grpc.StatusCode.UNAVAILABLE and retries_left > 0
                if not can_retry or time.monotonic() + pause >= deadline:
                    raise ServingError(f"{self.target}: {_message(error)}", error.code()) from None
            time.sleep(pause)
            pause, retries_left = 2 * pause, retries_left - 1

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


def _message(error: grpc.RpcError) -> str:
    """The message of a status; gRPC describes a refused connection in terms of its sockets."""
    details = error.details() or ""
    if error.code() == grpc.StatusCode.UNAVAILABLE and "Connection refused" in details:
        return "no server listens at this address. Fix: start `kerasrec serve` or TF Serving"
    return details
