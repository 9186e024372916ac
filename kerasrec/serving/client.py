"""A client of `kerasrec serve` and of TF Serving."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving.client_arrays import decoded, one_dimensional, padded_rows
from kerasrec.serving.connection import Connection, ServingError
from kerasrec.serving.tls import TLS
from kerasrec.types import Array, FloatArray, IntArray
from kerasrec.validation import as_int_at_least

P = ParamSpec("P")
R = TypeVar("R")

ARGUMENTS = {"history": "histories", "ratings": "ratings", "user_id": "user_ids"}
"""Input of a signature → argument of the client's methods."""

POLL_SECONDS = 0.1


def _refresh_signatures_on_error(
    request: Callable[Concatenate[Client, P], R],
) -> Callable[Concatenate[Client, P], R]:
    """A method that is repeated once if it fails because a new version of the model has other inputs."""

    @wraps(request)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        cached = self.__dict__.get("_signatures")
        try:
            return request(self, *args, **kwargs)
        except (ValueError, ServingError) as error:
            is_rejected = isinstance(error, ValueError) or error.code == grpc.StatusCode.INVALID_ARGUMENT
            if cached is None or not is_rejected:
                raise
            del self._signatures
            if self._signatures == cached:
                raise
            return request(self, *args, **kwargs)

    return method


