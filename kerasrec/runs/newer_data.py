"""Data that are newer than a run, in the form in which its model was trained."""

from __future__ import annotations

from typing import Any

from kerasrec.data import Interactions, read
from kerasrec.runs.refitting import check_id_types
from kerasrec.runs.run import Run


def read_newer(run: Run, data: str) -> Interactions:
    """Reads data with the options of a run, and converts them to likes if the run's model is trained on likes.

    Args:
        run: the run.
        data: file, folder or name of the data.

    Returns:
        All interactions, also those of users and items that the run does not contain.

    Raises:
        ValueError: the ids have another type than those of the run.
    """
    options: dict[str, Any] = {} if run.config is None else run.config.read_options
    table = read(data, **options)
    split = run.split()
    check_id_types(table, split.train, data)
    return split.protocol.training_rows(table)
