"""The split that a data set came with, for recipes whose figures others measured on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import kerasrec
from kerasrec import HeldOut, Interactions, Split


@dataclass(frozen=True)
class Given:
    """What a file holds is for test; of the rest a share, or what another file holds, to choose on.

    All but the test is fed at test.

    Attributes:
        test: the file, as `kerasrec.read` takes it.
        name: of the split, for the table.
        validation: the share of the rest that is held out to choose on, or such a file.
        seed: draws that share.
    """

    test: str
    name: str
    validation: float | str = 0.01
    seed: int = 0

    def split(self, table: Interactions) -> Split:
        """`table`, which holds the files' interactions as well, split."""
        test = _held(self.test, table)
        if isinstance(self.validation, str):
            watched = _held(self.validation, table)
        else:
            watched = ~test & (np.random.default_rng(self.seed).random(len(table)) < self.validation)
        train, to_watch, known, to_find = (
            table.select(part, compact=False) for part in (~test & ~watched, watched, ~test, test)
        )
        return Split(train, HeldOut(train, to_watch), HeldOut(known, to_find), self)


def _held(file: str, table: Interactions) -> np.ndarray:
    """Which interactions of the table a file holds."""
    return np.isin(_pairs(table, table), _pairs(kerasrec.read(file), table))


def _pairs(part: Interactions, table: Interactions) -> np.ndarray:
    """One number for each interaction: that of its user and item in `table`."""
    user, item = (
        np.searchsorted(own, ids) for own, ids in ((table.user_ids, part.user_ids), (table.item_ids, part.item_ids))
    )
    return user[part.users] * table.n_items + item[part.items]
