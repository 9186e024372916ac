"""A lock on a run folder, so that one process at a time trains in it.

The operating system releases the lock when the process ends, even if it is killed.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LOCK_FILE = ".lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        file.seek(1 << 20)  # beyond the content, because Windows forbids reading a locked range
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder.

    Creates the folder if necessary, and removes it at the end if it is still empty.

    Args:
        folder: the folder of a run.

    Raises:
        BlockingIOError: another process holds the lock.
        NotADirectoryError: `folder`, or what should contain it, is a file or a broken link.
    """
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not nearest.is_dir():
        kind = "file" if nearest.exists() else "broken link"
        raise NotADirectoryError(f"expected a folder, got the {kind} {nearest}. Fix: choose another name")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    path = folder / LOCK_FILE
    try:
        file = _acquire(path)
        with file:
            try:
                file.truncate(0)
                file.write(f"{os.getpid()} on {platform.node()}")
                file.flush()
                yield
            finally:
                with suppress(OSError):  # Windows forbids to remove an open file
                    path.unlink()
        if sys.platform == "win32":
            with suppress(OSError):  # another process has opened it
                path.unlink()
    finally:
        for created in missing:
            with suppress(OSError):  # it is not empty
                created.rmdir()


def _acquire(path: Path) -> IO[str]:
    """Opens and locks the lock file."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
        try:
            _lock(file)
            # The previous process may have removed the file after it was opened here. Such a lock excludes nobody.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except (BlockingIOError, PermissionError):
            owner = _owner(file) or "of unknown number"
            file.close()
            raise BlockingIOError(
                f"process {owner} trains in {path.parent}. Fix: wait until it ends, or choose another folder"
            ) from None
        except OSError:
            return file  # the file system has no locks
        file.close()


def _owner(file: IO[str]) -> str:
    """The content of a lock file, which its process writes a moment after it has locked it."""
    for _ in range(20):
        file.seek(0)
        if owner := file.read():
            return owner
        time.sleep(0.1)
    return ""
