"""Splits that know their protocol, seed and sizes: a figure without its protocol is noise."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Protocol

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.types import BoolArray, IntArray
from kerasrec.validation import as_int_at_least, check_at_least

FIELDS = ("indptr", "items", "values", "times", "user_ids")
CATALOGUE = ("item_ids", "item_titles")
"""What `Split.save` keeps of each table, and of all of them together."""

FOLD_IN_SEED = 98765
"""What the published code seeds its choice of held-out items with, whatever seeded its choice of users."""

FEWEST_TO_HOLD_OUT = 5
"""Held-out users with fewer items in the train users' catalogue are fold-in only."""


@dataclass(frozen=True)
class HeldOut:
    """Rows to feed a model and what it should have answered.

    Attributes:
        inputs: what the model sees; never recommended again.
        targets: what was held out of the same rows, over the same catalogue.
        rows: `(n_users,)` each row's index among the training rows, -1 for a user without one;
            0, 1, 2, … where absent.
    """

    inputs: Interactions
    targets: Interactions | None = None
    rows: IntArray | None = None

    @property
    def T(self) -> HeldOut:  # noqa: N802 (numpy's name for it)
        """The same with items as rows, for models that reconstruct an item's row."""
        return HeldOut(self.inputs.T, None if self.targets is None else self.targets.T)


class SplitProtocol(Protocol):
    """What the dataclasses in `PROTOCOLS` have in common; their fields are the protocol's settings."""

    @property
    def name(self) -> str:
        """As people call it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def split(self, interactions: Interactions) -> Split:
        """The table, split."""


@dataclass(frozen=True, repr=False)
class Split:
    """A table cut into what a model learns from, what it is chosen on and what is reported.

    Attributes:
        train: what `fit` sees.
        validation: what ends the training and picks models and settings.
        test: what is reported, once.
        protocol: how the table was cut, with its seed and thresholds.
    """

    train: Interactions
    validation: HeldOut
    test: HeldOut
    protocol: SplitProtocol

    @property
    def sizes(self) -> dict[str, int]:
        """Counts of the train table, and of the rows, inputs and targets of the held-out parts."""
        sizes = {"users": self.train.n_users, "items": self.train.n_items, "interactions": len(self.train)}
        for name, inputs, targets in self._held_out():
            sizes[f"{name}_users"] = int((targets.counts > 0).sum())
            sizes[f"{name}_inputs"] = len(inputs)
            sizes[f"{name}_targets"] = len(targets)
        return sizes

    def describe(self) -> str:
        """Protocol, settings, seed and sizes, in words."""
        settings = ", ".join(f"{name}={value}" for name, value in dataclasses.asdict(self.protocol).items())
        lines = [f"protocol {self.protocol.name} ({settings})".replace(" ()", ""), f"train {_size(self.train)}"]
        for name, inputs, targets in self._held_out():
            with_targets = int((targets.counts > 0).sum())
            lines.append(f"{name} {_size(inputs)}; {len(targets):,} held out of {with_targets:,} users")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Split: {self.describe()}>"

    def save(self, folder: str | Path) -> None:
        """Writes `split.npz`, which `load` reads, and `split.json`, which tells people what is in it.

        Args:
            folder: where; made if need be. A file that stood there is replaced whole or not at all.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tables: list[Interactions] = []
        numbers = {}
        for part, table in self._tables().items():
            if not any(table is other for other in tables):  # several parts may share one table
                tables.append(table)
            numbers[part] = next(n for n, other in enumerate(tables) if table is other)
        arrays: dict[str, Any] = {}
        for number, table in enumerate(tables):
            arrays |= {f"{number}.{field}": getattr(table, field) for field in FIELDS}
        arrays |= {field: getattr(self.train, field) for field in CATALOGUE}
        arrays |= {"validation.rows": self.validation.rows, "test.rows": self.test.rows}
        protocol = {"name": self.protocol.name, **dataclasses.asdict(self.protocol)}
        arrays["about"] = np.array(json.dumps({"protocol": protocol, "tables": numbers}, default=_number))
        with _replacing(folder / "split.npz") as file:
            np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
        with _replacing(folder / "split.json") as file:
            file.write(json.dumps({"protocol": protocol, "sizes": self.sizes}, default=_number, indent=2).encode())

    @classmethod
    def load(cls, folder: str | Path) -> Split:
        """Reads what `save` wrote.

        Args:
            folder: where.

        Raises:
            DataError: no split is there, or a damaged one.
        """
        path = Path(folder) / "split.npz"
        try:
            with path.open("rb") as stream, np.load(stream) as file:
                arrays = dict(file)
            about = json.loads(str(arrays["about"]))
        except FileNotFoundError:
            raise DataError(f"no split in {folder}: write one there with `Split.save`") from None
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is damaged ({error}): split the data again") from None
        made: dict[int, Interactions] = {}
        catalogue: dict[str, Any] = {field: arrays.get(field) for field in CATALOGUE}
        for number in set(about["tables"].values()):
            fields: dict[str, Any] = {field: arrays.get(f"{number}.{field}") for field in FIELDS}
            made[number] = Interactions(**fields, **catalogue)
        table = {part: made[number] for part, number in about["tables"].items()}
        validation, test = (
            HeldOut(table[f"{name}.inputs"], table[f"{name}.targets"], arrays.get(f"{name}.rows"))
            for name in ("validation", "test")
        )
        settings = about["protocol"]
        name = settings.pop("name")
        if name in PROTOCOLS:
            return cls(table["train"], validation, test, PROTOCOLS[name](**settings))
        return cls(table["train"], validation, test, OtherProtocol(name, settings.get("settings", settings)))

    def _held_out(self) -> Iterator[tuple[str, Interactions, Interactions]]:
        for name, part in (("validation", self.validation), ("test", self.test)):
            if part.targets is not None:
                yield name, part.inputs, part.targets

    def _tables(self) -> dict[str, Interactions]:
        tables = {"train": self.train}
        for name, inputs, targets in self._held_out():
            tables |= {f"{name}.inputs": inputs, f"{name}.targets": targets}
        return tables


