"""What identifies the search in a folder, so that a repeated call continues it and no other search."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kerasrec.runs.config import read_json
from kerasrec.runs.folder import is_empty
from kerasrec.runs.saving import write_json


def begin_or_continue(
    folder: Path, file: Path, state: Mapping[str, Any], overwrite: bool, remove: Callable[[], None]
) -> None:
    """Writes what identifies a search, unless the folder already contains this search.

    Args:
        folder: folder of the search.
        file: file in it that stores `state`.
        state: configuration and digest of the data.
        overwrite: whether another search in the folder is replaced.
        remove: removes the files of the other search.

    Raises:
        FileExistsError: the folder contains another search and `overwrite` is False, or other files.
    """
    if not file.exists():
        if folder.exists() and not is_empty(folder):
            raise FileExistsError(f"{folder} is not empty and contains no {file.stem}. Fix: choose another folder")
    else:
        stored, new = read_json(file, list(state)), json.loads(json.dumps(state))  # JSON has no tuples
        differences = [name for name in state if stored[name] != new[name]]
        if not differences:
            return
        if not overwrite:
            changed = ", ".join(
                "other data" if name == "data_digest" else f"{name} {stored[name]!r} instead of {new[name]!r}"
                for name in differences
            )
            raise FileExistsError(
                f"{folder} contains another {file.stem} ({changed}). "
                "Fix: replace it with `overwrite`, or choose another folder"
            )
        remove()
    write_json(file, state)
