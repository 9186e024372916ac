"""Atomic writes: a file or a folder appears under its name complete, or not at all.

Each write goes to a hidden sibling of the target, which is renamed on success and removed on failure. A killed process
leaves its hidden sibling behind; a later write to the same folder removes it after a day.
Data are flushed to the disk before the rename, so that a crash of the machine leaves no truncated file either.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, overload

import numpy as np

UNFINISHED = ".unfinished-"
"""Prefix of the hidden names."""

REPLACED = "-old"
"""Suffix of the hidden name of a folder while another one takes its name."""

LEFT_BEHIND = 24 * 3600.0
"""Seconds after the last change of a hidden file or folder after which no running process writes it."""


@overload
def atomic_file(path: str | Path, mode: Literal["wb"] = "wb") -> contextlib.AbstractContextManager[IO[bytes]]: ...
@overload
def atomic_file(path: str | Path, mode: Literal["w"]) -> contextlib.AbstractContextManager[IO[str]]: ...
@contextmanager
def atomic_file(path: str | Path, mode: Literal["wb", "w"] = "wb") -> Iterator[IO[Any]]:
    r"""Opens a file that replaces `path` when the block ends without an exception.

    Args:
        path: target file. Missing parent folders are created.
        mode: `"wb"` for bytes, or `"w"` for UTF-8 text, in which line ends are written unchanged.

    Yields:
        The open file. `file.name` has the suffix of `path`, for a writer that needs a path.

    Raises:
        IsADirectoryError: `path` is a folder.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.json"
        >>> with atomic_file(path, "w") as file:
        ...     characters = file.write("{}")
        ...     path.exists()
        False
        >>> path.read_text()
        '{}'
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"expected a file, got the folder {path}. Fix: add a file name")
    with _hidden_sibling(path) as hidden:
        text = {} if mode == "wb" else {"encoding": "utf-8", "newline": ""}
        with hidden.open(mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)


@contextmanager
def atomic_folder(path: str | Path, replace: bool = False) -> Iterator[Path]:
    """Creates a folder that takes the name `path` when the block ends without an exception.

    Other users can read it, unlike one of `tempfile.mkdtemp`: a server often runs as another user than the writer.

    Args:
        path: target folder. Missing parent folders are created.
        replace: if True, a folder that exists at `path` is replaced.

    Yields:
        The hidden folder to write in.

    Raises:
        FileExistsError: `path` exists, at the start or at the end, and `replace` is False.
    """
    path = Path(path)
    if path.exists() and not replace:
        raise _exists(path)
    with _hidden_sibling(path) as hidden:
        hidden.mkdir()
        yield hidden
        for file in hidden.rglob("*"):
            _flush(file)
        _rename_folder(hidden, path, replace)


def check_free_space(folder: Path, n_bytes: int) -> None:
    """Checks that a local disk has space for a file, before a library writes it that a full disk would crash.

    Args:
        folder: folder of the file. Nothing is checked if it is not a local folder.
        n_bytes: size of the file.

    Raises:
        OSError: the disk has less free space.
    """
    if folder.is_dir() and shutil.disk_usage(folder).free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def remove_folder(path: Path) -> bool:
    """Removes a folder whose content means something only as a whole: no part of it is ever under its name.

    Returns:
        Whether it existed; another process may have removed it.
    """
    hidden = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex}-removed")
    try:
        path.rename(hidden)
    except FileNotFoundError:
        return False
    shutil.rmtree(hidden, ignore_errors=True)
    return True


def new_memmap(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Creates a `.npy` file as a memory-mapped array, and reserves its space on the disk.

    Without the reservation, the system kills the process that writes to the array when the disk is full.

    Raises:
        OSError: the disk has not enough space.
    """
    array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if sys.platform == "linux":  # other systems have no such function
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


@contextmanager
def _hidden_sibling(path: Path) -> Iterator[Path]:
    """Yields a free hidden name beside `path`. On failure, removes what was created there, and new parent folders."""
    missing_parents = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    # Some writers choose the format by the suffix. The full name could exceed the limit of 255 bytes.
    hidden = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex}-{path.name[-40:]}")
    try:
        yield hidden
    except BaseException:
        _remove(hidden)
        for parent in missing_parents:
            with contextlib.suppress(OSError):  # another writer uses it
                parent.rmdir()
        raise


def _remove_leftovers(folder: Path) -> None:
    """Removes what killed processes left in a folder, except a replaced folder, of which no other copy may exist."""
    for hidden in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):  # another process removes it, or another user owns it
            if not hidden.name.endswith(REPLACED) and time.time() - _last_change(hidden) > LEFT_BEHIND:
                _remove(hidden)


def _last_change(path: Path) -> float:
    """The time of the last change of a file, or of a folder and all that it contains."""
    return max(part.lstat().st_mtime for part in (path, *path.rglob("*")))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _rename_folder(hidden: Path, path: Path, replace: bool) -> None:
    """Renames `hidden` to `path`; no system call replaces a folder that is not empty."""
    replaced = hidden.with_name(f"{hidden.name}{REPLACED}")
    if replace:
        with contextlib.suppress(FileNotFoundError):
            path.rename(replaced)
    try:
        hidden.rename(path)
    except OSError as error:
        if replaced.exists():
            replaced.rename(path)
        if path.exists() and not replace:
            raise _exists(path) from error
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _flush(path: Path) -> None:
    """Writes a file's data to the disk, where the platform can flush a file that is open for reading."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(f"expected a free name, got {path}, which exists. Fix: choose another name, or remove it")
