"""The split that a data set comes with, for recipes whose published results were measured on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import kerasrec
from kerasrec import HeldOut, Interactions, Split


@dataclass(frozen=True)
class ProvidedSplit:
    """Test data from a file of the data set; validation data from another file or a random share of the rest.

    For test, the model reads all interactions that are not test data.

    Attributes:
        test: file of the test interactions, as `kerasrec.read` takes it.
        name: name of the split in the results.
        validation: the share of the other interactions that is validation data, or a file with them.
        seed: seeds the choice of that share.
    """

    test: str
    name: str
    validation: float | str = 0.01
    seed: int = 0

    def split(self, table: Interactions) -> Split:
        """Splits `table`, which must contain the interactions of the files."""
        is_test = _is_in_file(self.test, table)
        if isinstance(self.validation, str):
            is_validation = _is_in_file(self.validation, table)
        else:
            is_validation = ~is_test & (np.random.default_rng(self.seed).random(len(table)) < self.validation)
        train, validation, test_inputs, test_targets = (
            table.select(mask, compact=False) for mask in (~is_test & ~is_validation, is_validation, ~is_test, is_test)
        )
        return Split(train, HeldOut(train, validation), HeldOut(test_inputs, test_targets), self)


def _is_in_file(file: str, table: Interactions) -> np.ndarray:
    """For each interaction of `table`, whether the file contains it."""
    return np.isin(_pair_numbers(table, table), _pair_numbers(kerasrec.read(file), table))


def _pair_numbers(interactions: Interactions, table: Interactions) -> np.ndarray:
    """One number for each interaction, computed from the positions of its user and item in `table`."""
    user, item = (
        np.searchsorted(table_ids, ids)
        for table_ids, ids in ((table.user_ids, interactions.user_ids), (table.item_ids, interactions.item_ids))
    )
    return user[interactions.users] * table.n_items + item[interactions.items]
