import os
from pathlib import Path

import pytest

os.environ.setdefault("KERASREC_PRECISION", "float32")  # the same figures on every machine


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets that tests marked `realdata` read."""
    folder = os.environ.get("KERASREC_DATA")
    if not folder:
        pytest.skip("KERASREC_DATA names no folder of data sets")
    return Path(folder)
