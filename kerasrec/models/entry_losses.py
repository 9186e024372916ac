"""What single observed entries add to a training loss, which the explorer shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kerasrec.types import FloatArray, IntArray


class EntryLosses(NamedTuple):
    """What each observed entry of a row adds to the training loss.

    Attributes:
        name: name of the loss, for example `"-log softmax"`.
        values: float32, one value per entry.
    """

    name: str
    values: FloatArray


def negative_log_softmax(scores: FloatArray, columns: IntArray) -> EntryLosses:
    """-log softmax(scores) at the columns, which a like adds to the multinomial loss."""
    shifted = scores - scores.max()
    return EntryLosses("-log softmax", np.log(np.exp(shifted).sum()) - shifted[columns])


def squared_error(scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses:
    """(value - score)² at the columns."""
    return EntryLosses("squared error", np.square(values - scores[columns]))
