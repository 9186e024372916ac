"""Training on several devices and processes with `keras.distribution` on JAX."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kerasrec_testing.in_process import TWO_PROCESSES
from kerasrec_testing.models import FIRST_OF_MODEL, TRAINED

from kerasrec import ELSA
from kerasrec.data.distributed import KERAS_NEEDED, keras_version

pytestmark = pytest.mark.skipif(keras_version() < KERAS_NEEDED, reason="this version of Keras is refused")
FIRST_CASES = [case for case in TRAINED if case in FIRST_OF_MODEL]
TESTS = Path(__file__).parents[1]


def start(*arguments: str) -> subprocess.Popen:
    path = os.pathsep.join(filter(None, [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "kerasrec_testing.in_process", *arguments]
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def result_of(process: subprocess.Popen) -> dict:
    stdout, stderr = process.communicate(timeout=1800)
    assert process.returncode == 0, stderr[-4000:]
    return json.loads(stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def devices():
    return result_of(start("devices"))


@pytest.fixture(scope="module")
def processes():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = [start(number, address) for number in "01"]
    return [result_of(process) for process in started]


def assert_equal(result: dict, expected: dict) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(result[name], value, atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["DataParallel", "ModelParallel"])
@pytest.mark.parametrize("case", FIRST_CASES)
def test_four_devices_learn_what_one_learns(devices, case, kind):
    assert_equal(devices[case][kind], devices[case]["alone"])


@pytest.mark.slow
@pytest.mark.parametrize("case", FIRST_CASES)
def test_the_layout_map_divides_the_catalogue(devices, case):
    assert devices[case]["divided"]


@pytest.mark.slow
@pytest.mark.parametrize("case", TWO_PROCESSES)
def test_two_processes_learn_what_one_learns(devices, processes, case):
    for result in processes:
        assert_equal(result[case], devices[case]["one batch"])


@pytest.mark.slow
def test_processes_with_the_same_table_divide_its_batches(devices, processes):
    for result in processes:
        assert_equal(result["elsa, whole table"], devices["elsa"]["alone"])


class Mesh:
    """The part of a `DeviceMesh` that `layout_map` reads, because TensorFlow has no device meshes."""

    axis_names = ["batch", "model"]
    shape = (1, 4)


def test_a_mesh_that_does_not_divide_the_catalogue_is_refused():
    with pytest.raises(ValueError, match="expected a number of devices on axis 'model' that divides the 30 columns"):
        ELSA(30, latent_dim=4).layout_map(Mesh())


def test_an_unknown_axis_is_refused():
    with pytest.raises(ValueError, match="`axis`: expected one of batch, model, got 'items'"):
        ELSA(32, latent_dim=4).layout_map(Mesh(), "items")
