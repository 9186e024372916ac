"""Every model on JAX without TensorFlow, and on two replicas."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kerasrec_testing.models import CASES, SOLVED, held_out, make, scores, steps_on_a_given_sample, table_for

TRAINED = [case for case in CASES if CASES[case][0] not in SOLVED]


def in_process(what):
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(filter(None, [str(tests), str(tests.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "kerasrec_testing.in_process", what],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def jax():
    return in_process("jax")


@pytest.fixture(scope="module")
def replicas():
    return in_process("replicas")


@pytest.mark.parametrize("case", CASES)
def test_jax_trains_and_answers(jax, case):
    assert jax[case]["finite"]
    assert jax[case]["same"]
    for name, value in jax[case]["metrics"].items():
        assert value == pytest.approx(jax[case]["validation"][f"val_{name}"], abs=1e-5)
    if case != "popularity":
        assert jax[case]["own"] > 0.7


@pytest.mark.parametrize("case", TRAINED)
def test_jax_resumes_to_the_same_weights(jax, case):
    assert jax[case]["resumed"]


@pytest.mark.parametrize("case", CASES)
def test_weights_learned_on_jax_give_the_same_figures_on_tensorflow(jax, case):
    from kerasrec import evaluate

    part = held_out(table_for(case))
    model = make(case, part.inputs)
    if not model.built:
        model.build()
    model.set_weights([np.asarray(w) for w in jax[case]["weights"]])
    assert np.isfinite(scores(model, part.inputs)).all()
    for name, value in evaluate(model, part).means.items():
        assert value == pytest.approx(jax[case]["metrics"][name], abs=2e-3)


@pytest.mark.parametrize("case", TRAINED)
def test_two_replicas_learn_what_one_learns(replicas, case):
    assert replicas[case] < 1e-5


def test_sampled_items_train_the_same_on_jax_and_tensorflow(jax):
    for ours, theirs in zip(steps_on_a_given_sample(), jax["given sample"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
