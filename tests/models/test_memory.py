"""Peak memory of training and inference, and garbage collection of deleted models, measured in new processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PEAK = """
import resource
import numpy as np
from kerasrec import HeldOut, Interactions, evaluate
from kerasrec.models import ZOO

cls, arguments = ZOO["{name}"], {arguments}
n_users, n_items, n = 40_000, 4_000, 20
dense_mb = n_users * n_items * 4 / 2**20
rng = np.random.default_rng(0)
items = np.sort(rng.random((n_users, n)) * (n_items / n) + np.arange(n) * (n_items / n), axis=1).astype(int)
users = np.repeat(np.arange(n_users), n)
likes = cls.feedback == "likes"
table = Interactions.from_arrays(users, items.ravel(), None if likes else 1 + items.ravel() % 5)
test = HeldOut(table.select(np.arange(len(table)) % 5 != 0, compact=False),
               table.select(np.arange(len(table)) % 5 == 0, compact=False))

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

# The first run, on few rows, allocates what TensorFlow needs whatever the size of the data.
few = HeldOut(test.inputs.take_users(range(2000)), test.targets.take_users(range(2000)))
model = cls.for_interactions(table, seed=1, **arguments)
model.compile()
model.fit(few.inputs, validation_data=few, verbose=0)
evaluate(model, few)
model.recommend(few.inputs, k=10)
before = peak_mb()
model.fit(test.inputs, validation_data=test, verbose=0)
evaluate(model, test)
model.recommend(test.inputs, k=10)
print((peak_mb() - before) / dense_mb)
"""


def last_line(script):
    """What a new process prints last."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mult_vae", {"hidden_dims": (8,), "latent_dim": 4}),
        ("ease", {}),
        ("auto_rec", {"rows": "users", "hidden_dims": (8,)}),
    ],
)
@pytest.mark.long
@pytest.mark.slow
def test_the_peak_stays_far_below_a_dense_matrix(name, arguments):
    script = PEAK.replace("{name}", name).replace("{arguments}", repr(arguments))
    assert float(last_line(script)) < 0.3


WEIGHTS = """
import gc
import json
import resource
import tempfile
from pathlib import Path
import numpy as np
from kerasrec import EASE, Interactions
from kerasrec.models import saving

n_items = 10_000
rng = np.random.default_rng(0)
table = Interactions.from_arrays(np.arange(5 * n_items) // 50, rng.permutation(np.arange(5 * n_items) % n_items))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / (4 * n_items**2)

EASE(50).fit(np.eye(50), verbose=0)  # allocates what TensorFlow needs whatever the size of the model
before = peak()
model = EASE(n_items)
model.fit(table, verbose=0)
fitted = peak() - before
path = tempfile.mkdtemp() + "/model.keras"
saving.LARGE = 0
model.save(path)
saved = peak() - before
del model
gc.collect()
saving.load_model(Path(path))
print(json.dumps([fitted, saved, peak() - before]))
"""


@pytest.mark.long
@pytest.mark.slow
def test_item_weights_are_held_once_while_they_are_solved_and_twice_while_they_are_saved():
    fitted, saved, loaded = json.loads(last_line(WEIGHTS))
    assert fitted < 1.5
    assert saved < 2.5
    assert loaded < 2.5


GRAPHS = """
import gc
import json
import keras, numpy as np, tensorflow as tf
from kerasrec import HeldOutUsers, evaluate, generate, layers, losses
from kerasrec.models import ZOO

split = HeldOutUsers(held_out=20).split(generate(n_users=200, n_items=60, seed=1))

def n_graphs():
    gc.collect()
    return sum(isinstance(thing, tf.__internal__.FuncGraph) for thing in gc.get_objects())

def zoo_model(name, **arguments):
    model = ZOO[name].for_interactions(split.train, seed=1, **arguments)
    model.compile()
    model.fit(split.train, epochs=1, validation_data=split.validation, verbose=0)
    evaluate(model, split.test)
    model.recommend(split.test.inputs, k=3)
    return n_graphs()

def functional_model():
    ids = keras.Input((None,), dtype="int32", name="ids")
    hidden = layers.RowDense(8, "silu", n_columns=60)({"ids": ids})
    mean, log_var = keras.layers.Dense(4)(hidden), keras.layers.Dense(4)(hidden)
    logits = layers.Logits(60)(layers.GaussianSampling()(mean, log_var))
    likes = layers.Densify(60)({"ids": ids})
    model = keras.Model({"ids": ids}, layers.AddNegativeELBO(beta=0.2)(likes, logits, mean, log_var))
    model.compile("adam", losses.MultinomialNLL())
    rng = np.random.default_rng(1)
    x, y = rng.integers(-1, 60, (64, 5)).astype(np.int32), (rng.random((64, 60)) < 0.1).astype(np.float32)
    model.fit({"ids": x}, y, epochs=1, batch_size=32, verbose=0)
    model.predict({"ids": x}, verbose=0)
    return n_graphs()

uses = {
    "mult_vae": lambda: zoo_model("mult_vae", hidden_dims=(8,), latent_dim=4),
    "mult_dae, sampled": lambda: zoo_model("mult_dae", latent_dim=4, n_sampled=10),
    "svae": lambda: zoo_model("svae", embedding_dim=4, gru_units=4, hidden_dims=(4,), latent_dim=2),
    "rec_vae": lambda: zoo_model("rec_vae", hidden_dim=8, latent_dim=4),
    "ease": lambda: zoo_model("ease"),
    "functional": functional_model,
}
counts = {}
for name, use in uses.items():
    in_use = use()
    keras.utils.clear_session()
    counts[name] = in_use, n_graphs()
print(json.dumps(counts))
"""


@pytest.fixture(scope="module")
def counts():
    """Graphs of each model while it is in use and after it is deleted; one process, as each new one takes seconds."""
    return json.loads(last_line(GRAPHS))


@pytest.mark.parametrize("model", ["mult_vae", "mult_dae, sampled", "svae", "rec_vae", "ease", "functional"])
@pytest.mark.slow
def test_deleted_models_are_garbage_collected(model, counts):
    """A graph references the weights, so no graph may remain."""
    in_use, after_deletion = counts[model]
    assert in_use > 0
    assert after_deletion == 0
