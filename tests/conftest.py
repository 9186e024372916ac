import ctypes
import gc
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

os.environ.setdefault("KERASREC_PRECISION", "float32")  # the same results on every machine
# Traced functions are millions of small objects, which the collector would otherwise walk through again and again.
# `pytest_runtest_teardown` collects when the memory has grown, and leaves out the objects that survived before.
gc.set_threshold(100_000, 20, 20)
LIBC = ctypes.CDLL("libc.so.6") if sys.platform == "linux" else None
if LIBC is not None:
    LIBC.mallopt(-8, 2)  # M_ARENA_MAX: each of TensorFlow's threads would keep freed memory in an arena of its own
GROWTH = 1 << 30
"""Bytes by which the memory of the process grows between two collections."""
COLLECTED_AT = pytest.StashKey[int]()
"""The resident memory after the last collection."""
N_COLLECTIONS = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets that tests marked `realdata` read."""
    folder = os.environ.get("KERASREC_DATA")
    if not folder:
        pytest.skip("`KERASREC_DATA` names no folder of data sets")
    return Path(folder)


@pytest.fixture
def frozen_older_objects():
    """The garbage collector leaves out the objects of other tests, which are millions."""
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_configure(config):
    config.stash[COLLECTED_AT] = resident_bytes()
    config.stash[N_COLLECTIONS] = 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in a background job of a shell, it is ignored


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    if resident_bytes() > item.config.stash[COLLECTED_AT] + GROWTH:
        item.config.stash[N_COLLECTIONS] += 1
        if item.config.stash[N_COLLECTIONS] % 4 == 0:
            gc.unfreeze()  # objects that survived, such as the models of a module, can be garbage by now
        gc.collect()
        gc.freeze()
        if LIBC is not None:
            LIBC.malloc_trim(0)  # returns freed memory to the system
        item.config.stash[COLLECTED_AT] = resident_bytes()


def resident_bytes() -> int:
    """The resident memory of this process."""
    return psutil.Process().memory_info().rss


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config, log):
    from kerasrec_testing.scheduling import GroupScheduling

    if config.getvalue("dist") != "load":  # another way was named on the command line
        return None
    config.option.loadscopereorder = False  # the order is that of `order_for_processes`
    return GroupScheduling(config, log)


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out tests by their marks
def pytest_collection_modifyitems(config, items):
    from kerasrec_testing.scheduling import mark_cases, order_for_processes

    mark_cases(items)
    if not os.environ.get("KERASREC_LONG_TESTS"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="`KERASREC_LONG_TESTS` is not set"))
    if hasattr(config, "workerinput"):  # in a process of `pytest -n`
        order_for_processes(items)
