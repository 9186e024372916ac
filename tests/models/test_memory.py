"""No path holds a dense users × items array: the peak is measured, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = """
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
part = HeldOut(table.select(np.arange(len(table)) % 5 != 0, compact=False),
               table.select(np.arange(len(table)) % 5 == 0, compact=False))

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

# Everything once on few rows first: what TensorFlow itself takes is not at stake here.
few = HeldOut(part.inputs.take_users(range(2000)), part.targets.take_users(range(2000)))
model = cls.for_interactions(table, seed=1, **arguments)
model.compile()
model.fit(few.inputs, validation_data=few, verbose=0)
evaluate(model, few)
model.recommend(few.inputs, k=10)
before = peak_mb()
model.fit(part.inputs, validation_data=part, verbose=0)
evaluate(model, part)
model.recommend(part.inputs, k=10)
print((peak_mb() - before) / dense_mb)
"""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("mult_vae", {"hidden_dims": (8,), "latent_dim": 4}), ("ease", {}), ("auto_rec", {"hidden_dims": (8,)})],
)
def test_the_peak_stays_far_below_a_dense_matrix(name, arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    check = CHECK.replace("{name}", name).replace("{arguments}", repr(arguments))
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert float(done.stdout.split()[-1]) < 0.3


FORGET = """
import gc
import keras, tensorflow as tf
from kerasrec import HeldOutUsers, evaluate, generate
from kerasrec.models import ZOO

split = HeldOutUsers(held_out=20).split(generate(n_users=200, n_items=60, seed=1))

def graphs():
    gc.collect()
    return sum(isinstance(kept, tf.__internal__.FuncGraph) for kept in gc.get_objects())

def use():
    model = ZOO["{name}"].for_interactions(split.train, seed=1, **{arguments})
    model.compile()
    model.fit(split.train, epochs=1, validation_data=split.validation, verbose=0)
    evaluate(model, split.test)
    model.recommend(split.test.inputs, k=3)
    return graphs()

while_used = use()
keras.utils.clear_session()
print(while_used, graphs())
"""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mult_vae", {"hidden_dims": (8,), "latent_dim": 4}),
        ("mult_dae", {"latent_dim": 4, "n_sampled": 10}),
        ("svae", {"embedding_dim": 4, "gru_units": 4, "hidden_dims": (4,), "latent_dim": 2}),
        ("rec_vae", {"hidden_dim": 8, "latent_dim": 4}),
        ("ease", {}),
    ],
)
def test_a_model_that_is_gone_leaves_no_graph_and_so_no_weights_behind(name, arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    check = FORGET.replace("{name}", name).replace("{arguments}", repr(arguments))
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    while_used, afterwards = map(int, done.stdout.split()[-2:])
    assert while_used > 0
    assert afterwards == 0
