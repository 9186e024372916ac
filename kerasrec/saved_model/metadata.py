"""The content of `kerasrec.json`, the metadata of an export."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Mapping
from typing import Any

from kerasrec.validation import check_json

RUN_KEY = "run"
"""The key under which `kerasrec.runs.export_run` describes the run."""


def metadata_json(library: Mapping[str, Any], run: Mapping[str, Any] | None, caller: Mapping[str, Any] | None) -> str:
    """The metadata as JSON text.

    Args:
        library: what the export states about itself.
        run: what is known about the run of the model, or `None`.
        caller: further content.

    Raises:
        ValueError: `caller` is not a mapping, has a key of the library, or a value that JSON cannot store.
    """
    if not isinstance(caller or {}, Mapping):
        raise ValueError(f"`metadata`: expected a dictionary, got {caller!r}. Fix: for example {{'stage': 'test'}}")
    about = {**library, "created": created(), "commit": commit(), RUN_KEY: run}
    reserved = sorted(set(about) & set(caller or {}))
    if reserved:
        raise ValueError(
            f"`metadata`: expected names that the export does not set, got {', '.join(reserved)}. Fix: use other names"
        )
    check_json(metadata=dict(caller or {}))
    return json.dumps({**about, **(caller or {})}, indent=2, ensure_ascii=False) + "\n"


def created() -> str:
    """The present time in UTC, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def commit() -> str | None:
    """The commit of the git repository that contains the present folder; `None` outside a repository."""
    try:
        process = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()
