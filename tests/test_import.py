"""`import kerasrec` imports no slow packages besides Keras."""

import subprocess
import sys

SLOW_PACKAGES = (
    "fastapi",
    "grpc",
    "matplotlib",
    "pandas",
    "pyarrow",
    "scipy.stats",
    "tensorflow_datasets",
    "tensorflow_serving",
)
PRINT_NEW_MODULES = """
import sys
import keras
before = set(sys.modules)
import kerasrec
print(*sorted(set(sys.modules) - before))
"""


def test_import_loads_no_slow_package():
    process = subprocess.run([sys.executable, "-c", PRINT_NEW_MODULES], capture_output=True, text=True, check=True)
    imported = process.stdout.split()
    assert "kerasrec.models.mult_vae" in imported
    assert [name for name in SLOW_PACKAGES if name in imported] == []
