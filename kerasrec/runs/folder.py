"""The folder of a run: decides whether it already contains the run, and begins a new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kerasrec.data import Interactions, Split
from kerasrec.data.digest import table_digest
from kerasrec.files import UNFINISHED
from kerasrec.models.model_settings import ModelSettings
from kerasrec.runs.config import CONFIG_FILE, read_config, read_json
from kerasrec.runs.data_state import FileStates, features_digest, file_states
from kerasrec.runs.lock import LOCK_FILE
from kerasrec.runs.run import METRICS_FILE
from kerasrec.runs.saving import write_json
from kerasrec.runs.trial_table import TUNING_FOLDER

# In the order of removal. Without the first two, a folder that a killed process has half emptied counts as no run.
REPLACED_FILES = (
    METRICS_FILE,
    CONFIG_FILE,
    "model.keras",
    "history.csv",
    "users.csv",
    "items.csv",
    "curves.png",
    "mlflow.json",
)
REPLACED_FOLDERS = ("checkpoints", "split", "pictures", "tensorboard")


def begin_or_continue_run(
    config: Mapping[str, Any],
    read_table: Callable[[], Interactions],
    split: Callable[[Interactions], tuple[Split, ModelSettings]],
    folder: Path,
    overwrite: bool,
) -> bool:
    """Splits the data and writes `run.json`, unless the folder already contains this run.

    Args:
        config: the fields of `RunConfig`, and `"refit"` for a refitted run.
        read_table: reads the interactions.
        split: returns the split of a table and the settings of the run. It raises any error that is certain to come,
            such as that of an option that the model rejects, before anything is replaced.
        folder: folder of the run.
        overwrite: whether to replace another run in the folder.

    Returns:
        Whether the run is new.

    Raises:
        FileExistsError: the folder contains another run, a run on other data, or other files.
    """
    features = (config["item_features"], config["user_features"])
    files = file_states(config["data"], config["read_options"].get("items"))  # before the data are read
    features_state = features_digest(features)
    if (folder / CONFIG_FILE).exists():
        conflict = _conflict(config, read_table, folder, files, features_state)
        if not conflict:
            return False
        if _has_results(folder) and not overwrite:
            raise FileExistsError(f"{conflict}. Fix: replace that run with `overwrite`, or choose another folder")
    elif not is_empty(folder):
        raise FileExistsError(f"{folder} is not empty and contains no trained run. Fix: choose another folder")
    table = read_table()
    data_state: dict[str, Any] = {"data_files": files, "data_digest": table_digest(table)}
    if features_state is not None:
        data_state["features_digest"] = features_state
    _begin(folder, config, *split(table), data_state)
    return True


def _conflict(
    config: Mapping[str, Any],
    read_table: Callable[[], Interactions],
    folder: Path,
    files: FileStates | None,
    features_state: str | None,
) -> str | None:
    """Why the run in a folder is not the one of this configuration and these data; `None` if it is."""
    stored = read_json(folder / CONFIG_FILE, ("data_files", "data_digest"))
    new, old = {"refit": None, **config}, {**asdict(read_config(folder)), "refit": stored.get("refit")}
    if new != old:
        names = [name for name in new if new[name] != old[name]]
        if "refit" in names and None in (new["refit"], old["refit"]):
            stored_by, needed = ("train" if run["refit"] is None else "refit" for run in (old, new))
            return f"{folder} contains a run of `{stored_by}`, and not a run of `{needed}`"
        if "refit" in names:
            new, old = {**new, **new["refit"]}, {**old, **old["refit"]}
            names = [name for name in new if name != "refit" and new[name] != old.get(name)]
        differences = ", ".join(f"{name} {old.get(name)!r} instead of {new[name]!r}" for name in names)
        return f"{folder} contains another run ({differences})"
    if features_state != stored.get("features_digest", features_state):
        given = [config[name] for name in ("item_features", "user_features") if config[name]]
        return f"the features {' and '.join(map(repr, given))} have changed since the run in {folder} began"
    unchanged = files is not None and files == stored["data_files"]
    if unchanged or table_digest(read_table()) == stored["data_digest"]:
        return None
    return f"the data {config['data']!r} have changed since the run in {folder} began"


def _has_results(folder: Path) -> bool:
    """Whether a run has completed an epoch, so that replacing it loses work."""
    return any((folder / "checkpoints").glob("epoch-*")) or (folder / METRICS_FILE).exists()


def is_empty(folder: Path) -> bool:
    """Whether a folder contains at most what a run leaves that is killed before it writes its configuration."""
    names = [path.name for path in folder.iterdir()]
    return all(name in ("split", TUNING_FOLDER, LOCK_FILE) or name.startswith(UNFINISHED) for name in names)


def _begin(
    folder: Path, config: Mapping[str, Any], split: Split, settings: ModelSettings, data_state: Mapping[str, Any]
) -> None:
    """Writes the split and then `run.json`, whose presence means that the split is complete."""
    for name in REPLACED_FILES:
        (folder / name).unlink(missing_ok=True)
    for name in REPLACED_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    split.save(folder / "split")
    write_json(folder / CONFIG_FILE, {**config, "settings": asdict(settings), **data_state})
