"""A version of a SavedModel in memory, and the request fields that it answers to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerasrec.types import Array

MAX_ROWS = 1000
"""The most users that one request may ask for: each costs a row of scores of the whole catalogue."""

MAX_ELEMENTS = 8 * 1024 * 1024
"""The largest tensor in a request: a few bytes can describe one of any size."""


class RequestError(Exception):
    """A request that cannot be answered, and the gRPC status that says why."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.code = code


class Servable:
    """A loaded version.

    Attributes:
        version: its number.
        path: its folder.
        signatures: signature name → `SignatureDef`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = int(path.name)
        described = SavedModel.FromString((path / "saved_model.pb").read_bytes())
        self._loaded = tf.saved_model.load(str(path))  # owns the variables that the functions read
        self._functions = dict(self._loaded.signatures)
        self.signatures = {name: described.meta_graphs[0].signature_def[name] for name in self._functions}

    def signature(self, name: str) -> Any:
        """The `SignatureDef` of that name.

        Raises:
            RequestError: there is none.
        """
        if name not in self.signatures:
            raise RequestError(f"no signature {name!r}: this model has {_names(self.signatures)}")
        return self.signatures[name]

    def parsed(self, signature: str, inputs: Mapping[str, TensorProto]) -> dict[str, Array]:
        """The arrays in a request's tensors.

        Raises:
            RequestError: a tensor is not one that the signature takes.
        """
        expected = self.signature(signature).inputs
        same_names(inputs, expected, signature)
        return {name: _array(name, proto, expected[name]) for name, proto in inputs.items()}

    def check(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> None:
        """Looks at what the graph itself could only complain of without naming a field.

        Raises:
            RequestError: the inputs do not fit together, or an output is unknown.
        """
        there = self.signature(signature).outputs
        for name in outputs:
            if name not in there:
                raise RequestError(f"no output {name!r} in {signature!r}: it has {_names(there)}")
        first = next(iter(inputs), "")
        for name, array in inputs.items():
            if len(array) != len(inputs[first]):
                rows = f"`{name}` has {len(array)} rows, `{first}` {len(inputs[first])}"
                raise RequestError(f"{rows}: they must have as many")
            if len(array) > MAX_ROWS:
                raise RequestError(f"`{name}` has {len(array):,} rows: ask for at most {MAX_ROWS:,} users at a time")
        # The graph looks too, but requests that are answered together are padded to one shape before.
        if "ratings" in inputs and "history" in inputs and inputs["ratings"].shape != inputs["history"].shape:
            raise RequestError("`ratings` must have the shape of `history`")

    def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The signature's answer.

        Raises:
            tf.errors.OpError: the graph refused the inputs.
        """
        expected = self.signatures[signature].inputs
        tensors = {name: tf.constant(array, tf.as_dtype(expected[name].dtype)) for name, array in inputs.items()}
        return {name: tensor.numpy() for name, tensor in self._functions[signature](**tensors).items()}

    def warm_up(self) -> None:
        """Answers the requests that came with the export, so that no client waits for the first run of a graph."""
        for request in warmup_requests(self.path):
            signature = request.model_spec.signature_name
            inputs = self.parsed(signature, request.inputs)
            self.run(signature, inputs)
            self.run(signature, {name: np.repeat(array, 32, axis=0) for name, array in inputs.items()})  # as batches do


def warmup_requests(path: Path) -> Iterator[PredictRequest]:
    """The requests that an exported version wants answered before it takes traffic."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    if file.exists():
        for record in tf.data.TFRecordDataset(str(file)):
            yield PredictionLog.FromString(record.numpy()).predict_log.request


def same_names(inputs: Mapping[str, Any], expected: Mapping[str, Any], signature: str) -> None:
    """Looks whether a request brings the signature's inputs and no others.

    Raises:
        RequestError: it does not.
    """
    for name in expected:
        if name not in inputs:
            raise RequestError(f"input `{name}` of {signature!r} is missing")
    for name in inputs:
        if name not in expected:
            raise RequestError(f"{signature!r} has no input `{name}`: it takes {_names(expected)}")


def reason(error: BaseException) -> str:
    """What went wrong, in one line: without the trace of the graph that TensorFlow puts around it."""
    message = str(getattr(error, "message", error))
    asserted = re.search(r"assertion failed: \[(.*)\]", message)
    if asserted:
        return asserted[1].replace("] [", " ")
    lines = [line.strip() for line in message.splitlines()]
    told = [
        line for line in lines if line and not re.match(r"Graph execution error|Detected at|File |Node:|\[\[", line)
    ]
    return told[0] if told else type(error).__name__


def _array(name: str, proto: TensorProto, expected: Any) -> Array:
    """The array that `proto` describes, where it is one that the signature takes."""
    if proto.dtype != expected.dtype:
        raise RequestError(f"`{name}` must be {_dtype(expected.dtype)}, not {_dtype(proto.dtype)}")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    rank = len(expected.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or len(shape) != rank:
        raise RequestError(f"`{name}` must have {rank} dimensions, not {len(shape)}")
    if any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise RequestError(f"`{name}` has a shape that is too large or impossible: {shape}")
    try:
        if proto.tensor_content and expected.dtype != tf.string.as_datatype_enum:
            return np.frombuffer(proto.tensor_content, _numpy(expected.dtype)).reshape(shape)
        return tf.make_ndarray(proto)
    except Exception as error:  # numpy and protobuf raise what they please on bytes that are no tensor
        raise RequestError(f"`{name}` is not a valid tensor of shape {shape}: {error}") from None


def tensor_proto(array: Array) -> TensorProto:
    """The array as a message: as `tf.make_tensor_proto`, which takes four times as long over numbers."""
    if array.dtype == object:
        return tf.make_tensor_proto(array)
    proto = TensorProto(dtype=_datatype(array.dtype), tensor_content=array.tobytes())
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@cache
def _numpy(number: int) -> Any:
    return np.dtype(tf.as_dtype(number).as_numpy_dtype)


@cache
def _datatype(dtype: Any) -> int:
    return int(tf.as_dtype(dtype).as_datatype_enum)


def _dtype(number: int) -> str:
    try:
        return str(tf.as_dtype(number).name)
    except TypeError:
        return f"the unknown type {number}"


def _names(mapping: Mapping[str, Any]) -> str:
    return ", ".join(sorted(mapping))
