import gc

import pytest


@pytest.fixture(autouse=True)
def no_older_objects():
    """Leaves out the objects of other tests, which are millions, when a server unloads a version and collects."""
    gc.freeze()
    yield
    gc.unfreeze()
