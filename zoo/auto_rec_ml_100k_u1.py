"""I-AutoRec on MovieLens 100K, the data's own split u1.base / u1.test.

Han et al. 2021 (GLocal-K) report .8889 for their model on this split. `reg`, epochs and batch size were chosen on
ratings held out from u1.base; a twentieth of it is kept to watch.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from fit import fit_best
from recipe import Recipe, main

import kerasrec
from kerasrec import AutoRec, HeldOut, Interactions, Recommender, Split


@dataclass(frozen=True)
class U1:
    """The ratings of u1.test for test, `validation` of the others to watch."""

    validation: float = 0.05
    seed: int = 0

    name: ClassVar[str] = "u1"

    def split(self, table: Interactions) -> Split:
        """The table of u.data, split."""
        test = np.isin(_pairs(table), _pairs(kerasrec.read("ml-100k/u1.test")))
        watched = ~test & (np.random.default_rng(self.seed).random(len(table)) < self.validation)
        parts = (table.select(part, compact=False) for part in (~test & ~watched, watched, test))
        train, *held_out = parts
        return Split(train, *(HeldOut(train, part) for part in held_out), self)


def _pairs(table: Interactions) -> np.ndarray:
    return table.user_ids[table.users] * 10**6 + table.item_ids[table.items]


RECIPE = Recipe(
    model="I-AutoRec",
    data="ml-100k",
    protocol=U1(),
    metrics=("rmse", "mae"),
    smoke_protocol=kerasrec.RandomRatings(),
)
EPOCHS = 100
BATCH_SIZE = 128
REG = 0.1


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = AutoRec.for_interactions(split.train, epochs, BATCH_SIZE, rows="items", reg=REG, seed=seed)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
