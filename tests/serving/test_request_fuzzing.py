"""Random changes of valid requests: the server answers those that are still valid and rejects the others."""

import http.client
import json
import os
import random

import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from kerasrec_testing.served import N_ITEMS, TIMEOUT, export_version, predict_request
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from kerasrec.serving import Server

N_REQUESTS = int(os.environ.get("KERASREC_FUZZ", "10000"))
VERSION = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzzing") / "films"
    export_version(path, VERSION)
    return path


def mutated(rng):
    """A request with one to three bytes or fields changed."""
    signature = rng.choice(["", "serving_default", "recommend", "score"])
    request = predict_request(signature)
    if rng.random() < 0.5:
        data = bytearray(request.SerializeToString())
        for _ in range(rng.randint(1, 3)):
            position = rng.randrange(len(data))
            kind = rng.random()
            if kind < 0.6:
                data[position] = rng.randrange(256)
            elif kind < 0.8:
                del data[position : position + rng.randint(1, 8)]
            else:
                data[position:position] = rng.randbytes(rng.randint(1, 8))
        return bytes(data)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice([*request.inputs, "colour"])
        proto = request.inputs[name]
        kind = rng.randrange(9)
        if kind == 0:
            del request.inputs[name]
        elif kind == 1:
            proto.dtype = rng.choice([0, 1, 3, 7, 9, 14, 23, 99, 101])
        elif kind == 2:
            for dim in proto.tensor_shape.dim:
                dim.size = rng.choice([-1, 0, 1, 2, 3, 1001, 2**31, 2**62])
        elif kind == 3:
            proto.tensor_shape.dim.add(size=rng.choice([0, 1, 2]))
        elif kind == 4:
            proto.tensor_content = rng.randbytes(rng.randint(0, 16))
        elif kind == 5:
            value = rng.choice([0, 1, -1, N_ITEMS, N_ITEMS + 1, 2**31 - 1, -(2**31)])
            request.inputs["k"].CopyFrom(tf.make_tensor_proto([value], tf.int32))
        elif kind == 6:
            value = rng.choice([0.0, 5.0, float("nan"), float("inf"), -1e38])
            request.inputs["ratings"].CopyFrom(tf.make_tensor_proto([[value] * rng.randint(0, 3)], tf.float32))
        elif kind == 7:
            request.model_spec.name = rng.choice(["films", "", "film", "ü" * 1000])
        else:
            request.output_filter.append(rng.choice(["scores", "item_ids", "odds"]))
    return request.SerializeToString()


def is_valid(data, signatures):
    """Whether the protocol allows a request, from its description and the model's signatures."""
    try:
        request = PredictRequest.FromString(data)
    except DecodeError:
        return False
    spec = request.model_spec
    name = spec.signature_name or "serving_default"
    if spec.name != "films" or spec.version_label or name not in signatures:
        return False
    if spec.HasField("version") and spec.version.value != VERSION:
        return False
    expected, outputs = signatures[name].inputs, signatures[name].outputs
    if set(request.inputs) != set(expected) or not set(request.output_filter) <= set(outputs):
        return False
    arrays = {}
    for name, info in expected.items():
        proto = request.inputs[name]
        sizes = [dim.size for dim in proto.tensor_shape.dim]
        rank = len(info.tensor_shape.dim)
        if proto.dtype != info.dtype or len(sizes) != rank or proto.tensor_shape.unknown_rank:
            return False
        if min(sizes) < 0 or np.prod(sizes, dtype=float) > 2 * 2**20:
            return False
        try:
            arrays[name] = tf.make_ndarray(proto)
        except Exception:
            return False
    n_rows = len(arrays["history"])
    if n_rows > 1000 or any(len(array) != n_rows for array in arrays.values()):
        return False
    ratings = arrays["ratings"]
    if ratings.shape != arrays["history"].shape or not np.isfinite(ratings).all():
        return False
    for name in arrays.keys() & {"history", "exclude", "candidates"}:  # a server completes a request of one user
        starts_with_padding = arrays[name].shape[1] > 0 and (arrays[name][:, 0] == b"").all()
        if n_rows != 1 and not starts_with_padding:
            return False
    return "k" not in arrays or bool(((arrays["k"] >= 1) & (arrays["k"] <= N_ITEMS)).all())


def test_mutated_requests_are_answered_if_valid_and_rejected_otherwise(folder):
    """KERASREC_FUZZ sets their number."""
    rng = random.Random(7)
    requests = [mutated(rng) for _ in range(N_REQUESTS)]
    rejections = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
    with Server(folder, port=0) as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        with server.models.acquire(predict_request().model_spec) as servable:
            valid = [is_valid(data, servable.signatures) for data in requests]
        assert 0.02 < np.mean(valid) < 0.98
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        start_bytes = psutil.Process().memory_info().rss
        for start in range(0, len(requests), 32):
            part = slice(start, start + 32)
            pending = [call.future(data, timeout=TIMEOUT) for data in requests[part]]
            for data, is_allowed, answer in zip(requests[part], valid[part], pending, strict=True):
                if is_allowed:
                    assert PredictResponse.FromString(answer.result()).outputs, data
                    continue
                error = answer.exception()
                assert error is not None, f"answered: {data!r}"
                assert error.code() in rejections, (data, error)
        assert PredictResponse.FromString(call(predict_request().SerializeToString(), timeout=TIMEOUT)).outputs
        assert psutil.Process().memory_info().rss - start_bytes < 300 * 2**20


def test_mutated_rest_bodies_are_answered_or_rejected(folder):
    """KERASREC_FUZZ sets their number."""
    rng = random.Random(8)
    valid = json.dumps({"signature_name": "score", "instances": [{"history": ["i1", "i3"], "ratings": [5, 1]}]})
    codes = set()
    with Server(folder, port=0, rest_port=0) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT)
        for _ in range(N_REQUESTS // 5):
            body = bytearray(valid.encode())
            for _ in range(rng.randint(1, 2)):
                body[rng.randrange(len(body))] = rng.choice(b'[]{}",:0-9eE.itrn\\\xff ')
            connection.request("POST", "/v1/models/films:predict", bytes(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
            codes.add(response.status)
            assert list(answer) == (["predictions"] if response.status == 200 else ["error"]), body
        connection.close()
    assert codes == {200, 400}
