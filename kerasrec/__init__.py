"""A Keras 3 model zoo of autoencoder recommenders: from a file of interactions to a live endpoint."""

from typing import TYPE_CHECKING, Any

from kerasrec import callbacks, layers, losses, metrics, optimizers
from kerasrec.data import (
    PROTOCOLS,
    DataError,
    HeldOut,
    HeldOutUsers,
    Interactions,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    Split,
    TemporalUsers,
    generate,
    read,
)
from kerasrec.data.batches import batches
from kerasrec.inference.comparison import Comparison, Evaluation, compare, evaluate
from kerasrec.models import (
    CDAE,
    CFN,
    EASE,
    EASESGD,
    EDLAE,
    ELSA,
    SVAE,
    ZOO,
    AutoRec,
    DeepRec,
    MultDAE,
    MultVAE,
    Popularity,
    Recommendations,
    Recommender,
    RecVAE,
)

if TYPE_CHECKING:
    from kerasrec.saved_model import export_saved_model

__version__ = "0.1.0"

__all__ = [
    "CDAE",
    "CFN",
    "EASE",
    "EASESGD",
    "EDLAE",
    "ELSA",
    "PROTOCOLS",
    "SVAE",
    "ZOO",
    "AutoRec",
    "Comparison",
    "DataError",
    "DeepRec",
    "Evaluation",
    "HeldOut",
    "HeldOutUsers",
    "Interactions",
    "LeaveOneOut",
    "MultDAE",
    "MultVAE",
    "OwnItems",
    "Popularity",
    "RandomRatings",
    "RecVAE",
    "Recommendations",
    "Recommender",
    "Split",
    "TemporalUsers",
    "batches",
    "callbacks",
    "compare",
    "evaluate",
    "export_saved_model",
    "generate",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "read",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: it needs TensorFlow, which a machine that trains on JAX may not have.
    if name == "export_saved_model":
        from kerasrec.saved_model import export_saved_model

        return export_saved_model
    raise AttributeError(f"module 'kerasrec' has no attribute {name!r}")
