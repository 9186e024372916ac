"""Sends a run to an MLflow server, and registers its model there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasrec.extras import install_command
from kerasrec.runs.run import Run
from kerasrec.runs.saving import write_json
from kerasrec.runs.tracking.tracker import Tracker, results_of, settings_of

RUN_ID_FILE = "mlflow.json"
"""File in the folder of a run that names its run in MLflow, so that a continued training continues it."""


class RunTracker(Tracker):
    """Metrics of each epoch, results, settings, plots, the digest of the data, and the SavedModel with its signature.

    MLflow's own variables choose the server and the experiment: `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`. The
    model is registered as `kerasrec_<model>`.

    Raises:
        ImportError: MLflow is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        try:
            import mlflow
        except ImportError as error:
            raise ImportError(f"tracking needs MLflow. Fix: {install_command('mlflow')}") from error
        self.mlflow = mlflow
        self.run_id: str | None = None

    def _start(self) -> str:
        """The id of the run in MLflow. It is created when the first metrics arrive, or at the end."""
        if self.run_id is None:
            file = self.folder / RUN_ID_FILE
            if file.exists():
                self.run_id = json.loads(file.read_text(encoding="utf-8"))["run_id"]
            else:
                with self.mlflow.start_run(run_name=self.folder.name) as run:
                    self.run_id = run.info.run_id
                write_json(file, {"run_id": self.run_id, "tracking_uri": self.mlflow.get_tracking_uri()})
        return str(self.run_id)

    def log_metrics(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Sends the metrics of an epoch."""
        self.mlflow.log_metrics(dict(metrics), step=epoch, run_id=self._start())

    def finish(self, run: Run, pictures: Sequence[Path]) -> None:
        """Sends settings, results, digest and plots, and registers the model. Later calls send nothing."""
        run_id = self._start()
        if self.mlflow.get_run(run_id).data.tags.get("data_digest"):
            return
        with self.mlflow.start_run(run_id=run_id):
            self.mlflow.log_params({name: str(value) for name, value in settings_of(run).items()})
            self.mlflow.log_metrics(results_of(run))
            for picture in pictures:
                self.mlflow.log_artifact(str(picture), "plots")
            self.mlflow.log_artifact(str(run.folder / "metrics.json"))
            self._register(run)
            self.mlflow.set_tag("data_digest", run.data_digest)

    def _register(self, run: Run) -> Any:
        from kerasrec.saved_model import export_saved_model
        from kerasrec.saved_model.mlflow_model import example_request, saved_model_predictor, signature_of

        train = run.split().train
        with tempfile.TemporaryDirectory() as folder:
            path = export_saved_model(run.model(), Path(folder) / "export", train)
            example = example_request(path, train)
            return self.mlflow.pyfunc.log_model(
                name="model",
                python_model=saved_model_predictor(),
                artifacts={"saved_model": str(path)},
                signature=signature_of(path, example),
                pip_requirements=["tensorflow", "pandas", "mlflow"],
                registered_model_name=f"kerasrec_{run.metrics['model']}",
            )
