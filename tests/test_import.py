"""`import kerasrec` costs little beyond `import keras`."""

import subprocess
import sys

SLOW = (
    "fastapi",
    "grpc",
    "matplotlib",
    "pandas",
    "pyarrow",
    "scipy.stats",
    "tensorflow_datasets",
    "tensorflow_serving",
)
CHECK = """
import sys
import keras
before = set(sys.modules)
import kerasrec
print(*sorted(set(sys.modules) - before))
"""


def test_no_package_that_takes_long_is_imported_before_it_is_used():
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert "kerasrec.models.mult_vae" in imported
    assert [name for name in SLOW if name in imported] == []
