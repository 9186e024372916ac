"""Every model on JAX without TensorFlow, and on two replicas."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kerasrec_testing.models import (
    CASES,
    IMPERSONAL,
    TRAINED,
    held_out,
    make,
    scores,
    steps_on_a_given_sample,
    table_for,
)

from kerasrec import ZOO, evaluate


def results_of(mode):
    """What a process on JAX or with two replicas reports of every case."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(filter(None, [str(tests), str(tests.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "kerasrec_testing.in_process", mode],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def jax():
    return results_of("jax")


@pytest.fixture(scope="module")
def replicas():
    return results_of("replicas")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_jax_trains_and_recommends(jax, case):
    assert jax[case]["finite"]
    assert jax[case]["copy equal"]
    for name, value in jax[case]["metrics"].items():
        assert value == pytest.approx(jax[case]["validation"][f"val_{name}"], abs=1e-5)
    if case not in IMPERSONAL:
        assert jax[case]["in own block"] > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("case", TRAINED)
def test_jax_resumes_to_the_same_weights(jax, case):
    assert jax[case]["resumed equal"]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_weights_learned_on_jax_give_the_same_metrics_on_tensorflow(jax, case):
    part = held_out(table_for(case))
    model = make(case, part.inputs)
    if not model.built:  # closed-form models are built by `fit` or by `load_weights`
        model.build()
    model.set_weights([np.asarray(w) for w in jax[case]["weights"]])
    assert np.isfinite(scores(model, part.inputs)).all()
    for name, value in evaluate(model, part).means.items():
        assert value == pytest.approx(jax[case]["metrics"][name], abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("case", TRAINED)
def test_two_replicas_learn_what_one_process_learns(replicas, case):
    assert replicas[case]["difference"] < 1e-5
    # VASP draws a code, but does not declare it, because its scores also depend on the row.
    assert replicas[case]["draws a code"] == (ZOO[CASES[case][0]].variational or case == "vasp")


@pytest.mark.slow
def test_sampled_items_train_the_same_on_jax_and_tensorflow(jax):
    for ours, theirs in zip(steps_on_a_given_sample(), jax["given sample"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
