"""Callbacks: crash-safe checkpoints, metrics on training rows, better item vectors, and a progress bar."""

from kerasrec.callbacks.checkpoints import Checkpoints
from kerasrec.callbacks.epoch_bar import EpochBar
from kerasrec.callbacks.implicit_slim import ImplicitSLIM
from kerasrec.callbacks.training_metrics import TrainingMetrics

__all__ = ["Checkpoints", "EpochBar", "ImplicitSLIM", "TrainingMetrics"]
