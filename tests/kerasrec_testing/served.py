"""A small model named "films" that takes histories with ratings, and requests to it, for the tests of serving."""

import functools
import time

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from kerasrec import AutoRec, Interactions
from kerasrec.saved_model import export_saved_model

N_ITEMS = 12


@functools.cache
def table():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((20, N_ITEMS)) < 0.5)
    return Interactions.from_arrays(user, np.char.add("i", item.astype(str)), rng.integers(1, 6, len(user)))


@functools.cache
def model(seed=1):
    made = AutoRec.for_interactions(table(), hidden_dims=(4,), seed=seed)
    made.build()
    return made


def export(path, version=None, seed=1, top_k=4):
    """A version whose scores depend on `seed`."""
    return export_saved_model(model(seed), path, table(), top_k=top_k, version=version)


def request(signature="", model="films", **inputs):
    fields = {"history": [["i1", "i3"]], "ratings": np.array([[5, 1]], np.float32)}
    if signature == "recommend":
        fields |= {"k": np.array([3], np.int32), "exclude": [[""]], "candidates": [[""]]}
    asked = PredictRequest()
    asked.model_spec.name = model
    asked.model_spec.signature_name = signature
    for name, value in {**fields, **inputs}.items():
        if value is not None:
            asked.inputs[name].CopyFrom(value if hasattr(value, "CopyFrom") else tf.make_tensor_proto(value))
    return asked


def eventually(happens, timeout=20.0):
    """Waits until `happens()` is true."""
    until = time.monotonic() + timeout
    while not happens():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
