"""Interactions, the readers that make them, and the splits that cut them."""

from kerasrec.data.errors import DataError
from kerasrec.data.generated import generate
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers import read
from kerasrec.data.side import multi_hot, side_information
from kerasrec.data.splits import (
    PROTOCOLS,
    HeldOut,
    HeldOutUsers,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    Split,
    TemporalUsers,
)

__all__ = [
    "PROTOCOLS",
    "DataError",
    "HeldOut",
    "HeldOutUsers",
    "Interactions",
    "LeaveOneOut",
    "OwnItems",
    "RandomRatings",
    "Split",
    "TemporalUsers",
    "generate",
    "multi_hot",
    "read",
    "side_information",
]
