"""The leaderboard of `try_models`: one row for each model, in memory and in a folder."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kerasrec.files import atomic_file
from kerasrec.inference.comparison import markdown_table
from kerasrec.inference.evaluation import format_error


class Status(StrEnum):
    """State of a row."""

    WAITING = "waiting"
    TRAINING = "training"
    FINISHED = "finished"
    SKIPPED = "skipped"


@dataclass
class Entry:
    """A row of the leaderboard.

    Attributes:
        model: name of the model, which is also the name of its folder.
        status: state of the row.
        note: why the model was skipped, how far its training is, or that it was shortened.
        value: validation result; while the model trains, that of the last epoch.
        standard_error: of `value`; None if unknown.
        seconds: time of the model, with its evaluation.
    """

    model: str
    status: Status = Status.WAITING
    note: str = ""
    value: float | None = None
    standard_error: float | None = None
    seconds: float = 0.0


class Leaderboard:
    """The models that `try_models` compares.

    Args:
        folder: the folder of the runs.
        models: names of the models.
        metric: name of the validation metric; higher is better.

    Attributes:
        folder: as in the arguments.
        metric: as in the arguments.
        entries: the rows, in the order of the training.

    Example:
        >>> from kerasrec.runs.leaderboard import Leaderboard, Status
        >>> board = Leaderboard("try", ["popularity", "ease"])
        >>> for entry, value in zip(board.entries, (0.1, 0.3)):
        ...     entry.status, entry.value = Status.FINISHED, value
        >>> board.winner.model
        'ease'
    """

    def __init__(self, folder: str | Path, models: list[str], metric: str = "ndcg_100") -> None:
        self.folder = Path(folder)
        self.metric = metric
        self.entries = [Entry(model) for model in models]

    def ranking(self) -> list[Entry]:
        """The finished models, the best first."""
        finished = [entry for entry in self.entries if entry.status is Status.FINISHED]
        return sorted(finished, key=lambda entry: -(entry.value or 0.0))

    def others(self) -> list[Entry]:
        """The models without a result: those that train, wait, or were skipped."""
        return [entry for entry in self.entries if entry.status is not Status.FINISHED]

    @property
    def winner(self) -> Entry | None:
        """The finished model with the best validation result; None if no model is finished."""
        return next(iter(self.ranking()), None)

    def refit_command(self) -> str | None:
        """The command that trains the winner on all rows; None if no model is finished."""
        if self.winner is None:
            return None
        return f"kerasrec refit {shlex.quote(str(self.folder / self.winner.model))} --out final"

    def rows(self) -> list[list[str]]:
        """The cells of the table, as text: rank, model, result, seconds, note."""
        ranked = [
            [str(rank), entry.model, f"{entry.value:.4f}{format_error(entry.standard_error)}", *_time_and_note(entry)]
            for rank, entry in enumerate(self.ranking(), 1)
        ]
        others = [["", entry.model, entry.status.value, *_time_and_note(entry)] for entry in self.others()]
        return ranked + others

    def header(self) -> list[str]:
        """The names of the columns of `rows`."""
        return ["rank", "model", f"validation {self.metric}", "seconds", "note"]

    def to_markdown(self) -> str:
        """The leaderboard as a Markdown table."""
        return markdown_table(self.header(), self.rows(), left=(0, 1, 2, 4))

    def to_csv(self) -> str:
        """The leaderboard as CSV, with unrounded numbers."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "status", self.metric, f"{self.metric}_se", "seconds", "note"])
        for entry in self.ranking() + self.others():
            values = (entry.value, entry.standard_error, round(entry.seconds, 2), entry.note)
            writer.writerow([entry.model, entry.status.value, *values])
        return file.getvalue()

    def write(self) -> None:
        """Writes `leaderboard.md` and `leaderboard.csv` into the folder."""
        for name, text in (("leaderboard.md", self.to_markdown()), ("leaderboard.csv", self.to_csv())):
            with atomic_file(self.folder / name, "w") as file:
                file.write(text)


def _time_and_note(entry: Entry) -> list[str]:
    return [f"{entry.seconds:.0f}" if entry.seconds else "", entry.note]
