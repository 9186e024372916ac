import gc
import os
from pathlib import Path

import pytest

os.environ.setdefault("KERASREC_PRECISION", "float32")  # the same results on every machine
# Traced functions are millions of small objects, which the collector would otherwise walk through again and again.
gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets that tests marked `realdata` read."""
    folder = os.environ.get("KERASREC_DATA")
    if not folder:
        pytest.skip("`KERASREC_DATA` names no folder of data sets")
    return Path(folder)


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
