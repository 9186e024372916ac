"""Experiment tracking: sends settings, metrics, plots and the model of a run to MLflow or TensorBoard."""

from kerasrec.runs.tracking.tracker import TRACKERS, Tracker, tracker_for

__all__ = ["TRACKERS", "Tracker", "tracker_for"]
