"""Files that all workers reach: paths of any file system of Beam, and arrays in them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.extras import install_command
from kerasrec.types import Array

HIDDEN = (".", "_")
"""First characters of files that are not data: `_SUCCESS`, for example."""


def import_beam() -> Any:
    """Returns the module `apache_beam`.

    Raises:
        ImportError: Apache Beam is not installed.
    """
    try:
        import apache_beam
    except ImportError:
        raise ImportError(f"expected Apache Beam, got nothing. Fix: {install_command('beam')}") from None
    return apache_beam


def file_systems() -> Any:
    """Returns the class that opens paths of local disks, HDFS and object stores."""
    import_beam()
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def data_files(pattern: str) -> dict[str, int]:
    """Returns the path of each file → its size in bytes, in the order of the paths.

    Args:
        pattern: a file, a folder, or a pattern with `*`.

    Raises:
        DataError: No file matches.
    """
    systems = file_systems()
    patterns = [pattern] if "*" in pattern else [systems.join(pattern, "*"), pattern]
    files: dict[str, int] = {}
    for result in systems.match(patterns):
        if files:
            break  # the pattern is a folder
        for metadata in result.metadata_list:
            is_hidden = systems.split(metadata.path)[1].startswith(HIDDEN)
            if metadata.size_in_bytes and not is_hidden and not Path(metadata.path).is_dir():
                files[metadata.path] = metadata.size_in_bytes
    if not files:
        raise DataError(f"expected files of events, got nothing at {pattern}. Fix: pass a file, a folder or a pattern")
    return dict(sorted(files.items()))


def open_file(path: str) -> IO[bytes]:
    """Opens a file; it is decompressed if its suffix is that of a compressed one."""
    stream: IO[bytes] = file_systems().open(path)
    return stream


def save_arrays(path: str, arrays: Mapping[str, Array | None]) -> None:
    """Writes arrays as one file; those that are `None` are left out."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
    with file_systems().create(path) as file:
        file.write(buffer.getbuffer())


def load_arrays(path: str) -> dict[str, Array]:
    """Reads what `save_arrays` wrote."""
    with open_file(path) as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays:
        return dict(arrays)


def save_object(content: Any, path: str) -> None:
    """Writes an object that `load_object` reads."""
    with file_systems().create(path) as file:
        file.write(pickle.dumps(content))


def load_object(path: str) -> Any:
    """Reads an object of the same run of the pipelines."""
    with open_file(path) as file:
        return pickle.loads(file.read())
