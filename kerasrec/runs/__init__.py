"""Runs: one model trained on one split by one protocol, stored in a folder."""

from kerasrec.runs.run import Run, RunConfig, build, read_plan, save_run, train, versions

__all__ = ["Run", "RunConfig", "build", "read_plan", "save_run", "train", "versions"]
