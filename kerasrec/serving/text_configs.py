"""The configuration files of TF Serving for batching and monitoring, in protobuf text format.

`tensorflow-serving-api` does not contain their messages, so they are defined here with the names and numbers of
`session_bundle_config.proto` and `monitoring_config.proto`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from kerasrec.serving.batching import Batching

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"

Fields = dict[str, tuple[int, str]]
"""Name of a field → its number and type; the types are those of .proto files."""

BATCHING_PARAMETERS: Fields = {
    "max_batch_size": (1, "Int64Value"),
    "batch_timeout_micros": (2, "Int64Value"),
    "max_enqueued_batches": (3, "Int64Value"),
    "num_batch_threads": (4, "Int64Value"),
    "thread_pool_name": (5, "StringValue"),
    "allowed_batch_sizes": (6, "repeated int64"),
    "pad_variable_length_inputs": (7, "bool"),
    "enable_large_batch_splitting": (8, "BoolValue"),
    "max_execution_batch_size": (9, "Int64Value"),
}
MONITORING_CONFIG: Fields = {"prometheus_config": (1, "PrometheusConfig")}
PROMETHEUS_CONFIG: Fields = {"enable": (1, "bool"), "path": (2, "string")}


def read_batching(file: Path) -> Batching:
    """Reads a file of `BatchingParameters`, as for TF Serving's `--batching_parameters_file`.

    This server always pads requests of different lengths, and always splits large requests. It ignores the sizes that
    TF Serving fills up, and the name of its thread pool.

    Raises:
        ValueError: The file is not a valid `BatchingParameters`, or one of its values is out of range.
    """
    parameters = _read(file, "BatchingParameters")
    options: dict[str, Any] = {}
    if parameters.HasField("max_batch_size"):
        options["max_rows"] = parameters.max_batch_size.value
    if parameters.HasField("batch_timeout_micros"):
        options["timeout"] = parameters.batch_timeout_micros.value / 1e6
    if parameters.HasField("num_batch_threads"):
        options["parallel"] = parameters.num_batch_threads.value
    if parameters.HasField("max_enqueued_batches"):
        rows = options.get("max_rows", Batching.max_rows)
        options["max_queue"] = parameters.max_enqueued_batches.value * rows
    return Batching(**options)


def read_metrics_path(file: Path) -> str | None:
    """Reads a file of `MonitoringConfig`, as for TF Serving's `--monitoring_config_file`.

    Returns:
        The path of the metrics; None if they are disabled.

    Raises:
        ValueError: The file is not a valid `MonitoringConfig`.
    """
    config = _read(file, "MonitoringConfig").prometheus_config
    return (config.path or DEFAULT_METRICS_PATH) if config.enable else None


def _read(file: Path, message: str) -> Any:
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), _messages()[message]())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not a valid {message} in text format: {error}") from None


@cache
def _messages() -> dict[str, Any]:
    """Message name → class, in a pool of their own so that they cannot conflict with those of other packages."""
    pool = descriptor_pool.DescriptorPool()
    wrapper_types = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrapper_types)
    pool.Add(wrapper_types)
    file = descriptor_pb2.FileDescriptorProto(name="kerasrec/serving.proto", package="tensorflow.serving")
    file.syntax = "proto3"
    file.dependency.append(wrapper_types.name)
    messages = {
        "BatchingParameters": BATCHING_PARAMETERS,
        "MonitoringConfig": MONITORING_CONFIG,
        "PrometheusConfig": PROMETHEUS_CONFIG,
    }
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"bool": kinds.TYPE_BOOL, "string": kinds.TYPE_STRING, "int64": kinds.TYPE_INT64}
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            is_repeated, kind = kind.startswith("repeated "), kind.removeprefix("repeated ")
            label = kinds.LABEL_REPEATED if is_repeated else kinds.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if kind in scalars:
                field.type = scalars[kind]
            else:
                field.type = kinds.TYPE_MESSAGE
                field.type_name = f".tensorflow.serving.{kind}" if kind in messages else f".google.protobuf.{kind}"
    pool.Add(file)
    names = {name: pool.FindMessageTypeByName(f"tensorflow.serving.{name}") for name in messages}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in names.items()}
