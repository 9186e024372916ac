"""Detects whether the data of a run have changed since the run began."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from kerasrec.data import DataError
from kerasrec.data.readers.source import find_path

FileStates = dict[str, list[int]]
"""File name → size in bytes and time of the last modification in ns."""


def file_states(data: str, items: str | None = None) -> FileStates | None:
    """Sizes and times of the files that `kerasrec.read(data)` reads.

    Equal states mean equal data, so a finished run need not read the data to see that nothing changed.

    Args:
        data: file, folder or name of the data.
        items: file of the titles of items.

    Returns:
        The states, or `None` if no files are known, as for generated data and for TensorFlow Datasets.
    """
    if data == "generated":
        return None
    try:
        path = find_path(data)
    except DataError:
        return None  # a name that only the caller of `train` can read
    if path is None:
        return None
    stats = {file.relative_to(path.parent).as_posix(): file.stat() for file in _files_in(path)}
    if items is not None and (items_path := find_path(items)) is not None:
        stats[str(items)] = items_path.stat()
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _files_in(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def features_digest(features: Sequence[str | None]) -> str | None:
    """SHA-256 of the content of the files with features; `None` if there are none.

    Args:
        features: files or folders; `None` for those that are not used.
    """
    paths = [path for name in features if name is not None and (path := find_path(name)) is not None]
    if not paths:
        return None
    digest = hashlib.sha256()
    for path in paths:
        for file in _files_in(path):
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
