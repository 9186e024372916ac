"""Exports the model of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasrec.runs.run import Run


def export_run(run: Run, path: str | os.PathLike[str], **options: Any) -> Path:
    """Exports the model of a run with `kerasrec.export_saved_model`.

    `kerasrec.json` describes the run: its id, data, protocol and seed; the digest of the data; its test metrics, or
    the id of the run whose metrics led to its choice.

    Args:
        run: the run.
        path: folder of the exported model.
        **options: options of `kerasrec.export_saved_model`: `top_k`, `version`, `metadata`, `weights`, `keep`.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: the version exists.
        ValueError: an option is out of range, or an id cannot be stored.

    Example:
        >>> import json, tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, export_run, refit, train
        >>> options = {"split_options": {"held_out": 30}, "model_options": {"reg": 20.0}}
        >>> config = RunConfig("ease", "generated", "held-out-users", seed=1, epochs=1, batch_size=50, **options)
        >>> table = generate(n_users=200, n_items=60, seed=1)
        >>> final = refit(train(config, lambda: table, tempfile.mkdtemp()), tempfile.mkdtemp(), read_data=lambda: table)
        >>> version = export_run(final, tempfile.mkdtemp())
        >>> about = json.loads((version / "assets.extra" / "kerasrec.json").read_text())
        >>> about["run"]["id"] == final.id
        True
    """
    from kerasrec.saved_model import export_saved_model  # needs TensorFlow, which a run on JAX does not

    return export_saved_model(run.model(), path, run.split().train, run=about_run(run), **options)


def about_run(run: Run) -> Mapping[str, Any]:
    """What an export states about a run."""
    names = ("data", "protocol", "seed", "test", "refit", "versions")
    metrics = {name: run.metrics[name] for name in names if name in run.metrics}
    return {"id": run.id, "folder": str(run.folder.resolve()), "data_digest": run.data_digest, **metrics}
