"""The gRPC methods: their answers, and their errors for invalid requests."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.served import N_ITEMS, TIMEOUT, client_of, export_version, predict_request
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving import Limits, Server, ServingError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Version 12 of the model, and a folder that contains no version yet."""
    path = tmp_path_factory.mktemp("models") / "films"
    export_version(path, 12, top_k=5)
    (path / "13").mkdir()
    return path


@pytest.fixture(scope="module")
def channel(folder):
    with Server(folder, port=0) as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as open_channel:
        yield open_channel


def predict(channel, request):
    return PredictionServiceStub(channel).Predict(request, timeout=TIMEOUT)


def test_predict_answers_each_signature(channel):
    for signature, width in {"": 5, "serving_default": 5, "recommend": 3}.items():
        response = predict(channel, predict_request(signature))
        assert {"item_ids", "scores"} <= set(response.outputs)
        item_ids = tf.make_ndarray(response.outputs["item_ids"])
        assert item_ids.shape == tf.make_ndarray(response.outputs["scores"]).shape == (1, width)
        assert not {b"i1", b"i3"} & set(item_ids[0])
        assert response.model_spec.name == "films"
        assert response.model_spec.version.value == 12
        assert response.model_spec.signature_name == (signature or "serving_default")
    assert tf.make_ndarray(predict(channel, predict_request("score")).outputs["scores"]).shape == (1, N_ITEMS)


def test_predict_returns_only_the_requested_outputs(channel):
    request = predict_request("score")
    request.output_filter.append("item_ids")
    assert list(predict(channel, request).outputs) == ["item_ids"]


def test_predict_uses_the_requested_version(channel):
    assert predict(channel, with_spec(predict_request(), version=12)).model_spec.version.value == 12


def tensor(**fields):
    return tf.make_tensor_proto([["i1", "i3"]]).__class__(**fields)


def shape(*sizes):
    return tf.TensorShape(None).as_proto().__class__(dim=[{"size": size} for size in sizes])


def with_spec(request, version=None, **fields):
    for name, value in fields.items():
        setattr(request.model_spec, name, value)
    if version is not None:
        request.model_spec.version.value = version
    return request


def with_output(request, name):
    request.output_filter.append(name)
    return request


RECOMMEND = {"signature": "recommend"}
INVALID = {
    "unknown signature": (predict_request("top"), "signature 'top' not found. Signatures: .*recommend, score, serv"),
    "missing input": (predict_request(ratings=None), "input `ratings` of 'serving_default' is missing"),
    "missing k": (predict_request(**RECOMMEND, k=None), "input `k` of 'recommend' is missing"),
    "unknown input": (
        predict_request(colour=[[1]]),
        "'serving_default' has no input `colour`. Its inputs: history, ratings",
    ),
    "integers for strings": (predict_request(history=[[1, 3]]), "expected `history` of type string, got int32"),
    "strings for ratings": (predict_request(ratings=[["5", "1"]]), "expected `ratings` of type float32, got string"),
    "k of another type": (
        predict_request(**RECOMMEND, k=np.array([3], np.int64)),
        "expected `k` of type int32, got int64",
    ),
    "unknown type": (
        predict_request(history=tensor(dtype=99, tensor_shape=shape(1, 1))),
        "expected `history` of type string, got the unknown type 99",
    ),
    "rank 1": (predict_request(history=["i1", "i3"]), "expected `history` with 2 dimensions, got 1"),
    "rank 0": (predict_request(**RECOMMEND, k=np.int32(3)), "expected `k` with 1 dimensions, got 0"),
    "unknown rank": (
        predict_request(history=tensor(dtype=7, tensor_shape={"unknown_rank": True}, string_val=[b"i1"])),
        "expected `history` with 2 dimensions, got an unknown number",
    ),
    "rows differ": (predict_request(history=[["i1", "i3"]] * 2), r"with as many rows as `(history|ratings)` \([12]\)"),
    "k rows differ": (
        predict_request(**RECOMMEND, k=np.array([3, 3], np.int32)),
        r"expected `k` with as many rows as .* \(1\), got 2|with as many rows as `k` \(2\), got 1",
    ),
    "lengths differ": (
        predict_request(ratings=np.ones((1, 3), np.float32)),
        r"expected `ratings` with the shape of `history` \(\[1, 2\]\), got \[1, 3\]",
    ),
    "not a number": (predict_request(ratings=np.array([[5, np.nan]], np.float32)), "`ratings`.*finite"),
    "k zero": (predict_request(**RECOMMEND, k=np.array([0], np.int32)), "`k`.* 1 .*12.* 0"),
    "k negative": (predict_request(**RECOMMEND, k=np.array([-7], np.int32)), "`k`.* 1 .*12.* -7"),
    "k a million": (predict_request(**RECOMMEND, k=np.array([10**6], np.int32)), "`k`.* 1 .*12.* 1000000"),
    "no model name": (predict_request(model=""), "ModelSpec has no name specified."),
    "no model": (PredictRequest(), "Missing ModelSpec"),
    "unknown label": (
        with_spec(predict_request(), version_label="stable"),
        "Unrecognized servable version label: stable. Labels: none",
    ),
    "unknown output": (with_output(predict_request(), "odds"), "'serving_default' has no output 'odds'. Outputs: item"),
    "too few bytes": (
        predict_request(ratings=tensor(dtype=1, tensor_shape=shape(1, 2), tensor_content=b"abc")),
        r"`ratings` is not a valid tensor of shape \[1, 2\]",
    ),
    "too many values": (
        predict_request(history=tensor(dtype=7, tensor_shape=shape(1, 2), string_val=[b"a", b"b", b"c"])),
        "`history` is not a valid tensor",
    ),
    "negative size": (
        predict_request(history=tensor(dtype=7, tensor_shape=shape(1, -2))),
        r"expected `history` with at most 2,097,152 elements, got shape \[1, -2\]",
    ),
    "enormous": (
        predict_request(history=tensor(dtype=7, tensor_shape=shape(2**40, 2**40), string_val=[b"a"])),
        "expected `history` with at most 2,097,152 elements, got shape",
    ),
    "too many rows": (
        predict_request(history=[["i1"]] * 1001, ratings=np.ones((1001, 1), np.float32)),
        "with at most 1,000 rows, got 1,001. Fix: send several requests",
    ),
}
NOT_FOUND = {
    "unknown model": (predict_request(model="songs"), "model 'songs' not found. Models: films"),
    "unknown version": (
        with_spec(predict_request(), version=3),
        "version 3 of model 'films' not found. Versions: 12",
    ),
}


