"""What tests need from the operating system."""

import sys

import pytest

needs_posix_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows terminates a process at once instead of sending it SIGTERM or SIGINT"
)
needs_file_limit = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files")
needs_symlinks = pytest.mark.skipif(sys.platform == "win32", reason="Windows creates symbolic links for administrators")
