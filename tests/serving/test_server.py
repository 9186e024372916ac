import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kerasrec_testing.served import N_ITEMS, export, request
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving import Server
from kerasrec.serving.servable import MAX_ROWS, Servable

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
AVAILABLE, END, LOADING = ModelVersionStatus.AVAILABLE, ModelVersionStatus.END, ModelVersionStatus.LOADING


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Versions 3 and 12 of the model."""
    path = tmp_path_factory.mktemp("models") / "films"
    export(path, 3)
    export(path, 12, top_k=5)
    (path / "13").mkdir()  # a version that somebody is still copying
    return path


@pytest.fixture(scope="module")
def channel(folder):
    with Server(folder, port=0) as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as open_channel:
        yield open_channel


def predict(channel, asked):
    return PredictionServiceStub(channel).Predict(asked, timeout=20)


def test_predict_answers_each_signature(channel):
    widths = {"": 5, "serving_default": 5, "recommend": 3}
    for signature, width in widths.items():
        answer = predict(channel, request(signature))
        assert sorted(answer.outputs) == ["item_ids", "scores"]
        items = tf.make_ndarray(answer.outputs["item_ids"])
        assert items.shape == tf.make_ndarray(answer.outputs["scores"]).shape == (1, width)
        assert not {b"i1", b"i3"} & set(items[0])
        assert answer.model_spec.name == "films"
        assert answer.model_spec.version.value == 12
        assert answer.model_spec.signature_name == signature or "serving_default"
    assert tf.make_ndarray(predict(channel, request("score")).outputs["scores"]).shape == (1, N_ITEMS)


def test_predict_returns_only_the_outputs_asked_for(channel):
    asked = request("score")
    asked.output_filter.append("item_ids")
    assert list(predict(channel, asked).outputs) == ["item_ids"]


def test_predict_takes_a_version_number(channel):
    asked = request()
    asked.model_spec.version.value = 12
    assert predict(channel, asked).model_spec.version.value == 12


def proto(**fields):
    return tf.make_tensor_proto([["i1", "i3"]]).__class__(**fields)


def shape(*sizes):
    return tf.TensorShape(None).as_proto().__class__(dim=[{"size": size} for size in sizes])


def changed(message, **fields):
    for name, value in fields.items():
        if name == "output_filter":
            message.output_filter.append(value)
        else:
            setattr(message.model_spec, name, value)
    return message


def of_version(number):
    asked = request()
    asked.model_spec.version.value = number
    return asked


STRING, INT64, INT32, FLOAT = tf.string, tf.int64, tf.int32, tf.float32
K = {"signature": "recommend"}
BAD = {
    "unknown signature": (request("top"), "no signature 'top': this model has recommend, score, serving_default"),
    "missing input": (request(ratings=None), "input `ratings` of 'serving_default' is missing"),
    "missing k": (request(**K, k=None), "input `k` of 'recommend' is missing"),
    "unknown input": (request(colour=[[1]]), "'serving_default' has no input `colour`: it takes history, ratings"),
    "integers for strings": (request(history=[[1, 3]]), "`history` must be string, not int32"),
    "strings for ratings": (request(ratings=[["5", "1"]]), "`ratings` must be float32, not string"),
    "k of another type": (request(**K, k=np.array([3], np.int64)), "`k` must be int32, not int64"),
    "no such type": (request(history=proto(dtype=99, tensor_shape=shape(1, 1))), "`history` must be string, not the"),
    "rank 1": (request(history=["i1", "i3"]), "`history` must have 2 dimensions, not 1"),
    "rank 0": (request(**K, k=np.int32(3)), "`k` must have 1 dimensions, not 0"),
    "unknown rank": (
        request(history=proto(dtype=7, tensor_shape={"unknown_rank": True}, string_val=[b"i1"])),
        "`history` must have 2 dimensions",
    ),
    "rows differ": (request(history=[["i1", "i3"]] * 2), "`ratings` has 1 rows, `history` 2|`history` has 2 rows"),
    "k rows differ": (request(**K, k=np.array([3, 3], np.int32)), "`k` has 2 rows|has 1 rows, `k` 2"),
    "lengths differ": (request(ratings=np.ones((1, 3), np.float32)), "`ratings` must have the shape of `history`"),
    "not a number": (request(ratings=np.array([[5, np.nan]], np.float32)), "`ratings` must be finite numbers"),
    "k zero": (request(**K, k=np.array([0], np.int32)), "`k` must be between 1 and 12, the number of items, not 0"),
    "k negative": (request(**K, k=np.array([-7], np.int32)), "`k` must be between 1 and 12, .* not -7"),
    "k a million": (request(**K, k=np.array([10**6], np.int32)), "`k` must be between 1 and 12, .* not 1000000"),
    "unknown output": (changed(request(), output_filter="odds"), "no output 'odds' in 'serving_default'"),
    "too few bytes": (
        request(ratings=proto(dtype=1, tensor_shape=shape(1, 2), tensor_content=b"abc")),
        r"`ratings` is not a valid tensor of shape \[1, 2\]",
    ),
    "too many values": (
        request(history=proto(dtype=7, tensor_shape=shape(1, 2), string_val=[b"a", b"b", b"c"])),
        "`history` is not a valid tensor",
    ),
    "no values": (
        request(ratings=proto(dtype=1, tensor_shape=shape(1, 2))),
        None,  # TF Serving reads zeros, as protobuf leaves zeros out
    ),
    "negative size": (request(history=proto(dtype=7, tensor_shape=shape(1, -2))), "`history` has a shape that is too"),
    "enormous": (
        request(history=proto(dtype=7, tensor_shape=shape(2**40, 2**40), string_val=[b"a"])),
        "`history` has a shape that is too large or impossible",
    ),
    "too many rows": (
        request(history=[["i1"]] * (MAX_ROWS + 1), ratings=np.ones((MAX_ROWS + 1, 1), np.float32)),
        "has 1,001 rows: ask for at most 1,000 users at a time",
    ),
}
NOT_FOUND = {
    "unknown model": (request(model="songs"), "no model 'songs' here: there is films"),
    "no model": (request(model=""), "no model '' here"),
    "unknown version": (of_version(3), "no version 3 of model 'films' here: there is 12"),
    "version label": (
        changed(request(), version_label="stable"),
        "no version label 'stable' of .* here: there is none",
    ),
}


@pytest.mark.parametrize("asked, message", BAD.values(), ids=BAD)
def test_a_bad_request_is_the_clients_fault(channel, asked, message):
    if message is None:
        predict(channel, asked)
    else:
        with pytest.raises(grpc.RpcError) as refused:
            predict(channel, asked)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.match(message)
        assert "\n" not in refused.value.details()
    assert predict(channel, request()).outputs


@pytest.mark.parametrize("asked, message", NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_is_not_there_is_not_found(channel, asked, message):
    status = GetModelStatusRequest(model_spec=asked.model_spec)
    metadata = GetModelMetadataRequest(model_spec=asked.model_spec, metadata_field=["signature_def"])
    prediction = PredictionServiceStub(channel)
    calls = (
        (prediction.Predict, asked),
        (prediction.GetModelMetadata, metadata),
        (ModelServiceStub(channel).GetModelStatus, status),
    )
    for method, message_sent in calls:
        with pytest.raises(grpc.RpcError) as refused:
            method(message_sent, timeout=20)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
        assert refused.match(message)


def test_bytes_that_are_no_message_do_not_stop_the_server(channel):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError):
        call(b"\xff\xff\xff", timeout=20)
    assert predict(channel, request()).outputs


def test_metadata_tells_the_signatures(channel):
    asked = GetModelMetadataRequest(model_spec=request().model_spec, metadata_field=["signature_def"])
    answer = PredictionServiceStub(channel).GetModelMetadata(asked, timeout=20)
    signatures = SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert sorted(signatures.signature_def) == ["recommend", "score", "serving_default"]
    recommend = signatures.signature_def["recommend"]
    assert sorted(recommend.inputs) == ["candidates", "exclude", "history", "k", "ratings"]
    assert recommend.inputs["history"].dtype == tf.string.as_datatype_enum
    assert answer.model_spec.version.value == 12

    for fields, message in (([], "`metadata_field` is missing"), (["weights"], "no metadata field 'weights'")):
        asked = GetModelMetadataRequest(model_spec=request().model_spec, metadata_field=fields)
        with pytest.raises(grpc.RpcError, match=message) as refused:
            PredictionServiceStub(channel).GetModelMetadata(asked, timeout=20)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def status(channel):
    asked = GetModelStatusRequest(model_spec=request().model_spec)
    answer = ModelServiceStub(channel).GetModelStatus(asked, timeout=20)
    return {v.version: v.state for v in answer.model_version_status}


def reason(channel, version):
    asked = GetModelStatusRequest(model_spec=request().model_spec)
    answer = ModelServiceStub(channel).GetModelStatus(asked, timeout=20)
    return next(v.status.error_message for v in answer.model_version_status if v.version == version)


def health(channel, service=""):
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status


def test_status_and_health(channel):
    assert status(channel) == {12: AVAILABLE, 13: END}
    assert reason(channel, 13).startswith("no saved_model.pb in ")
    assert health(channel) == health(channel, "tensorflow.serving.PredictionService") == SERVING


def test_serving_only_after_the_warmup(folder, monkeypatch):
    server = Server(folder, port=0)
    warm_up, seen = Servable.warm_up, []

    def watched(servable):
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            seen.append((health(channel), status(channel)))
            with pytest.raises(grpc.RpcError, match="model 'films' is still loading") as refused:
                predict(channel, request())
            seen.append(refused.value.code())
        warm_up(servable)

    answered = []
    run = Servable.run
    monkeypatch.setattr(Servable, "warm_up", watched)
    monkeypatch.setattr(Servable, "run", lambda s, name, *rest: answered.append(name) or run(s, name, *rest))
    with server:
        assert seen == [(NOT_SERVING, {12: LOADING, 13: END}), grpc.StatusCode.UNAVAILABLE]
        # Each alone and as a batch.
        assert answered == ["serving_default"] * 2 + ["recommend"] * 2 + ["score"] * 2


def test_which_version_and_name(folder, tmp_path):
    for path, model, expected in ((folder, None, ("films", 12)), (folder / "3", "old", ("old", 3))):
        with Server(path, model, port=0) as server:
            assert server.names == [expected[0]]
            with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                assert predict(channel, request(model=expected[0])).model_spec.version.value == expected[1]
    with pytest.raises(FileNotFoundError, match="no SavedModel in .*nowhere: expected"):
        Server(tmp_path / "nowhere")
    shutil.copytree(folder / "3", tmp_path / "films")
    with pytest.raises(FileNotFoundError, match="a SavedModel without a version: move it to .*1$"):
        Server(tmp_path / "films")


def test_a_taken_port_is_said(folder, channel):
    with Server(folder, port=0) as server, pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        Server(folder, port=server.port).start()


def test_a_model_that_does_not_load_stops_the_server(folder, tmp_path):
    broken = tmp_path / "films" / "1"
    shutil.copytree(folder / "3", broken)
    shutil.rmtree(broken / "variables")
    server = Server(broken, port=0)
    with pytest.raises(ValueError, match="model 'films' has no version that can be loaded: .*variables"):
        server.start()
    server.wait(timeout=5)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError):
        health(channel)


def test_requests_at_the_same_time(channel):
    stub = PredictionServiceStub(channel)
    pending = [
        stub.Predict.future(request("recommend", history=[[f"i{n % N_ITEMS}", ""]]), timeout=20) for n in range(50)
    ]
    for n, answer in enumerate(pending):
        assert f"i{n % N_ITEMS}".encode() not in tf.make_ndarray(answer.result().outputs["item_ids"])[0]
