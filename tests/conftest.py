import os
import sys
from pathlib import Path

import pytest

# Tests compare figures to six digits, on any processor; those of lower precision ask for it.
os.environ.setdefault("KERASREC_PRECISION", "float32")
sys.path.insert(0, str(Path(__file__).parent / "models"))  # zoo.py, which tests in several folders read


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets that tests marked `realdata` read."""
    folder = os.environ.get("KERASREC_DATA")
    if not folder:
        pytest.skip("KERASREC_DATA names no folder of data sets")
    return Path(folder)
