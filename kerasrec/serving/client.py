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

from kerasrec.serving.tls import TLS
from kerasrec.types import Array, FloatArray
from kerasrec.validation import as_int_at_least

P = ParamSpec("P")
R = TypeVar("R")

FIRST_PAUSE = 0.1
"""Seconds before the first new attempt; each further pause is twice as long."""


class ServingError(RuntimeError):
    """The server refused a request or could not be reached.

    Attributes:
        code: the gRPC status, such as `grpc.StatusCode.INVALID_ARGUMENT`.
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


def _follows_versions(ask: Callable[Concatenate[Client, P], R]) -> Callable[Concatenate[Client, P], R]:
    """A method that asks again if a new version of the model takes something else than what the client knows."""

    @wraps(ask)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        known = self.__dict__.get("_signatures")
        try:
            return ask(self, *args, **kwargs)
        except (ValueError, ServingError) as error:
            refused = isinstance(error, ValueError) or error.code == grpc.StatusCode.INVALID_ARGUMENT
            if known is None or not refused:
                raise
            del self._signatures
            if self._signatures == known:
                raise
            return ask(self, *args, **kwargs)

    return method


class Client:
    """Asks a served model for recommendations.

    Args:
        target: `host:port` of the server.
        model: the model's name there.
        timeout: seconds to wait for an answer, new attempts included.
        version: number of the version to ask; the server's choice, its newest, where absent.
        label: label of the version to ask, such as `"stable"`, instead.
        retries: new attempts where the server cannot be reached or does not serve yet
            (UNAVAILABLE). Whatever else goes wrong is not tried again.
        tls: the authority to hold the server against, and for mutual TLS one's own certificate; no
            encryption where absent.

    Raises:
        ValueError: both `version` and `label` are given.

    Example:
        >>> with Client("127.0.0.1:8500", model="ease") as client:  # doctest: +SKIP
        ...     item_ids, scores = client.recommend([[3, 5], [8]], k=10)
    """

    def __init__(
        self,
        target: str = "127.0.0.1:8500",
        *,
        model: str,
        timeout: float = 10.0,
        version: int | None = None,
        label: str | None = None,
        retries: int = 3,
        tls: TLS | None = None,
    ) -> None:
        if version is not None and label is not None:
            raise ValueError("give `version` or `label`, not both: a label stands for a version")
        self.target = target
        self.model = model
        self.timeout = timeout
        self.version = version
        self.label = label
        self.retries = retries
        options = [
            ("grpc.max_receive_message_length", -1),  # 4 MB by default, which a catalogue's scores reach
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.initial_reconnect_backoff_ms", 100),  # gRPC would look for a restarted server after up to minutes
            ("grpc.max_reconnect_backoff_ms", 1000),
        ]
        if tls is None:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, tls.of_client(), options)
        self._prediction = PredictionServiceStub(self._channel)
        self._status = ModelServiceStub(self._channel)

    @_follows_versions
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
        """The best `k` items for each user, without those in the user's history.

        Args:
            histories: a list of item ids a user, for models that ask for it.
            k: how many items, 1 to the size of the catalogue.
            ratings: the ratings of those items, likewise.
            user_ids: the users' ids, likewise; one that the model does not know is a stranger's.
            exclude: ids of items never to return.
            candidates: ids of the only items to return; all where empty.

        Returns:
            Item ids and scores, each `(n_users, k)`, best first; "" or -1 and -inf where fewer
            than `k` were left.

        Raises:
            ServingError: the server refused the request or could not be reached.
            ValueError: the model asks for something else.
        """
        k = as_int_at_least(1, k=k)
        inputs = self._inputs("recommend", histories, ratings, user_ids)
        n_users = len(next(iter(inputs.values())))
        inputs["k"] = np.full(n_users, k, np.int32)
        for name, ids in (("exclude", exclude), ("candidates", candidates)):
            if any(isinstance(item, (list, tuple, np.ndarray)) for item in ids):
                raise ValueError(f"`{name}` must be one list of ids, which holds for all users, not a list for each")
            dtype = tf.as_dtype(self._signature("recommend").inputs[name].dtype)
            inputs[name] = _padded([ids] * n_users, dtype, name)
        answer = self._predict("recommend", inputs)
        # A server that batches requests answers all of them as wide as the widest.
        return answer["item_ids"][:, :k], answer["scores"][:, :k]

    @_follows_versions
    def score(
        self,
        histories: Sequence[Sequence[Any]] | None = None,
        *,
        ratings: Sequence[Sequence[float]] | None = None,
        user_ids: Sequence[Any] | None = None,
    ) -> FloatArray:
        """Scores of all items, `(n_users, n_items)`, in the order of the export's `assets/item_ids.txt`."""
        return self._predict("score", self._inputs("score", histories, ratings, user_ids), ["scores"])["scores"]

    @_follows_versions
    def embed(
        self, histories: Sequence[Sequence[Any]] | None = None, *, user_ids: Sequence[Any] | None = None
    ) -> FloatArray:
        """The users as the model sees them: means of their latent codes, `(n_users, latent_dim)`.

        Raises:
            ValueError: the model has no latent code, or asks for something else.
        """
        return self._predict("embed", self._inputs("embed", histories, None, user_ids))["embedding"]

    @_follows_versions
    def sample(
        self, histories: Sequence[Sequence[Any]], seeds: Sequence[int], *, user_ids: Sequence[Any] | None = None
    ) -> tuple[Array, FloatArray]:
        """The best items for codes drawn from the users' posteriors: other lists for other seeds.

        Args:
            histories: a list of item ids a user.
            seeds: an integer a user; the same one gives the same list.
            user_ids: the users' ids, likewise.

        Returns:
            Item ids and scores, each `(n_users, top_k of the export)`, best first.

        Raises:
            ValueError: the model is no variational autoencoder, or asks for something else.
        """
        inputs = self._inputs("sample", histories, None, user_ids)
        if len(seeds) != len(histories):
            raise ValueError(f"`seeds` must hold one integer for each user: {len(histories)}, not {len(seeds)}")
        inputs["seed"] = _entries(seeds, tf.int64, "seeds")
        answer = self._predict("sample", inputs)
        return answer["item_ids"], answer["scores"]

    def takes(self) -> dict[str, str]:
        """What a question must tell, and its type: `{"history": "int64", "ratings": "float"}`.

        Raises:
            ServingError: the server could not be reached.
            ValueError: the model has no signature `recommend`.
        """
        self.__dict__.pop("_signatures", None)  # what the newest version takes
        options = {"k", "exclude", "candidates"}
        inputs = self._signature("recommend").inputs
        return {name: tf.as_dtype(spec.dtype).name for name, spec in inputs.items() if name not in options}

    def status(self) -> dict[int, str]:
        """The state of each version of the model on the server, and what is wrong with it.

        As in `{1: "AVAILABLE", 2: "END: no saved_model.pb in …"}`.
        """
        request = GetModelStatusRequest(model_spec=self._spec())
        versions = sorted(
            self._call(self._status.GetModelStatus, request).model_version_status, key=lambda v: v.version
        )
        states = {v.version: ModelVersionStatus.State.Name(v.state) for v in versions}
        return {v.version: ": ".join(filter(None, (states[v.version], v.status.error_message))) for v in versions}

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Returns once a version of the model answers requests.

        Raises:
            TimeoutError: none did within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        reason = "it is loading"
        while time.monotonic() < deadline:
            try:
                if "AVAILABLE" in self.status().values():
                    return
            except ServingError as error:
                reason = str(error)
            time.sleep(0.1)
        raise TimeoutError(f"model {self.model!r} at {self.target} was not ready after {timeout:g} s: {reason}")

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _signatures(self) -> Mapping[str, Any]:
        """What the model's signatures take, asked of the server once."""
        request = GetModelMetadataRequest(model_spec=self._spec(), metadata_field=["signature_def"])
        signatures = SignatureDefMap()
        self._call(self._prediction.GetModelMetadata, request).metadata["signature_def"].Unpack(signatures)
        return dict(signatures.signature_def)  # a protobuf map would gain every name that it is asked for

    def _signature(self, name: str) -> Any:
        if name not in self._signatures:
            there = ", ".join(sorted(self._signatures))
            raise ValueError(f"model {self.model!r} has no signature {name!r}: it has {there}")
        return self._signatures[name]

    def _inputs(
        self,
        signature: str,
        histories: Sequence[Sequence[Any]] | None,
        ratings: Sequence[Sequence[float]] | None,
        user_ids: Sequence[Any] | None,
    ) -> dict[str, Array]:
        given = {"history": histories, "ratings": ratings, "user_id": user_ids}
        asked = self._signature(signature).inputs
        inputs = {}
        for name, rows in given.items():
            argument = {"history": "histories", "user_id": "user_ids"}.get(name, name)
            if (name in asked) != (rows is not None):
                raise ValueError(f"model {self.model!r} {'needs' if name in asked else 'takes no'} `{argument}`")
            if rows is not None:
                dtype = tf.as_dtype(asked[name].dtype)
                inputs[name] = _entries(rows, dtype, argument) if name == "user_id" else _padded(rows, dtype, argument)
        if histories is not None and ratings is not None and [*map(len, histories)] != [*map(len, ratings)]:
            raise ValueError("`ratings` must hold one number for each item of `histories`")
        return inputs

    def _predict(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> dict[str, Array]:
        spec = self._spec()
        spec.signature_name = signature
        protos = {name: tf.make_tensor_proto(array) for name, array in inputs.items()}
        request = PredictRequest(model_spec=spec, inputs=protos, output_filter=outputs)
        answer = self._call(self._prediction.Predict, request).outputs
        return {name: _text(tf.make_ndarray(proto)) for name, proto in answer.items()}

    def _spec(self) -> ModelSpec:
        spec = ModelSpec(name=self.model, version_label=self.label or "")
        if self.version is not None:
            spec.version.value = self.version
        return spec

    def _call(self, method: Any, request: Any) -> Any:
        deadline = time.monotonic() + self.timeout
        pause, left = FIRST_PAUSE, self.retries
        while True:
            try:
                return method(request, timeout=max(deadline - time.monotonic(), 0))
            except grpc.RpcError as error:
                again = error.code() == grpc.StatusCode.UNAVAILABLE and left > 0
                if not again or time.monotonic() + pause >= deadline:
                    raise ServingError(f"{self.target}: {_reason(error)}", error.code()) from None
            time.sleep(pause)
            pause, left = 2 * pause, left - 1


def _reason(error: grpc.RpcError) -> str:
    """What a status says; gRPC tells of an address at which nothing listens in terms of its own sockets."""
    details = error.details() or ""
    if error.code() == grpc.StatusCode.UNAVAILABLE and "Connection refused" in details:
        return "nothing listens there: is `kerasrec serve` or TF Serving running?"
    return details


def _padded(rows: Sequence[Sequence[Any]], dtype: Any, argument: str) -> Array:
    """The rows as one array, padded in front.

    TF Serving, when it merges requests of several lengths, pads each with the very first element of
    its tensor: that must be padding, or the others' rows would gain an item.
    """
    for entries in rows:
        if isinstance(entries, str) or not hasattr(entries, "__len__"):
            raise ValueError(f"`{argument}` must hold a list for each user, not {entries!r}")
    width = 1 + max(map(len, rows), default=0)
    nothing = {tf.string: "", tf.int64: -1, tf.float32: 0.0}[dtype]
    padded = np.full((len(rows), width), nothing, dtype.as_numpy_dtype)
    for row, entries in zip(padded, rows, strict=True):
        row[width - len(entries) :] = _entries(entries, dtype, argument)
    return padded


def _entries(entries: Sequence[Any], dtype: Any, argument: str) -> Array:
    array = np.asarray(entries)
    if array.dtype.kind == "O":
        array = np.array(array.tolist())
    kinds, wanted = {tf.string: ("U", "strings"), tf.int64: ("iu", "integers"), tf.float32: ("iuf", "numbers")}[dtype]
    if len(array) and (array.dtype.kind not in kinds or array.ndim != 1):
        raise ValueError(f"`{argument}` must hold {wanted}, as the model was trained on, not {entries[0]!r}")
    return array.astype(dtype.as_numpy_dtype)


def _text(array: Array) -> Array:
    """Bytes as str; numbers as they are."""
    return np.char.decode(array.astype(np.bytes_), "utf-8") if array.dtype == np.object_ else array
