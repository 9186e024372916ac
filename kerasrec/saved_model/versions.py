"""The numbered versions in the folder of an exported model."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from kerasrec.files import UNFINISHED


def versions_in(path: Path) -> list[int]:
    """The numbers of the versions in a folder, ascending; none if the folder does not exist."""
    if not path.exists():
        return []
    return sorted(int(entry.name) for entry in path.iterdir() if entry.name.isdecimal())


def delete_old_versions(path: Path, keep: int, newest: Path) -> list[int]:
    """Deletes all but the highest versions of a model.

    Each version is renamed before it is deleted, so that no server loads a part of it.

    Args:
        path: folder of the model.
        keep: how many versions remain.
        newest: the version that has just been written, which remains whatever its number.

    Returns:
        The numbers of the deleted versions.
    """
    deleted = [number for number in versions_in(path)[:-keep] if path / str(number) != newest]
    for number in deleted:
        hidden = path / f"{UNFINISHED}{uuid.uuid4().hex}-deleted"
        (path / str(number)).rename(hidden)
        shutil.rmtree(hidden)
    return deleted
