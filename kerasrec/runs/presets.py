"""A run as a preset."""

from __future__ import annotations

import os
from pathlib import Path

from kerasrec.models.presets import write_preset
from kerasrec.runs.run import Run


def preset_from_run(folder: str | os.PathLike[str], to: str | os.PathLike[str], licence: str | None = None) -> Path:
    """Writes the model of a finished run as a preset; see `Recommender.save_to_preset`.

    `metadata.json` contains the name of the data, the protocol and the metrics of the run. User ids and interactions
    stay in the folder of the run.

    Args:
        folder: the folder of the run.
        to: a new folder for the preset.
        licence: the licence of the weights and titles, for example `"CC-BY-4.0"`.

    Returns:
        The folder of the preset.

    Raises:
        FileExistsError: `to` exists.
        FileNotFoundError: `folder` contains no finished run.
        ValueError: the model has weights per user.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, preset_from_run, train
        >>> options = {"split_options": {"held_out": 30}, "model_options": {"reg": 20.0}}
        >>> config = RunConfig("ease", "generated", "held-out-users", seed=1, epochs=1, batch_size=50, **options)
        >>> run = train(config, lambda: generate(n_users=200, n_items=60, seed=1), tempfile.mkdtemp())
        >>> preset_from_run(run.folder, tempfile.mkdtemp() + "/preset", "CC0-1.0").name
        'preset'
    """
    run = Run(folder)
    metrics = run.metrics
    about = {
        "licence": licence,
        "data": metrics["data"],
        "model": metrics["model"],
        "protocol": metrics["protocol"],
        "protocol_settings": metrics.get("protocol_settings"),
        "metrics": {part: metrics[part] for part in ("validation", "test") if part in metrics},
    }
    if run.was_refitted:
        about["chosen_by"] = metrics["refit"]["chosen_by"]  # the run that has the metrics
    return write_preset(run.model(), to, run.split().train, about)
