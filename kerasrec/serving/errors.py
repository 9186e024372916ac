"""Errors of requests, each with the gRPC status that a client receives."""

from __future__ import annotations

import re

import grpc
import tensorflow as tf

from kerasrec.serving.logs import LOG, request_id

_TRACE_LINE = re.compile(r"Graph execution error|Detected at|File |Node:|\[\[|<stack traces")


class RequestError(Exception):
    """A request that the server rejects.

    Attributes:
        code: the gRPC status, such as `grpc.StatusCode.INVALID_ARGUMENT`.
    """

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.code = code


def as_request_error(error: Exception) -> RequestError:
    """Any exception of a request as a `RequestError`; logs those that the server caused."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, tf.errors.InvalidArgumentError):
        return RequestError(short_message(error))
    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
        return RequestError(short_message(error), grpc.StatusCode.RESOURCE_EXHAUSTED)
    LOG.error("a request failed", exc_info=error)
    reason = f"the server failed with {type(error).__name__}"
    message = f"{reason}; its log contains the traceback under the request id {request_id.get()}"
    return RequestError(message, grpc.StatusCode.INTERNAL)


def short_message(error: BaseException) -> str:
    """The message of an exception in one line, without the graph trace that TensorFlow adds."""
    message = str(getattr(error, "message", error))
    assertion = re.search(r"assertion failed: \[(.*)\]", message)
    if assertion:
        return assertion[1].replace("] [", " ")
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line and not _TRACE_LINE.match(line)), type(error).__name__)
