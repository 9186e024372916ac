"""The trials of a search as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kerasrec.files import atomic_file

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TUNING_FOLDER = "tuning"
"""Folder in the folder of a run that `tune` wrote."""

TRIALS_FILE = "trials.csv"

COLUMNS = ("trial", "state", "value", "best_epoch", "seconds")


class TrialRow(NamedTuple):
    """A finished trial.

    Attributes:
        number: number of the trial, starting at 1.
        value: its best validation result; None if it was stopped or failed.
        settings: name → value as text.
    """

    number: int
    value: float | None
    settings: dict[str, str]


def write_trials(trials: Sequence[FrozenTrial], file: Path) -> None:
    """Writes one row for each trial."""
    values = [trial.user_attrs.get("values", {}) for trial in trials]
    names = list(dict.fromkeys(name for settings in values for name in settings))
    with atomic_file(file, "w") as opened:
        writer = csv.writer(opened)
        writer.writerow([*COLUMNS, *names])
        for trial, settings in zip(trials, values, strict=True):
            seconds = round(trial.duration.total_seconds(), 2) if trial.duration else None
            cells = [
                trial.number + 1,
                trial.state.name.lower(),
                trial.value,
                trial.user_attrs.get("best_epoch"),
                seconds,
            ]
            writer.writerow([*cells, *(as_text(settings[name]) for name in names if name in settings)])


def read_trials(folder: Path) -> list[TrialRow]:
    """Reads the trials of a run that `tune` wrote.

    Raises:
        FileNotFoundError: the run was not written by `tune`.
    """
    file = folder / TUNING_FOLDER / TRIALS_FILE
    if not file.exists():
        raise FileNotFoundError(f"{folder} has no trials. Fix: give the folder of a run that `tune` wrote")
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    return [
        TrialRow(
            int(row["trial"]),
            float(row["value"]) if row["value"] else None,
            {name: text for name, text in row.items() if name not in COLUMNS},
        )
        for row in rows
    ]


def as_text(value: Any) -> str:
    """A value in a line or a table, numbers with 4 significant digits."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def settings_line(values: Iterable[tuple[str, Any]]) -> str:
    """Settings as one line: `reg=231.4, dropout=0.3`."""
    return ", ".join(f"{name}={as_text(value)}" for name, value in values)
