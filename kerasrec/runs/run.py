"""A finished run, read from its folder."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import keras

from kerasrec.callbacks import read_history
from kerasrec.data import Split
from kerasrec.inference.evaluation import Evaluation, evaluate
from kerasrec.models import ZOO, Recommender
from kerasrec.models.model_settings import ModelSettings
from kerasrec.runs.config import CONFIG_FILE, read_config, read_json, read_settings

METRICS_FILE = "metrics.json"


class Run:
    """A finished run in a folder.

    Args:
        folder: a folder that `train` or `save_run` wrote.

    Attributes:
        folder: the folder.
        config: the configuration; `None` if `save_run` wrote the folder.
        settings: the settings of the model and its training, including those that `config` leaves out; likewise.
        metrics: the content of `metrics.json`.

    Raises:
        FileNotFoundError: `folder` contains no finished run.
        ValueError: a file of the run is damaged.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        has_config = (self.folder / CONFIG_FILE).exists()
        if not (self.folder / METRICS_FILE).exists():
            if has_config:
                raise FileNotFoundError(
                    f"the run in {self.folder} is not finished ({METRICS_FILE} is missing). "
                    "Fix: train again with the same command, which continues it"
                )
            raise FileNotFoundError(
                f"{self.folder} is not a run ({METRICS_FILE} is missing). Fix: give the folder of a finished run"
            )
        self.config = read_config(self.folder) if has_config else None
        self.settings: ModelSettings | None = read_settings(self.folder) if has_config else None
        required = ("model", "data", "protocol", "seed", "test", "validation", "versions")
        self.metrics = read_json(self.folder / METRICS_FILE, required)

    def __repr__(self) -> str:
        model, data, protocol = (self.metrics[name] for name in ("model", "data", "protocol"))
        return f"<Run: {model} on {data}, {protocol}, in {self.folder}>"

    @property
    def model_class(self) -> type[Recommender]:
        """The class of the model.

        Raises:
            ValueError: `save_run` wrote the folder, and the class is not in `kerasrec.ZOO`.
        """
        name = self.metrics["model"]
        if name not in ZOO:
            raise ValueError(f"expected one of the models {', '.join(ZOO)}, got {name!r}. Fix: load it with `model()`")
        return ZOO[name]

    def model(self) -> Recommender:
        """Loads the trained model.

        Raises:
            ValueError: `model.keras` is damaged.
        """
        path = self.folder / "model.keras"
        if path.exists() and not zipfile.is_zipfile(path):  # Keras would report that the file does not exist
            raise ValueError(f"{path} is damaged. Fix: remove the folder {self.folder} and train again")
        return keras.saving.load_model(path)

    def split(self) -> Split:
        """Loads the split that the model was trained and evaluated on."""
        return Split.load(self.folder / "split")

    def history(self) -> dict[str, list[float]]:
        """Metrics by epoch, in the format of Keras' `History.history`; NaN for an epoch without the metric."""
        epochs = read_history(self.folder / "history.csv")
        names = dict.fromkeys(name for epoch in epochs for name in epoch)
        return {name: [epoch.get(name, math.nan) for epoch in epochs] for name in names}

    def evaluate(self, metrics: list[str] | None = None, verbose: int = 0) -> dict[str, Evaluation]:
        """Evaluates the model again.

        Args:
            metrics: names of metrics; the model's default metrics if omitted.
            verbose: 1 for a progress bar.

        Returns:
            `{"validation": …, "test": …}`.
        """
        model, split = self.model(), self.split()
        held_out = {"validation": split.validation, "test": split.test}
        return {name: evaluate(model, rows, metrics, verbose=verbose) for name, rows in held_out.items()}
