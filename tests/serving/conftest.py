import pytest


@pytest.fixture(autouse=True)
def quick_unloading(frozen_older_objects):
    """A server collects garbage when it unloads a version."""