@dataclass(frozen=True)
class OtherProtocol:
    """What is known of a split that was read back and that none of `PROTOCOLS` made."""

    name: str
    settings: dict[str, Any]

    def split(self, table: Interactions) -> Split:
        """RequestError."""
        raise ValueError(f"{self.name!r} is none of kerasrec's protocols: how it splits a table is not known here")


@dataclass(frozen=True)
class RandomRatings:
    """Ratings at random: what rating models are measured with, by one RMSE over all test ratings.

    `test` of the ratings are held out, then `validation` of what is left. A model sees the
    training row of each user, at test time too; all users and items stay in the tables.

    Args:
        test: share of the ratings to report on; 0.1 as published.
        validation: share of the other ratings to stop on; 0.1 as published.
        seed: seeds the choice. The papers repeat it 5 times.

    Source: Sedhain et al., AutoRec, 2015, section 3.
    """

    test: float = 0.1
    validation: float = 0.1
    seed: int = 0

    name: ClassVar[str] = "random-ratings"

    def __post_init__(self) -> None:
        _check_shares(test=self.test, validation=self.validation)

    def split(self, interactions: Interactions) -> Split:
        """The table, split.

        Raises:
            DataError: there are too few ratings to hold any out.
        """
        n = len(interactions)
        n_test = round(self.test * n)
        n_validation = round(self.validation * (n - n_test))
        if not (n_test and n_validation and n - n_test - n_validation):
            raise DataError(f"{self.name}: {n} ratings are too few to hold out any: give more, or raise the shares")
        part = np.zeros(n, np.int8)
        order = np.random.default_rng(self.seed).permutation(n)
        part[order[:n_test]] = 2
        part[order[n_test : n_test + n_validation]] = 1
        train, validation, test = (interactions.select(part == p, compact=False) for p in range(3))
        return Split(train, HeldOut(train, validation), HeldOut(train, test), self)


