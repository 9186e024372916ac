import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "models"))  # zoo.py, which tests in several folders read


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets that tests marked `realdata` read."""
    folder = os.environ.get("KERASREC_DATA")
    if not folder:
        pytest.skip("KERASREC_DATA names no folder of data sets")
    return Path(folder)
