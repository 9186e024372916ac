"""Small exported models, requests to them and their answers."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kerasrec import ZOO, Interactions, Recommender
from kerasrec.saved_model import export_saved_model
from kerasrec_testing.models import CASES, arguments_for

N_USERS, N_ITEMS = 60, 40


def interactions(text=False, n_users=N_USERS):
    """A table with ratings, and with integer or string ids."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((n_users, N_ITEMS)) < 0.3)
    rating = rng.integers(1, 6, len(user))
    if text:
        return Interactions.from_arrays(np.char.add("u", user.astype(str)), np.char.add("é ", item.astype(str)), rating)
    return Interactions.from_arrays(user + 100, item * 7, rating)


def fitted(case, table):
    """The model of a case after one epoch."""
    model = ZOO[CASES[case][0]].for_interactions(table, seed=1, **arguments_for(case, table))
    model.compile(run_eagerly=True)  # the few steps take less time than their tracing
    model.fit(table, epochs=1, batch_size=50, verbose=0)
    return model


class Exported(NamedTuple):
    """A fitted model, its training table, and its exported version."""

    model: Recommender
    table: Interactions
    version: Path


@functools.cache
def exported(case):
    """The export of a case, shared by the tests that read it. Half of the cases have string ids.

    The server answers the requests for all users of the table in several parts.
    """
    table = interactions(text=list(CASES).index(case) % 2 == 0, n_users=150)
    folder = Path(tempfile.mkdtemp(prefix="kerasrec-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    model = fitted(case, table)
    return Exported(model, table, export_saved_model(model, folder / "m", table, top_k=10))


def requests(model, table):
    """The inputs of a signature for all users of a table."""
    width = int(table.counts.max())
    text = table.item_ids.dtype.kind == "U"
    history = np.full((table.n_users, width), "" if text else -1, table.item_ids.dtype)
    ratings = np.zeros((table.n_users, width), np.float32)
    for user, count in enumerate(table.counts):
        start = table.indptr[user]
        history[user, :count] = table.item_ids[table.row(user)]
        ratings[user, :count] = table.values[start : start + count]
    fields = {"history": history, "ratings": ratings, "user_id": table.user_ids}
    return {name: fields[name] for name in model.as_user_model(table).serving_inputs}


loaded = functools.cache(tf.saved_model.load)


def with_front_padding(inputs):
    """The inputs with a first column of padding, as the signatures require."""
    paddings = {"history": -1, "exclude": -1, "candidates": -1, "ratings": 0}
    padded = dict(inputs)
    for name in paddings.keys() & inputs.keys():
        array = np.asarray(inputs[name])
        padding = "" if array.dtype.kind in "US" else b"" if array.dtype == object else paddings[name]
        padded[name] = np.concatenate([np.full((len(array), 1), padding, array.dtype), array], axis=1)
    return padded


def call(version, signature, **inputs):
    """The answer of a signature as numpy arrays; `k`, `exclude` and `candidates` of `recommend` have defaults.

    The histories need no padding in front.
    """
    function = loaded(version).signatures[signature]
    specs = function.structured_input_signature[1]
    if signature == "recommend":
        n_rows = len(next(iter(inputs.values())))
        blank = np.full((n_rows, 1), "" if specs["exclude"].dtype == tf.string else -1)
        inputs = {"k": np.full(n_rows, 5), "exclude": blank, "candidates": blank, **inputs}
    inputs = with_front_padding(inputs)
    answer = function(**{name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()})
    return {name: _decoded(tensor.numpy()) for name, tensor in answer.items()}


def _decoded(array):
    return np.char.decode(array.astype(bytes), "utf-8") if array.dtype == object else array


def model_scores(model, table):
    """The scores of the Keras model for all users of a table."""
    user_model = model.as_user_model(table)
    return np.asarray(user_model.predict_on_batch(user_model.batches(table, 1000)[0][0]))