class Client:
    """Requests recommendations from a served model.

    Args:
        target: `host:port` of the server, or a list of several servers of the same model. Each request
            goes to the next server in turn.
        model: name of the model on the server.
        timeout: seconds for each request, retries included.
        version: number of the requested version; if omitted, the server selects its highest one.
        label: label of the requested version, such as `"stable"`; not together with `version`.
        retries: maximum number of retries of a request at each server, if the server cannot be reached, is not ready
            (UNAVAILABLE), or stops (CANCELLED). Other errors are not retried. With several servers, a
            request is retried at the next server at once.
        tls: authority that must have signed the server's certificate, and for mutual TLS the client's
            own certificate; no encryption if omitted.

    Raises:
        ValueError: Both `version` and `label` are set, or `target` is an empty list.

    Example:
        >>> with Client("127.0.0.1:8500", model="ease") as client:  # doctest: +SKIP
        ...     item_ids, scores = client.recommend([[3, 5], [8]], k=10)
    """

    def __init__(
        self,
        target: str | Sequence[str] = "127.0.0.1:8500",
        *,
        model: str,
        timeout: float = 10.0,
        version: int | None = None,
        label: str | None = None,
        retries: int = 3,
        tls: TLS | None = None,
    ) -> None:
        if version is not None and label is not None:
            raise ValueError(f"expected `version` or `label`, got both: {version} and {label!r}")
        addresses = [target] if isinstance(target, str) else target
        self.target = ", ".join(addresses)
        self.model = model
        self.version = version
        self.label = label
        self._connection = Connection(addresses, timeout, retries, tls)

    @_refresh_signatures_on_error
    def recommend(
        self,
        histories: Sequence[Sequence[Any]] | None = None,
        k: int = 10,
        *,
        ratings: Sequence[Sequence[float]] | None = None,
        user_ids: Sequence[Any] | None = None,
        exclude: Sequence[Any] = (),
        candidates: Sequence[Any] = (),
    ) -> tuple[Array, FloatArray]:
        """The best `k` items for each user, without the items of the user's history.

        Args:
            histories: for each user, a list of item ids; only for models with the input `history`.
            k: number of items, from 1 to the size of the catalogue.
            ratings: for each user, the ratings of those items; only for models with the input `ratings`.
            user_ids: for each user, the id; only for models with the input `user_id`. An id that is
                not in the training data is an unknown user.
            exclude: ids of items to exclude, for all users.
            candidates: ids of the only items to return, for all users; all items if empty.

        Returns:
            Item ids and scores, each `(n_users, k)`, best first. If fewer than `k` items remain, the
            rest is "" or -1 with the lowest float32 as its score.

        Raises:
            ServingError: The server rejected the request or could not be reached.
            ValueError: The arguments do not match the inputs of the model.
        """
        k = as_int_at_least(1, k=k)
        inputs = self._inputs("recommend", histories, ratings, user_ids)
        n_users = len(next(iter(inputs.values())))
        inputs["k"] = np.full(n_users, k, np.int32)
        for name, ids in (("exclude", exclude), ("candidates", candidates)):
            if any(isinstance(item, (list, tuple, np.ndarray)) for item in ids):
                raise ValueError(f"expected one list of ids for all users as `{name}`, got a list for each user")
            dtype = tf.as_dtype(self._signature("recommend").inputs[name].dtype)
            inputs[name] = padded_rows([ids] * n_users, dtype, name)
        outputs = self._predict("recommend", inputs)
        # A server that merges requests returns all of them with the largest k.
        return outputs["item_ids"][:, :k], outputs["scores"][:, :k]

    @_refresh_signatures_on_error
    def count_known(
        self,
        histories: Sequence[Sequence[Any]],
        *,
        ratings: Sequence[Sequence[float]] | None = None,
        user_ids: Sequence[Any] | None = None,
    ) -> IntArray:
        """The number of different items of each history that are in the catalogue `(n_users,)`.

        The other items of a history are ignored. The arguments are those of `recommend`.

        Raises:
            ServingError: The server rejected the request or could not be reached.
            ValueError: The arguments do not match the inputs of the model.
        """
        inputs = self._inputs("serving_default", histories, ratings, user_ids)
        return self._predict("serving_default", inputs, ["n_known"])["n_known"]

    @_refresh_signatures_on_error
    def score(
        self,
        histories: Sequence[Sequence[Any]] | None = None,
        *,
        ratings: Sequence[Sequence[float]] | None = None,
        user_ids: Sequence[Any] | None = None,
    ) -> FloatArray:
        """Scores of all items, `(n_users, n_items)`, in the order of `assets/item_ids.txt` of the export.

        Raises:
            ServingError: The server rejected the request or could not be reached.
            ValueError: The arguments do not match the inputs of the model.
        """
        return self._predict("score", self._inputs("score", histories, ratings, user_ids), ["scores"])["scores"]

    @_refresh_signatures_on_error
    def embed(
        self, histories: Sequence[Sequence[Any]] | None = None, *, user_ids: Sequence[Any] | None = None
    ) -> FloatArray:
        """Means of the users' latent codes, `(n_users, latent_dim)`, from a variational autoencoder.

        Raises:
            ServingError: The server rejected the request or could not be reached.
            ValueError: The model is not a variational autoencoder, or the arguments do not match its inputs.
        """
        return self._predict("embed", self._inputs("embed", histories, None, user_ids))["embedding"]

    @_refresh_signatures_on_error
    def sample(
        self, histories: Sequence[Sequence[Any]], seeds: Sequence[int], *, user_ids: Sequence[Any] | None = None
    ) -> tuple[Array, FloatArray]:
        """The best items for latent codes drawn from the users' posteriors; the list depends on the seed.

        Args:
            histories: for each user, a list of item ids.
            seeds: for each user, an integer; equal seeds return equal lists.
            user_ids: for each user, the id; only for models with the input `user_id`.

        Returns:
            Item ids and scores, each `(n_users, top_k of the export)`, best first.

        Raises:
            ServingError: The server rejected the request or could not be reached.
            ValueError: The model is not a variational autoencoder, or the arguments do not match its inputs.
        """
        inputs = self._inputs("sample", histories, None, user_ids)
        if len(seeds) != len(histories):
            raise ValueError(f"expected one integer for each of {len(histories)} users in `seeds`, got {len(seeds)}")
        inputs["seed"] = one_dimensional(seeds, tf.int64, "seeds")
        outputs = self._predict("sample", inputs)
        return outputs["item_ids"], outputs["scores"]

    @_refresh_signatures_on_error
    def titles(self, item_ids: Sequence[Sequence[Any]] | Array) -> Array:
        """Titles of items, for example of the lists that `recommend` returns.

        Args:
            item_ids: `(n_users, k)` item ids.

        Returns:
            `(n_users, k)` str; "" for unknown items, for items without a title, and if the export has no titles.

        Raises:
            ServingError: The server rejected the request or could not be reached.
            ValueError: The lists differ in length, or the ids have another type than those of the model.
        """
        lengths = {len(row) for row in item_ids}
        if len(lengths) > 1:
            raise ValueError(f"expected lists of one length as `item_ids`, got {', '.join(map(str, sorted(lengths)))}")
        if "titles" not in self._signatures or not lengths:
            return np.full((len(item_ids), *lengths), "")
        dtype = tf.as_dtype(self._signature("titles").inputs["item_ids"].dtype)
        inputs = {"item_ids": padded_rows(list(item_ids), dtype, "item_ids")}
        # A server that merges requests returns all of them in the length of the longest.
        return self._predict("titles", inputs)["titles"][:, 1 : 1 + lengths.pop()]

    def input_types(self) -> dict[str, str]:
        """The inputs that `recommend` requires and their types: `{"history": "int64", "ratings": "float32"}`.

        Raises:
            ServingError: The server could not be reached.
            ValueError: The model has no signature `recommend`.
        """
        self.__dict__.pop("_signatures", None)  # a newer version may have other inputs
        inputs = self._signature("recommend").inputs
        return {name: tf.as_dtype(spec.dtype).name for name, spec in inputs.items() if name in ARGUMENTS}

    def status(self) -> dict[int, str]:
        """The state of each version of the model on the server, with the error that prevents it from serving.

        For example `{1: "AVAILABLE", 2: "END: no saved_model.pb in …"}`.

        Raises:
            ServingError: The model is unknown, or the server could not be reached.
        """
        request = GetModelStatusRequest(model_spec=self._spec())
        response = self._connection.call(ModelServiceStub, "GetModelStatus", request)
        versions = sorted(response.model_version_status, key=lambda v: v.version)
        states = {v.version: ModelVersionStatus.State.Name(v.state) for v in versions}
        return {v.version: ": ".join(filter(None, (states[v.version], v.status.error_message))) for v in versions}

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Returns as soon as a version of the model is available.

        Raises:
            TimeoutError: No version was available within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                if "AVAILABLE" in self.status().values():
                    return
                reason = "no version is available"
            except ServingError as error:
                reason = str(error)
            if time.monotonic() >= deadline:
                raise TimeoutError(f"model {self.model!r} at {self.target} was not ready after {timeout:g} s: {reason}")
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _signatures(self) -> Mapping[str, Any]:
        """Signature name → `SignatureDef`, requested from the server once."""
        request = GetModelMetadataRequest(model_spec=self._spec(), metadata_field=["signature_def"])
        response = self._connection.call(PredictionServiceStub, "GetModelMetadata", request)
        signatures = SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return dict(signatures.signature_def)  # reading a missing name adds it to a protobuf map

    def _signature(self, name: str) -> Any:
        if name not in self._signatures:
            names = ", ".join(sorted(self._signatures))
            raise ValueError(f"model {self.model!r} has no signature {name!r}. Signatures: {names}")
        return self._signatures[name]

    def _inputs(
        self,
        signature: str,
        histories: Sequence[Sequence[Any]] | None,
        ratings: Sequence[Sequence[float]] | None,
        user_ids: Sequence[Any] | None,
    ) -> dict[str, Array]:
        rows_of_input = {"history": histories, "ratings": ratings, "user_id": user_ids}
        expected = self._signature(signature).inputs
        inputs = {}
        for name, rows in rows_of_input.items():
            argument = ARGUMENTS[name]
            if name in expected and rows is None:
                raise ValueError(f"model {self.model!r} requires `{argument}`")
            if name not in expected and rows is not None:
                raise ValueError(f"model {self.model!r} has no input for `{argument}`")
            if rows is not None:
                to_array = one_dimensional if name == "user_id" else padded_rows
                inputs[name] = to_array(rows, tf.as_dtype(expected[name].dtype), argument)
        if histories is not None and ratings is not None and [*map(len, histories)] != [*map(len, ratings)]:
            raise ValueError("expected one number in `ratings` for each item in `histories`, got another length")
        return inputs

    def _predict(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> dict[str, Array]:
        spec = self._spec()
        spec.signature_name = signature
        protos = {name: tf.make_tensor_proto(array) for name, array in inputs.items()}
        request = PredictRequest(model_spec=spec, inputs=protos, output_filter=outputs)
        response = self._connection.call(PredictionServiceStub, "Predict", request)
        return {name: decoded(tf.make_ndarray(proto)) for name, proto in response.outputs.items()}

    def _spec(self) -> ModelSpec:
        spec = ModelSpec(name=self.model, version_label=self.label or "")
        if self.version is not None:
            spec.version.value = self.version
        return spec
