"""Warm starts from a finished run: its model, moved to the catalogue of a newer table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kerasrec.data import Interactions
from kerasrec.data.id_files import read_ids, table_of_ids
from kerasrec.models import Recommender
from kerasrec.models.saving import load_model
from kerasrec.models.schedules import inner_optimizer
from kerasrec.runs.config import RunConfig, side_arguments


def warm_started_model(
    folder: str | os.PathLike[str], train: Interactions, config: RunConfig | None = None, **arguments: Any
) -> Recommender:
    """The model of a finished run, moved to the catalogue of a newer table; see `Recommender.warm_start`.

    Args:
        folder: a folder with `model.keras`, `users.csv` and `items.csv`, as every finished run has them.
        train: the newer training table.
        config: the configuration of the next run. Its model must be that of the folder; its `model_options`, `seed`,
            `learning_rate` and features apply to the new model. If omitted, the model keeps its settings.
        **arguments: further arguments of `Recommender.warm_start`, for example `side` for CFN.

    Returns:
        The model, compiled, with the state of its optimizer. Its next `fit` begins a new run.

    Raises:
        FileNotFoundError: `folder` contains no finished run.
        ValueError: `config` names another model or other widths, or the tables have no common item.

    Example:
        >>> import tempfile
        >>> from kerasrec import HeldOutUsers, generate
        >>> from kerasrec.runs import RunConfig, train, warm_started_model
        >>> table = generate(n_users=200, n_items=60, seed=1)
        >>> options = {"split_options": {"held_out": 30}, "model_options": {"latent_dim": 4}}
        >>> config = RunConfig("elsa", "generated", "held-out-users", seed=1, epochs=1, batch_size=50, **options)
        >>> run = train(config, lambda: table.with_catalogue(table.item_ids[3:]), tempfile.mkdtemp())
        >>> model = warm_started_model(run.folder, table)
        >>> history = model.fit(table, epochs=1, verbose=0)
    """
    folder = Path(folder)
    missing = [name for name in ("model.keras", "users.csv", "items.csv") if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{folder} is not a finished run ({', '.join(missing)} missing). Fix: give the folder of a finished run"
        )
    model: Recommender = load_model(folder / "model.keras")
    if config is not None:
        if config.model_class is not type(model):
            raise ValueError(
                f"expected a run of {type(model).__name__}, the model in {folder}, got {config.model!r}. "
                "Fix: choose a run of the same model, or train without a warm start"
            )
        side = side_arguments(config, {"rows": model.rows}, train)
        arguments = {"seed": config.seed, **config.model_options, **side, **arguments}
    users = read_ids(folder / "users.csv", model.columns_digest, train.user_ids)
    items = read_ids(folder / "items.csv", model.columns_digest, train.item_ids)
    model = model.warm_start(train, table_of_ids(users, items), **arguments)
    if config is not None and config.learning_rate is not None and not model.closed_form:
        optimizer = inner_optimizer(model.optimizer)
        has_run = model.planned_steps is not None
        optimizer.learning_rate = model.cosine_decay(config.learning_rate) if has_run else config.learning_rate
    return model
