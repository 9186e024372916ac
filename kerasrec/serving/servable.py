"""One version of a SavedModel in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerasrec.serving import merging
from kerasrec.serving.errors import RequestError
from kerasrec.serving.limits import Limits
from kerasrec.serving.tensors import (
    array_from_proto,
    check_examples,
    check_input_names,
    comma_separated,
    too_wide,
)
from kerasrec.types import Array

MAX_ANSWER_ELEMENTS = 8 * 1024 * 1024
"""Largest output of one request."""

WARM_UP_ROWS = 32


class Servable:
    """A loaded version of a model.

    Args:
        path: folder of the version; its name is the version number.

    Attributes:
        path: the folder.
        version: the version number.
        signatures: signature name → `SignatureDef`.
        top_k: length of the lists of `serving_default`; 0 if the model is not an export of kerasrec.
        n_items: size of the catalogue; 0 if the model is not an export of kerasrec.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = int(path.name)
        saved_model = SavedModel.FromString((path / "saved_model.pb").read_bytes())
        self._loaded = tf.saved_model.load(str(path))  # owns the variables that the functions read
        self._functions = dict(self._loaded.signatures)
        self.signatures = {name: saved_model.meta_graphs[0].signature_def[name] for name in self._functions}
        self.top_k = self._output_width("serving_default", "item_ids")
        self.n_items = self._output_width("score", "scores")

    def _output_width(self, signature: str, output: str) -> int:
        outputs = self.signatures[signature].outputs if signature in self.signatures else {}
        shape: Sequence[Any] = outputs[output].tensor_shape.dim if output in outputs else ()
        return shape[1].size if len(shape) == 2 else 0

    def signature(self, name: str) -> Any:
        """The `SignatureDef` of that name.

        Raises:
            RequestError: The model has no signature of that name.
        """
        if name not in self.signatures:
            raise RequestError(f"signature {name!r} not found. Signatures: {comma_separated(self.signatures)}")
        return self.signatures[name]

    def arrays_from_protos(self, signature: str, inputs: Mapping[str, TensorProto]) -> dict[str, Array]:
        """The arrays in the tensors of a request.

        Raises:
            RequestError: The tensors do not match the inputs of the signature.
        """
        expected = self.signature(signature).inputs
        check_input_names(inputs, expected, signature)
        return {name: array_from_proto(name, proto, expected[name]) for name, proto in inputs.items()}

    def check(
        self,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008 (it is immutable)
    ) -> None:
        """Checks what the graph can only reject without the name of a field, and the size of a request.

        Raises:
            RequestError: An output is unknown, the inputs differ in their number of rows, a limit is exceeded,
                `ratings` and `history` differ in shape, or an example is not valid.
        """
        known_outputs = self.signature(signature).outputs
        for name in outputs:
            if name not in known_outputs:
                raise RequestError(f"{signature!r} has no output {name!r}. Outputs: {comma_separated(known_outputs)}")
        first = next(iter(inputs), "")
        for name, array in inputs.items():
            if len(array) != len(inputs[first]):
                raise RequestError(
                    f"expected `{name}` with as many rows as `{first}` ({len(inputs[first])}), got {len(array)}"
                )
            if len(array) > limits.max_rows:
                raise RequestError(
                    f"expected `{name}` with at most {limits.max_rows:,} rows, got {len(array):,}. "
                    "Fix: send several requests"
                )
            if array.ndim > 1 and array.shape[1] > limits.max_width:
                raise RequestError(too_wide(name, array.shape[1], limits.max_width))
        # The graph checks this too, but after batching has padded the requests to one shape.
        if "ratings" in inputs and "history" in inputs and inputs["ratings"].shape != inputs["history"].shape:
            shapes = [list(inputs[name].shape) for name in ("history", "ratings")]
            raise RequestError("expected `ratings` with the shape of `history` ({}), got {}".format(*shapes))
        if signature == "examples" and "examples" in inputs:
            check_examples(inputs["examples"], limits.max_width)
        self._check_answer_size(inputs, {name: known_outputs[name] for name in outputs or known_outputs})

    def _check_answer_size(self, inputs: Mapping[str, Array], outputs: Mapping[str, Any]) -> None:
        n_rows = merging.n_rows(inputs)
        k = min(merging.largest_k(inputs, self.top_k) or 1, self.n_items)
        for name, info in sorted(outputs.items()):  # the map of a message has no order
            widths = [k if dim.size < 0 else dim.size for dim in info.tensor_shape.dim[1:]]
            n_elements = n_rows * max(widths, default=1)
            if n_elements > MAX_ANSWER_ELEMENTS:
                raise RequestError(
                    f"expected at most {MAX_ANSWER_ELEMENTS:,} elements of the output `{name}`, got {n_elements:,} for "
                    f"{n_rows:,} rows. Fix: send several requests"
                )

    def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of the signature.

        Raises:
            tf.errors.OpError: The graph rejects the inputs.
        """
        expected = self.signatures[signature].inputs
        tensors = {name: tf.constant(array, tf.as_dtype(expected[name].dtype)) for name, array in inputs.items()}
        return {name: tensor.numpy() for name, tensor in self._functions[signature](**tensors).items()}

    def warm_up(self) -> None:
        """Runs the warm-up requests of the export, so that no client waits for the first run of a graph."""
        for request in warmup_requests(self.path):
            signature = request.model_spec.signature_name
            inputs = self.arrays_from_protos(signature, request.inputs)
            self.run(signature, inputs)
            batch = {name: np.repeat(array, WARM_UP_ROWS, axis=0) for name, array in inputs.items()}
            self.run(signature, batch)  # batches of several rows use other kernels than one row


def warmup_requests(path: Path) -> Iterator[PredictRequest]:
    """The warm-up requests in the folder of an exported version."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    if file.exists():
        for record in tf.data.TFRecordDataset(str(file)):
            yield PredictionLog.FromString(record.numpy()).predict_log.request
