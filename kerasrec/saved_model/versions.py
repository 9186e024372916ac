"""The numbered versions in the folder of an exported model."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from kerasrec.files import UNFINISHED
from kerasrec.version_folders import version_folders


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
    outdated = [(number, folder) for number, folder in list(version_folders(path).items())[:-keep] if folder != newest]
    deleted = []
    for number, folder in outdated:
        hidden = path / f"{UNFINISHED}{uuid.uuid4().hex}-deleted"
        try:
            folder.rename(hidden)
        except FileNotFoundError:  # another export has deleted it
            continue
        shutil.rmtree(hidden)
        deleted.append(number)
    return deleted
