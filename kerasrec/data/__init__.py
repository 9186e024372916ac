"""Data: tables of interactions, readers of files, splits by the published protocols, and batches."""

from kerasrec.data.errors import DataError
from kerasrec.data.generated import generate
from kerasrec.data.interactions import Interactions
from kerasrec.data.item_profiles import item_profiles
from kerasrec.data.packed_folder import pack
from kerasrec.data.protocols import (
    PROTOCOLS,
    ColdItems,
    GlobalTime,
    HeldOutUsers,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    TemporalUsers,
)
from kerasrec.data.readers import read
from kerasrec.data.side import multi_hot, side_information
from kerasrec.data.splits import HeldOut, Split

__all__ = [
    "PROTOCOLS",
    "ColdItems",
    "DataError",
    "GlobalTime",
    "HeldOut",
    "HeldOutUsers",
    "Interactions",
    "LeaveOneOut",
    "OwnItems",
    "RandomRatings",
    "Split",
    "TemporalUsers",
    "generate",
    "item_profiles",
    "multi_hot",
    "pack",
    "read",
    "side_information",
]
