"""Splits in a folder: `split.npz` with the data, and `split.json` with the protocol and the sizes."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.packed import PackedInteractions
from kerasrec.data.packed_folder import reference, referenced
from kerasrec.data.protocols import PROTOCOLS
from kerasrec.data.splits import HeldOut, Split, SplitProtocol
from kerasrec.files import atomic_file

TABLE_FIELDS = ("indptr", "items", "values", "times", "user_ids")
"""Attributes that are stored for each table."""

CATALOGUE_FIELDS = ("item_ids", "item_titles")
"""Attributes that all tables of a split share."""


@dataclass(frozen=True)
class UnknownProtocol:
    """The protocol of a saved split that is not in `PROTOCOLS`: its name and settings.

    Attributes:
        name: name of the protocol.
        settings: its settings, including the seed.
    """

    name: str
    settings: dict[str, Any]

    def split(self, interactions: Interactions) -> Split:
        """Raises `ValueError`: the rule of the protocol is unknown."""
        raise ValueError(
            f"expected one of the protocols {', '.join(PROTOCOLS)}, got {self.name!r}. "
            "Fix: create the split with the code that defines this protocol"
        )

    def training_rows(self, interactions: Interactions) -> Interactions:
        """Raises `ValueError`: the rule of the protocol is unknown."""
        self.split(interactions)
        return interactions


def save_split(split: Split, folder: str | Path) -> None:
    """Writes a split. A table that several parts share is stored once.

    A table that reads from a packed folder is stored as the place of the folder and the numbers of its rows.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": split.train}
    for name, inputs, targets in split.held_out():
        parts |= {f"{name}.inputs": inputs, f"{name}.targets": targets}
    tables = list({id(table): table for table in parts.values()}.values())
    numbers = {part: next(n for n, other in enumerate(tables) if other is table) for part, table in parts.items()}
    held_out = {"validation": split.validation, "test": split.test}
    arrays: dict[str, Any] = {f"{name}.rows": part.rows for name, part in held_out.items()}
    arrays |= {f"{name}.candidates": part.candidates for name, part in held_out.items()}
    arrays |= {field: getattr(split.train, field) for field in CATALOGUE_FIELDS}
    packed = {}
    for number, table in enumerate(tables):
        if isinstance(table, PackedInteractions):
            packed[number] = reference(table)
            stored = {"rows": table.selection.rows, "columns": table.selection.columns, "counts": table.counts}
        else:
            stored = {field: getattr(table, field) for field in TABLE_FIELDS}
        arrays |= {f"{number}.{field}": array for field, array in stored.items()}
    protocol = {"name": split.protocol.name, **dataclasses.asdict(split.protocol)}
    about = {"protocol": protocol, "tables": numbers, "column_names": split.train.column_names, "packed": packed}
    arrays["about"] = np.array(json.dumps(about, default=_python_number))
    with atomic_file(folder / "split.npz") as file:
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    with atomic_file(folder / "split.json", "w") as text:
        json.dump({"protocol": protocol, "sizes": split.sizes}, text, default=_python_number, indent=2)


def load_split(folder: str | Path) -> Split:
    """Reads a split.

    Raises:
        DataError: The folder contains no split, or a damaged one; or a packed folder that it refers to is missing,
            damaged, or has other content.
    """
    path = Path(folder) / "split.npz"
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            arrays = dict(file)
        about = json.loads(str(arrays["about"]))
    except FileNotFoundError:
        raise DataError(f"{folder}: expected a split, got no split.npz. Fix: write one with `Split.save`") from None
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected a split, got a damaged file ({error}). Fix: split the data again") from None
    catalogue: dict[str, Any] = {field: arrays.get(field) for field in CATALOGUE_FIELDS}
    tables: dict[int, Interactions] = {}
    packed = {int(number): place for number, place in about.get("packed", {}).items()}
    for number in set(about["tables"].values()):
        if number in packed:
            rows, columns, counts = (arrays.get(f"{number}.{field}") for field in ("rows", "columns", "counts"))
            tables[number] = referenced(packed[number], rows, columns, counts, arrays["item_ids"])
            continue
        fields: dict[str, Any] = {field: arrays.get(f"{number}.{field}") for field in TABLE_FIELDS}
        tables[number] = Interactions(**fields, **catalogue, column_names=about.get("column_names"))
    parts = {part: tables[number] for part, number in about["tables"].items()}
    train = parts["train"]
    nobody = train.take_users([])
    validation, test = (
        HeldOut(
            parts.get(f"{name}.inputs", nobody),
            parts.get(f"{name}.targets"),
            arrays.get(f"{name}.rows"),
            arrays.get(f"{name}.candidates"),
        )
        for name in ("validation", "test")
    )
    return Split(train, validation, test, _protocol(**about["protocol"]))


def _protocol(name: str, **settings: Any) -> SplitProtocol:
    """Returns the protocol with these settings."""
    if name in PROTOCOLS:
        return PROTOCOLS[name](**settings)
    return UnknownProtocol(name, settings.get("settings", settings))


def _python_number(scalar: Any) -> Any:
    """Converts a number of numpy for JSON."""
    return scalar.item()
