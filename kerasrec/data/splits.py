"""A split: training, validation and test data, with the protocol that created them.

A result without its protocol is noise, so a split stores its protocol, seed and thresholds, and prints them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.data.packed import PackedInteractions
from kerasrec.data.table_argument import check_table
from kerasrec.types import IntArray


@dataclass(frozen=True)
class HeldOut:
    """Rows that a model receives, and the held-out interactions of these rows.

    Attributes:
        inputs: the interactions that the model receives and never recommends (the fold-in).
        targets: the held-out interactions of the same rows, over the same catalogue.
        rows: `(n_users,)` index of each row among the training rows, -1 for an unknown user. If
            omitted, 0, 1, 2, …
        candidates: `(n,)` int32, ascending: the columns that metrics rank. If omitted, all of them.

    Raises:
        TypeError: `inputs` or `targets` is not a table.
        ValueError: `rows` is not parallel to `inputs`.
    """

    inputs: Interactions
    targets: Interactions | None = None
    rows: IntArray | None = None
    candidates: IntArray | None = None

    def __post_init__(self) -> None:
        check_table(inputs=self.inputs, **({} if self.targets is None else {"targets": self.targets}))
        if self.rows is not None and np.shape(self.rows) != (self.inputs.n_users,):
            raise ValueError(
                f"expected `rows` with {self.inputs.n_users:,} entries, one for each row of `inputs`, got shape "
                f"{np.shape(self.rows)}"
            )

    @property
    def T(self) -> HeldOut:  # noqa: N802 (numpy's name)
        """The same data with items as rows, for models that reconstruct the row of an item."""
        return HeldOut(self.inputs.T, None if self.targets is None else self.targets.T)


class SplitProtocol(Protocol):
    """The interface of the dataclasses in `PROTOCOLS`. Their fields are the settings of the protocol."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """The name in `PROTOCOLS` and on the command line."""

    def split(self, interactions: Interactions) -> Split:
        """Splits a table."""

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Returns all interactions of a table in the form in which models of this protocol are trained."""


@dataclass(frozen=True, repr=False)
class Split:
    """Training, validation and test data of one table.

    Attributes:
        train: the data that `fit` receives.
        validation: for early stopping, and for the choice of models and settings.
        test: for the reported metrics; to be used once.
        protocol: the rule that created the split, with its seed and thresholds.
    """

    train: Interactions
    validation: HeldOut
    test: HeldOut
    protocol: SplitProtocol

    @classmethod
    def with_nothing_held_out(cls, train: Interactions, protocol: SplitProtocol) -> Split:
        """A split whose training table has all rows; validation and test are empty.

        Args:
            train: the table.
            protocol: the protocol whose form of the data it has.
        """
        return cls(train, HeldOut(train.take_users([])), HeldOut(train.take_users([])), protocol)

    def histories(self) -> Interactions:
        """Returns all interactions of all users, over the training catalogue: the tables of all parts together."""
        parts = [self.train]
        for part in (self.validation, self.test):
            parts += [table for table in (part.inputs, part.targets) if table is not None and len(table)]
        tables = list({id(table): table for table in parts}.values())
        if len(tables) == 1:
            return self.train
        if isinstance(self.train, PackedInteractions):
            return self.train.take_known_users(np.unique(np.concatenate([table.user_ids for table in tables])))
        has_times = all(table.times is not None for table in tables)
        joined = Interactions.from_arrays(
            np.concatenate([table.user_ids[table.users] for table in tables]),
            np.concatenate([table.item_ids[table.items] for table in tables]),
            np.concatenate([table.values for table in tables]),
            np.concatenate([table.times for table in tables if table.times is not None]) if has_times else None,
        )
        joined = joined.with_catalogue(self.train.item_ids)
        if self.train.item_titles is None:
            return joined
        return joined.with_titles(dict(zip(self.train.item_ids.tolist(), self.train.item_titles, strict=True)))

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of the training table; for validation and test: users with targets, inputs, targets."""
        sizes = {"users": self.train.n_users, "items": self.train.n_items, "interactions": len(self.train)}
        for name, inputs, targets in self.held_out():
            sizes[f"{name}_users"] = _n_users_with(targets)
            sizes[f"{name}_inputs"] = len(inputs)
            sizes[f"{name}_targets"] = len(targets)
        return sizes

    def held_out(self) -> Iterator[tuple[str, Interactions, Interactions]]:
        """Yields the name, inputs and targets of validation and test, if they have targets."""
        for name, part in (("validation", self.validation), ("test", self.test)):
            if part.targets is not None:
                yield name, part.inputs, part.targets

    def describe(self) -> str:
        """Returns the protocol, its settings, its seed and the sizes, as text."""
        settings = ", ".join(f"{name}={value}" for name, value in dataclasses.asdict(self.protocol).items())
        lines = [f"protocol {self.protocol.name} ({settings})".replace(" ()", ""), f"train {_sizes(self.train)}"]
        for name, inputs, targets in self.held_out():
            lines.append(f"{name} {_sizes(inputs)}; {len(targets):,} held out of {_n_users_with(targets):,} users")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Split: {self.describe()}>"

    def save(self, folder: str | Path) -> None:
        """Writes `split.npz`, which `load` reads, and `split.json`, which describes it to people.

        Args:
            folder: target folder, which is created if it does not exist. Each file is replaced
                completely or not at all.
        """
        from kerasrec.data.split_folder import save_split  # it imports this module

        save_split(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Split:
        """Reads the split that `save` wrote.

        Args:
            folder: the folder passed to `save`.

        Raises:
            DataError: The folder contains no split, or a damaged one.
        """
        from kerasrec.data.split_folder import load_split  # it imports this module

        return load_split(folder)


def _n_users_with(targets: Interactions) -> int:
    return int((targets.counts > 0).sum())


def _sizes(table: Interactions) -> str:
    return f"{table.n_users:,} users × {table.n_items:,} items, {len(table):,} interactions"
