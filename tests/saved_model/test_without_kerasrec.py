"""An export gives the answers of its model in a process without kerasrec and Keras, through both loaders."""

import os

import numpy as np
import pytest
from kerasrec_testing.child_process import ChildProcess
from kerasrec_testing.exports import exported, model_scores, requests, with_front_padding
from kerasrec_testing.models import CASES

WITHOUT_KERASREC = """
import sys
sys.modules["kerasrec"] = sys.modules["keras"] = sys.modules["tf_keras"] = None  # importing them fails
import numpy as np
import tensorflow as tf

SIGNATURES = ("serving_default", "score", "recommend")

def answer(request):
    folder = request["folder"]
    inputs = {name: dict(np.load(f"{folder}/{name}.npz")) for name in SIGNATURES}
    answers = {}
    loaded = tf.saved_model.load(request["version"])
    for signature in SIGNATURES:
        function = loaded.signatures[signature]
        specs = function.structured_input_signature[1]
        outputs = function(**{name: tf.constant(array, specs[name].dtype) for name, array in inputs[signature].items()})
        answers[signature + "-load"] = {name: tensor.numpy() for name, tensor in outputs.items()}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], request["version"])
        for signature in SIGNATURES:
            sig = graph.signature_def[signature]
            feed = {sig.inputs[name].name: array for name, array in inputs[signature].items()}
            tensors = {name: info.name for name, info in sig.outputs.items()}
            answers[signature + "-session"] = session.run(tensors, feed)
    for name, outputs in answers.items():
        outputs = {n: a.astype(bytes) if a.dtype == object else a for n, a in outputs.items()}
        np.savez(f"{folder}/{name}.npz", **outputs)
"""


@pytest.fixture(scope="session")
def child():
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with ChildProcess(WITHOUT_KERASREC, environment) as child:
        yield child


@pytest.mark.parametrize("case", CASES)
def test_an_export_gives_the_answers_of_its_model(case, child, tmp_path):
    model, table, version = exported(case)
    inputs = with_front_padding(requests(model, table))
    blank = np.full((table.n_users, 1), "" if table.item_ids.dtype.kind == "U" else -1)
    restrictions = {"k": np.full(table.n_users, 10, np.int32), "exclude": blank, "candidates": blank}
    for signature in ("serving_default", "score", "recommend"):
        np.savez(tmp_path / f"{signature}.npz", **inputs, **(restrictions if signature == "recommend" else {}))
    child.ask(folder=str(tmp_path), version=str(version))
    scores, best = model_scores(model, table), model.recommend(table, k=10)
    for loader in ("session", "load"):
        default = np.load(tmp_path / f"serving_default-{loader}.npz")
        full = np.load(tmp_path / f"score-{loader}.npz")
        recommended = np.load(tmp_path / f"recommend-{loader}.npz")
        np.testing.assert_allclose(full["scores"], scores, rtol=1e-5, atol=1e-5)
        for answer, top in ((default, "scores"), (full, "top_k_scores"), (recommended, "scores")):
            ids = answer["item_ids"]
            ids = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
            np.testing.assert_array_equal(ids, best.item_ids)
            np.testing.assert_allclose(answer[top], best.scores, rtol=1e-5, atol=1e-5)