@pytest.mark.parametrize("request_, message", INVALID.values(), ids=INVALID)
def test_an_invalid_request_is_rejected_with_the_name_of_its_field(channel, request_, message):
    with pytest.raises(grpc.RpcError) as rejected:
        predict(channel, request_)
    assert rejected.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert rejected.match(message)
    assert "\n" not in rejected.value.details()
    assert predict(channel, predict_request()).outputs


def test_a_tensor_without_values_is_zeros(channel):
    """As in TF Serving: protobuf omits zeros."""
    zeros = tensor(dtype=1, tensor_shape=shape(1, 2))
    responses = [predict(channel, predict_request(ratings=r)) for r in (zeros, np.zeros((1, 2), np.float32))]
    assert responses[0].outputs == responses[1].outputs


@pytest.mark.parametrize("request_, message", NOT_FOUND.values(), ids=NOT_FOUND)
def test_an_unknown_model_or_version_is_not_found(channel, request_, message):
    status = GetModelStatusRequest(model_spec=request_.model_spec)
    metadata = GetModelMetadataRequest(model_spec=request_.model_spec, metadata_field=["signature_def"])
    prediction = PredictionServiceStub(channel)
    for method, sent in (
        (prediction.Predict, request_),
        (prediction.GetModelMetadata, metadata),
        (ModelServiceStub(channel).GetModelStatus, status),
    ):
        with pytest.raises(grpc.RpcError) as rejected:
            method(sent, timeout=TIMEOUT)
        assert rejected.value.code() == grpc.StatusCode.NOT_FOUND
        assert rejected.match(message)


def test_bytes_that_are_not_a_message_are_rejected(channel):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError, match="not a valid message of this method") as rejected:
        call(b"\xff\xff\xff", timeout=TIMEOUT)
    assert rejected.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert predict(channel, predict_request()).outputs


def test_metadata_contains_the_signatures(channel):
    request = GetModelMetadataRequest(model_spec=predict_request().model_spec, metadata_field=["signature_def"])
    response = PredictionServiceStub(channel).GetModelMetadata(request, timeout=TIMEOUT)
    signatures = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"recommend", "score", "serving_default"} <= set(signatures.signature_def)
    recommend = signatures.signature_def["recommend"]
    assert sorted(recommend.inputs) == ["candidates", "exclude", "history", "k", "ratings"]
    assert recommend.inputs["history"].dtype == tf.string.as_datatype_enum
    assert response.model_spec.version.value == 12


@pytest.mark.parametrize(("fields", "message"), [([], "signature_def, got none"), (["weights"], "got 'weights'")])
def test_other_metadata_is_rejected(channel, fields, message):
    request = GetModelMetadataRequest(model_spec=predict_request().model_spec, metadata_field=fields)
    with pytest.raises(grpc.RpcError, match=message) as rejected:
        PredictionServiceStub(channel).GetModelMetadata(request, timeout=TIMEOUT)
    assert rejected.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_status_contains_each_version_and_its_error(channel):
    request = GetModelStatusRequest(model_spec=predict_request().model_spec)
    response = ModelServiceStub(channel).GetModelStatus(request, timeout=TIMEOUT)
    states = {v.version: (v.state, v.status.error_message) for v in response.model_version_status}
    assert states[12] == (ModelVersionStatus.AVAILABLE, "")
    assert states[13][0] == ModelVersionStatus.END
    assert states[13][1].startswith("no saved_model.pb in ")


def test_concurrent_requests_get_their_own_answers(channel):
    stub = PredictionServiceStub(channel)
    requests = [predict_request("recommend", history=[[f"i{n % N_ITEMS}", ""]]) for n in range(50)]
    pending = [stub.Predict.future(request, timeout=TIMEOUT) for request in requests]
    for n, answer in enumerate(pending):
        assert f"i{n % N_ITEMS}".encode() not in tf.make_ndarray(answer.result().outputs["item_ids"])[0]


def test_a_request_above_the_size_limit_is_rejected(folder):
    with Server(folder, port=0, limits=Limits(max_request_bytes=10_000)) as server, client_of(server) as client:
        with pytest.raises(ServingError) as rejected:
            client.recommend([["i1"] * 20_000], ratings=[[1] * 20_000])
        assert rejected.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert client.recommend([["i1"]], 2, ratings=[[1]])[0].shape == (1, 2)
