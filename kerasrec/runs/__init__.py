"""Runs: one model trained on one split of one data set, stored in a folder.

| file | content |
|---|---|
| `run.json` | the configuration, the settings computed from the data, and what identifies the data |
| `split/` | training, validation and test tables, and their protocol |
| `checkpoints/` | last and best epoch, from which an interrupted run continues; not for closed-form models |
| `model.keras` | the model of the best epoch, by validation |
| `users.csv`, `items.csv` | ids of the training users; ids and titles of the catalogue |
| `history.csv` | metrics of each epoch |
| `metrics.json` | metrics on validation and test; none for a refitted run. It is written last |
"""

from kerasrec.runs.blending import blend, describe_shares
from kerasrec.runs.comparison import compare_runs
from kerasrec.runs.config import RunConfig, build_model, read_config, settings_for
from kerasrec.runs.exporting import export_run
from kerasrec.runs.gate import GateResult, compare_on_newest
from kerasrec.runs.leaderboard import Leaderboard
from kerasrec.runs.newer_data import read_newer
from kerasrec.runs.presets import preset_from_run
from kerasrec.runs.refitting import refit
from kerasrec.runs.run import Run
from kerasrec.runs.saving import save_run, versions
from kerasrec.runs.training import train
from kerasrec.runs.trying import DEFAULT_MODELS, try_models
from kerasrec.runs.tuning import tune
from kerasrec.runs.warm_start import warm_started_model

__all__ = [
    "DEFAULT_MODELS",
    "GateResult",
    "Leaderboard",
    "Run",
    "RunConfig",
    "blend",
    "build_model",
    "compare_on_newest",
    "compare_runs",
    "describe_shares",
    "export_run",
    "preset_from_run",
    "read_config",
    "read_newer",
    "refit",
    "save_run",
    "settings_for",
    "train",
    "try_models",
    "tune",
    "versions",
    "warm_started_model",
]
