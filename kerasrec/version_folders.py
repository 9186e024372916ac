"""The folders of the versions of a served model: what the export writes, and what a server loads."""

from __future__ import annotations

from pathlib import Path

HIGHEST = 2**63 - 1
"""The highest version number that TF Serving's protocol can express."""


def version_folders(path: Path) -> dict[int, Path]:
    """Number → folder of each version in the folder of a model, ascending; empty if the folder does not exist.

    As in TF Serving, a version is a folder whose name is a number of 64 bits, which may begin with zeros. Files and
    other folders are ignored.

    Example:
        >>> import tempfile
        >>> models = Path(tempfile.mkdtemp())
        >>> for name in ("2", "0010", "latest", "9" * 20):
        ...     (models / name).mkdir()
        >>> [(number, folder.name) for number, folder in version_folders(models).items()]
        [(2, '2'), (10, '0010')]
    """
    folders = [entry for entry in path.iterdir() if version_of(entry) is not None] if path.is_dir() else []
    # Of two folders with one number, the shorter name comes last and is used.
    named = {int(folder.name): folder for folder in sorted(folders, key=lambda folder: -len(folder.name))}
    return dict(sorted(named.items()))


def version_of(path: Path) -> int | None:
    """The version number of a folder; `None` if it is not the folder of a version."""
    is_number = path.name.isascii() and path.name.isdecimal() and len(path.name) < 100
    return int(path.name) if is_number and int(path.name) <= HIGHEST and path.is_dir() else None
