"""A finished run, read from its folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any

from kerasrec.callbacks.checkpoints import read_history
from kerasrec.data import Interactions, Split
from kerasrec.inference.evaluation import Evaluation, evaluate
from kerasrec.models import ZOO, Recommender
from kerasrec.models.model_settings import ModelSettings
from kerasrec.models.saving import load_model
from kerasrec.runs.config import CONFIG_FILE, read_config, read_json, read_settings

METRICS_FILE = "metrics.json"


class Run:
    """A finished run in a folder.

    Args:
        folder: a folder that `train`, `refit` or `save_run` wrote.

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
        self.metrics = read_json(self.folder / METRICS_FILE, ("model", "data", "protocol", "seed", "versions"))
        if not self.saw_all_rows:
            self.metrics = read_json(self.folder / METRICS_FILE, ("test", "validation"))

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

    @property
    def was_refitted(self) -> bool:
        """Whether `refit` wrote the run."""
        return "refit" in self.metrics

    @property
    def saw_all_rows(self) -> bool:
        """Whether no rows are held out, so that the run has no metrics."""
        return self.was_refitted or self.metrics.get("saw_all_rows", False)

    @property
    def id(self) -> str:
        """Twelve characters that identify the configuration and the data of the run."""
        file = self.folder / (METRICS_FILE if self.config is None else CONFIG_FILE)
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        content.pop("data_files", None)  # a copy of the same data has another time
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def data_digest(self) -> str | None:
        """SHA-256 of the table that was read; `None` if `save_run` wrote the run."""
        if self.config is None:
            return None
        digest: str = read_json(self.folder / CONFIG_FILE, ("data_digest",))["data_digest"]
        return digest

    def check_has_metrics(self) -> None:
        """Checks that the run has held-out rows.

        Raises:
            ValueError: no rows are held out.
        """
        if self.was_refitted:
            raise ValueError(
                f"expected a run with held-out rows, got {self.folder}, which was refitted on all rows. "
                f"Fix: give the run that it was chosen by, {self.metrics['refit']['folder']}"
            )
        if self.saw_all_rows:
            raise ValueError(
                f"expected a run with held-out rows, got {self.folder}, whose model was trained on all rows. "
                "Fix: give a run of `train`, or of `save_run` with a split that holds out test rows"
            )

    def model(self) -> Recommender:
        """Loads the trained model.

        Raises:
            ValueError: `model.keras` is missing or damaged.
        """
        path = self.folder / "model.keras"
        if not zipfile.is_zipfile(path):  # Keras would report that the file does not exist
            state = "damaged" if path.exists() else "missing"
            raise ValueError(f"{path} is {state}. Fix: remove the folder {self.folder} and train again")
        model: Recommender = load_model(path)
        return model

    def split(self) -> Split:
        """Loads the split that the model was trained and evaluated on."""
        return Split.load(self.folder / "split")

    def histories(self) -> Interactions:
        """Loads the interactions of all users of the run, over the catalogue of the model."""
        return self.split().histories()

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

        Raises:
            ValueError: no rows are held out.
        """
        self.check_has_metrics()
        model, split = self.model(), self.split()
        held_out = {"validation": split.validation, "test": split.test}
        return {name: evaluate(model, rows, metrics, verbose=verbose) for name, rows in held_out.items()}
