"""A small rating model named "films" and requests to it, for the tests of serving."""

import atexit
import functools
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from kerasrec import AutoRec, Interactions
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client

N_ITEMS = 12
TIMEOUT = 120.0
"""Seconds to wait for anything that must happen; a busy machine needs many of them."""


@functools.cache
def table():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((20, N_ITEMS)) < 0.5)
    return Interactions.from_arrays(user, np.char.add("i", item.astype(str)), rng.integers(1, 6, len(user)))


def ratings_of(user):
    """The user's ratings, in the order of `table().row(user)`."""
    return table().values[table().indptr[user] : table().indptr[user + 1]]


def history_of(user):
    return table().item_ids[table().row(user)].tolist()


@functools.cache
def model(seed=1):
    return AutoRec.for_interactions(table(), rows="users", hidden_dims=(4,), seed=seed)


@functools.cache
def _exported(name, seed, top_k):
    folder = Path(tempfile.mkdtemp(prefix="kerasrec-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return export_saved_model(model(seed), folder / name, table(), top_k=top_k)


def export_version(path, version, seed=1, top_k=4):
    """Writes a version whose scores depend on `seed`: a copy of an export, which appears complete."""
    path.mkdir(exist_ok=True)
    shutil.copytree(_exported(path.name, seed, top_k), path / ".incoming")
    return (path / ".incoming").rename(path / str(version))


def predict_request(signature="", model="films", **inputs):
    """A request for one user; an input of None is left out."""
    fields = {"history": [["i1", "i3"]], "ratings": np.array([[5, 1]], np.float32)}
    if signature == "recommend":
        fields |= {"k": np.array([3], np.int32), "exclude": [[""]], "candidates": [[""]]}
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in {**fields, **inputs}.items():
        if value is not None:
            request.inputs[name].CopyFrom(value if hasattr(value, "CopyFrom") else tf.make_tensor_proto(value))
    return request


def client_of(server, **options):
    """A client of the model "films" on a `Server`."""
    return Client(f"127.0.0.1:{server.port}", **{"model": "films", "timeout": TIMEOUT, **options})


def wait_until(condition):
    """Returns as soon as `condition()` is true."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)
