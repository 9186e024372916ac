"""The numbered versions in the folder of an exported model."""

from __future__ import annotations

from pathlib import Path

from kerasrec.files import remove_folder
from kerasrec.version_folders import version_folders


def delete_old_versions(path: Path, keep: int, newest: Path) -> list[int]:
    """Deletes all but the highest versions of a model.

    No server loads a part of a version while it is deleted.

    Args:
        path: folder of the model.
        keep: how many versions remain.
        newest: the version that has just been written, which remains whatever its number.

    Returns:
        The numbers of the deleted versions.
    """
    outdated = [(number, folder) for number, folder in list(version_folders(path).items())[:-keep] if folder != newest]
    return [number for number, folder in outdated if remove_folder(folder)]
