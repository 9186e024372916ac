"""JSON bodies of TF Serving's REST protocol as arrays and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2  # noqa: F401 (json_format needs its message types)

from kerasrec.serving.errors import RequestError
from kerasrec.serving.servable import Servable
from kerasrec.serving.tensors import MAX_ELEMENTS, check_input_names
from kerasrec.types import Array

MAX_SHOWN_CHARACTERS = 40


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Unknown fields are ignored, as in TF Serving.

    Raises:
        RequestError: The body is not a JSON object, or its `signature_name` is not a string.
    """
    try:
        fields = orjson.loads(body)
    except ValueError as error:
        raise RequestError(f"the body is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise RequestError(f"expected a JSON object in the body, got {_shown(fields)}")
    if not isinstance(fields.get("signature_name", ""), str):
        raise RequestError(f"expected a string as `signature_name`, got {_shown(fields['signature_name'])}")
    return fields


def read_arrays(servable: Servable, signature: str, fields: Mapping[str, Any]) -> dict[str, Array]:
    """The inputs in the body of a request, in row format (`instances`) or column format (`inputs`).

    Unknown inputs in column format are ignored, and those in row format are rejected, as in TF Serving.

    Raises:
        RequestError: The body has neither or both formats, or they do not match the inputs of the signature.
    """
    expected = servable.signature(signature).inputs
    if ("instances" in fields) == ("inputs" in fields):
        number = "both" if "inputs" in fields else "neither"
        raise RequestError(f"expected either `instances` (rows) or `inputs` (columns) in the body, got {number}")
    if "instances" in fields:
        columns = _columns(fields["instances"], expected)
    else:
        columns = fields["inputs"]
        if not isinstance(columns, dict):
            if len(expected) != 1:
                raise RequestError(f"expected `inputs` as an object with {', '.join(sorted(expected))}")
            columns = {next(iter(expected)): columns}
        columns = {name: value for name, value in columns.items() if name in expected}
    check_input_names(columns, expected, signature)
    return {name: _array(name, value, expected[name]) for name, value in columns.items()}


def predict_json(outputs: Mapping[str, Array], by_row: bool) -> bytes:
    """The outputs of a signature, in row format (`predictions`) or column format (`outputs`)."""
    names = list(outputs)
    if not by_row:
        columns = [_rows_json(name, outputs[name]) for name in names]
        bodies = [b"[" + b",".join(column) + b"]" for column in columns]
        return b'{"outputs":' + (bodies[0] if len(names) == 1 else _object_json(names, bodies)) + b"}"
    columns = [_rows_json(name, outputs[name]) for name in names]
    rows = columns[0] if len(names) == 1 else [_object_json(names, row) for row in zip(*columns, strict=True)]
    return b'{"predictions":[' + b",".join(rows) + b"]}"


def _object_json(names: Sequence[str], values: Sequence[bytes]) -> bytes:
    return b"{" + b",".join(_json(name) + b":" + value for name, value in zip(names, values, strict=True)) + b"}"


def _rows_json(name: str, array: Array) -> list[bytes]:
    """Each row as JSON. Encoding all rows at once would block the event loop."""
    return [_json(_encodable(name, row)) for row in array]


def message_json(message: Any) -> bytes:
    """A message as TF Serving prints it: all fields, with their names in the .proto file."""
    fields = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for version in fields.get("model_version_status", ()):
        version["status"] = {"error_code": "OK", "error_message": "", **version.get("status", {})}
    return (json.dumps(fields, indent=1, ensure_ascii=False) + "\n").encode()


def error_json(message: str) -> bytes:
    """Encodes an error message as a JSON response."""
    return _json({"error": message})


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _columns(instances: Any, expected: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(instances, list) or not instances:
        raise RequestError("expected `instances` as a list with at least one row")
    if not isinstance(instances[0], dict) or _is_base64(instances[0]):
        if len(expected) != 1:
            raise RequestError(f"expected `instances` as a list of objects with {', '.join(sorted(expected))}")
        return {next(iter(expected)): instances}
    for number, row in enumerate(instances):
        if not isinstance(row, dict) or row.keys() != instances[0].keys():
            raise RequestError(f"expected the fields of row 0 in each row of `instances`, got others in row {number}")
    return {name: [row[name] for row in instances] for name in instances[0]}


def _array(name: str, value: Any, expected: Any) -> Array:
    rank = len(expected.tensor_shape.dim)
    dtype = tf.as_dtype(expected.dtype)
    shape: list[int] = []
    _fill_shape(name, value, 0, rank, shape)
    if np.prod(shape, dtype=float) > MAX_ELEMENTS:
        raise RequestError(f"expected `{name}` with at most {MAX_ELEMENTS:,} elements, got shape {shape}")
    leaves = value
    for _ in range(rank - 1):
        leaves = [leaf for row in leaves for leaf in row]
    if dtype == tf.string:
        strings = np.empty(len(leaves), object)
        strings[:] = [_bytes(name, leaf) for leaf in leaves]
        return strings.reshape(shape)
    python_types = (int,) if dtype.is_integer else (int, float)
    if not set(map(type, leaves)).issubset(python_types):  # a bool is an instance of int
        kind = "integers" if dtype.is_integer else "numbers"
        wrong = next(leaf for leaf in leaves if type(leaf) not in python_types)
        raise RequestError(f"expected {kind} in `{name}`, got {_shown(wrong)}")
    try:
        if dtype.is_integer:
            return np.array(leaves, dtype.as_numpy_dtype).reshape(shape)
        with np.errstate(over="ignore"):  # the graph rejects infinite ratings
            return np.array(leaves, np.float64).astype(dtype.as_numpy_dtype).reshape(shape)
    except OverflowError:
        raise RequestError(f"expected {dtype.name} in `{name}`, got a larger number") from None


def _fill_shape(name: str, value: Any, depth: int, rank: int, shape: list[int]) -> None:
    """Appends the sizes of nested lists to `shape` and checks that all lists of a level have the same length."""
    if depth == rank:
        if isinstance(value, list):
            raise RequestError(f"expected `{name}` with {rank} dimensions, got more")
        return
    if not isinstance(value, list):
        raise RequestError(f"expected `{name}` with {rank} dimensions, got {depth}")
    if len(shape) == depth:
        shape.append(len(value))
    elif shape[depth] != len(value):
        raise RequestError(
            f"expected rows of one length in `{name}`, got {shape[depth]} and {len(value)}. "
            'Fix: pad ids with "" or -1 and ratings with 0'
        )
    if not value and len(shape) == depth + 1:
        shape.extend([0] * (rank - depth - 1))
    if depth == rank - 1 and list not in map(type, value):
        return  # a call for each of a million ids would delay other requests
    for child in value:
        _fill_shape(name, child, depth + 1, rank, shape)


def _bytes(name: str, leaf: Any) -> bytes:
    if isinstance(leaf, str):
        return leaf.encode()
    if _is_base64(leaf):
        try:
            return base64.b64decode(leaf["b64"], validate=True)
        except ValueError:
            raise RequestError(f"expected base64 in `{name}`, got {_shown(leaf)}") from None
    raise RequestError(f"expected strings in `{name}`, got {_shown(leaf)}")


def _is_base64(value: Any) -> bool:
    """Whether a JSON value is a binary string, as in `{"b64": "aTE="}`."""
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _shown(value: Any) -> str:
    """A value in an error message."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return "deeply nested values"
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


def _encodable(name: str, value: Any) -> Any:
    """An array, or one element of it, as values that orjson encodes."""
    if isinstance(value, bytes):
        # TF Serving's rule for binary strings
        is_binary = name.endswith("_bytes")
        return {"b64": base64.b64encode(value).decode()} if is_binary else value.decode("utf-8", "replace")
    if value.dtype != object:
        return np.ascontiguousarray(value) if value.ndim else value
    return [_encodable(name, row) for row in value]
