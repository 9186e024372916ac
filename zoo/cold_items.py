"""Features of the items of the recipes that rank items without interactions."""

from __future__ import annotations

import json

import numpy as np

import kerasrec
from kerasrec.data import multi_hot, side_information
from kerasrec.data.readers.source import find_path
from kerasrec.types import FloatArray


def genres(train: kerasrec.Interactions, smoke: bool) -> FloatArray:
    """The 18 genres of MovieLens 1M, or the tastes of generated items."""
    return np.eye(10, dtype=np.float32)[train.item_ids % 10] if smoke else side_information("ml-1m", train)[0]


def attributes(train: kerasrec.Interactions, smoke: bool) -> FloatArray:
    """The 637 categories and brands of Amazon Beauty, or the tastes of generated items."""
    if smoke:
        return genres(train, smoke)
    path = find_path("amazon-beauty/Beauty_item2attributes.json")
    tokens = json.loads(path.read_text(encoding="utf-8"))
    return multi_hot(train.item_ids, {int(i): [str(token) for token in of_item] for i, of_item in tokens.items()})[0]