@dataclass(frozen=True)
class HeldOutUsers:
    """Held-out users with fold-in, also known as strong generalisation.

    Validation and test users are strangers to the model: it sees a random 80 % of their items and
    is asked for the rest. Of the users in ascending id order, one permutation is drawn; its last
    `held_out` are for test, those before for validation, the others for training. The catalogue is
    what train users have. Users with fewer than 5 items of it are fold-in only.

    Args:
        held_out: how many users for validation, and again for test; a tenth of all where absent
            (as published: MovieLens 20M 10,000, Netflix 40,000, Million Songs 50,000).
        seed: seeds the choice of users; 98765 as published.
        min_value: lowest value that is a like; 4 as published. Where all values are 1, all are.
        min_items: users with fewer likes are left out; 5 as published (Million Songs: 20).
        share: share of a held-out user's items to ask for; 0.2 as published.

    Source: Liang et al., Variational Autoencoders for Collaborative Filtering, 2018, section 4.1.
    """

    held_out: int | None = None
    seed: int = 98765
    min_value: float = 4.0
    min_items: int = 5
    share: float = 0.2

    name: ClassVar[str] = "held-out-users"

    def __post_init__(self) -> None:
        _check_shares(share=self.share)
        check_at_least(1, min_items=self.min_items)
        if self.held_out is not None:
            as_int_at_least(1, held_out=self.held_out)

    def split(self, interactions: Interactions) -> Split:
        """The table, split.

        Raises:
            DataError: there are too few users, or no likes.
        """
        likes = _likes(interactions, self.min_value).core(users=self.min_items)
        held_out = max(1, likes.n_users // 10) if self.held_out is None else self.held_out
        return _users_apart(likes, dataclasses.replace(self, held_out=held_out), held_out, self.seed, self._targets)

    def _targets(self, table: Interactions) -> BoolArray:
        """Which interactions of held-out users to ask for: a random share of each user's."""
        random = np.random.RandomState(FOLD_IN_SEED)
        chosen = np.zeros(len(table), bool)
        for start, n in zip(table.indptr[:-1], table.counts, strict=True):
            if n >= FEWEST_TO_HOLD_OUT:
                chosen[start + random.choice(n, int(self.share * n), replace=False)] = True
        return chosen


@dataclass(frozen=True)
class TemporalUsers:
    """Time-ordered held-out users: the model sees the first 80 % of a stranger's history.

    As `HeldOutUsers`, but histories are in time order (the file's, without times) and the last
    items are asked for.

    Args:
        held_out: how many users for validation, and again for test; 750 as published on MovieLens 1M.
        seed: seeds the choice of users; 98765 as published.
        min_value: lowest value that is a like; 3.5, as published (above 3). Where all values are 1, all are.
        min_items: users with fewer likes are left out; 5 as published.
        max_items: users with more likes are left out; all stay where absent. The published code says
            1000, but the run behind its figures left nobody out (435,180 training interactions).
        share: share of a held-out user's items to ask for; 0.2 as published.

    Source: Sachdeva et al., Sequential Variational Autoencoders for Collaborative Filtering, 2019, section 5.
    """

    held_out: int = 750
    seed: int = 98765
    min_value: float = 3.5
    min_items: int = 5
    max_items: int | None = None
    share: float = 0.2

    name: ClassVar[str] = "temporal-users"

    def __post_init__(self) -> None:
        _check_shares(share=self.share)
        check_at_least(1, min_items=self.min_items)
        as_int_at_least(1, held_out=self.held_out)

    def split(self, interactions: Interactions) -> Split:
        """The table, split.

        Raises:
            DataError: there are too few users, or no likes.
        """
        _warn_without_times(interactions)
        likes = _likes(interactions, self.min_value).in_time_order()
        fitting = likes.counts >= self.min_items
        if self.max_items is not None:
            fitting &= likes.counts <= self.max_items
        return _users_apart(likes.select(fitting[likes.users]), self, self.held_out, self.seed, self._targets)

    def _targets(self, table: Interactions) -> BoolArray:
        """Which interactions of held-out users to ask for: the last of each user's."""
        kept = ((1.0 - self.share) * table.counts).astype(np.int64)
        return (_places(table) >= kept[table.users]) & (table.counts >= FEWEST_TO_HOLD_OUT)[table.users]


@dataclass(frozen=True)
class OwnItems:
    """Each user's own items at random, also known as weak generalisation.

    Of the likes' `min_items`-core (users and items with at least that many, repeatedly), each user
    gives `share` to test and then `validation` of the others to validation. The model sees the
    training rows of the same users, and at test time their validation items as well.

    Args:
        share: share of a user's items to report on, rounded down; 0.2 as published.
        validation: share of a user's other items to stop on, rounded down.
        seed: seeds the choice.
        min_value: lowest value that is a like; 4 as published. Where all values are 1, all are.
        min_items: bound of the core; 5 as published.

    Source: Wu et al., Collaborative Denoising Auto-Encoders, 2016, section 5.1.
    """

    share: float = 0.2
    validation: float = 0.1
    seed: int = 0
    min_value: float = 4.0
    min_items: int = 5

    name: ClassVar[str] = "own-items"

    def __post_init__(self) -> None:
        _check_shares(share=self.share, validation=self.validation)
        check_at_least(1, min_items=self.min_items)

    def split(self, interactions: Interactions) -> Split:
        """The table, split.

        Raises:
            DataError: no likes or no users are left.
        """
        likes = _likes(interactions, self.min_value).core(self.min_items, self.min_items)
        if not len(likes):
            raise DataError(f"{self.name}: no users and items have {self.min_items} of each other: lower `min_items`")
        key = np.random.default_rng(self.seed).random(len(likes))
        shuffled = np.empty(len(likes), np.int64)  # each interaction's place in a random order of its user's
        shuffled[np.lexsort((key, likes.users))] = _places(likes)
        n_test = (self.share * likes.counts).astype(np.int64)
        n_validation = (self.validation * (likes.counts - n_test)).astype(np.int64)
        in_test = shuffled < n_test[likes.users]
        in_validation = ~in_test & (shuffled < (n_test + n_validation)[likes.users])
        train = _known_items(likes.select(~in_test & ~in_validation, compact=False))
        before, validation, test = (
            likes.select(part, compact=False).with_catalogue(train.item_ids)
            for part in (~in_test, in_validation, in_test)
        )
        return Split(train, HeldOut(train, validation), HeldOut(before, test), self)


@dataclass(frozen=True)
class LeaveOneOut:
    """The last item of each user for test, the one before it for validation.

    Items are in time order (the file's, without times), and each interaction is a like whatever
    its value. At test time the model also sees the validation item. Users with fewer than 3 items
    are in the training table only.

    Source: He et al., Neural Collaborative Filtering, 2017, section 4.1.
    """

    name: ClassVar[str] = "leave-one-out"

    def split(self, interactions: Interactions) -> Split:
        """The table, split.

        Raises:
            DataError: no user has 3 items.
        """
        _warn_without_times(interactions)
        likes = interactions.likes().in_time_order()
        enough = likes.counts >= 3
        if not enough.any():
            raise DataError(f"{self.name}: no user has 3 items or more: there is nothing to hold out")
        from_end = np.where(enough, likes.counts, len(likes) + 3)[likes.users] - _places(likes)
        train = _known_items(likes.select(from_end > 2, compact=False))
        before, validation, test = (
            likes.select(part, compact=False).with_catalogue(train.item_ids)
            for part in (from_end > 1, from_end == 2, from_end == 1)
        )
        return Split(train, HeldOut(train, validation), HeldOut(before, test), self)


PROTOCOLS: dict[str, Any] = {p.name: p for p in (RandomRatings, HeldOutUsers, OwnItems, TemporalUsers, LeaveOneOut)}
"""The protocols by name."""


def _number(scalar: Any) -> Any:
    """A number of numpy as one that JSON knows."""
    return scalar.item()


def _warn_without_times(interactions: Interactions) -> None:
    """Says what "last" means then: of a file in the order of time it is right, of any other not."""
    if interactions.times is None:
        warnings.warn(
            "the interactions have no times, so the order of the file is taken for theirs: name its column of times "
            "(`time`) if it has one",
            stacklevel=3,
        )


def _users_apart(
    likes: Interactions,
    protocol: HeldOutUsers | TemporalUsers,
    held_out: int,
    seed: int,
    targets: Callable[[Interactions], BoolArray],
) -> Split:
    """Splits users at random and asks held-out ones for what `targets` chooses."""
    n_train = likes.n_users - 2 * held_out
    if n_train < 1:
        few = likes.n_users < 3  # which no `held_out` divides into three parts
        advice = f"`min_items` ({protocol.min_items}) or `min_value` ({protocol.min_value:g})" if few else "`held_out`"
        if few and isinstance(protocol, TemporalUsers) and protocol.max_items is not None:
            advice += f", or raise `max_items` ({protocol.max_items})"
        raise DataError(
            f"{protocol.name}: {likes.n_users:,} users are too few to hold out {held_out:,} for validation and "
            f"{held_out:,} for test: lower {advice}"
        )
    order = np.random.RandomState(seed).permutation(likes.n_users)
    train = _known_items(likes.take_users(np.sort(order[:n_train])))
    parts = []
    for rows in (order[n_train : n_train + held_out], order[n_train + held_out :]):
        table = likes.take_users(np.sort(rows)).with_catalogue(train.item_ids)
        chosen = targets(table)
        inputs, asked = (table.select(part, compact=False) for part in (~chosen, chosen))
        parts.append(HeldOut(inputs, asked, np.full(held_out, -1)))
    return Split(train, parts[0], parts[1], protocol)


def _likes(interactions: Interactions, min_value: float) -> Interactions:
    """The interactions of at least `min_value` with every value 1; all of them where that holds already."""
    if interactions.is_binary:
        return interactions
    likes = interactions.at_least(min_value)
    if not len(likes):
        raise DataError(
            f"no value is {min_value:g} or more, the highest is {interactions.values.max():g}: lower `min_value`"
        )
    return likes.likes()


def _known_items(train: Interactions) -> Interactions:
    """The table without the columns that it says nothing about."""
    return train.with_catalogue(train.item_ids[train.item_counts > 0])


def _places(table: Interactions) -> IntArray:
    """Each interaction's place in its row, from 0."""
    return np.arange(len(table)) - table.indptr[table.users]


def _size(table: Interactions) -> str:
    return f"{table.n_users:,} users × {table.n_items:,} items, {len(table):,} interactions"


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"`{name}` must be a share between 0 and 1, not {share}")


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once it is written whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
