"""A Keras 3 model zoo of autoencoder recommenders: from a file of interactions to a live endpoint."""

from typing import TYPE_CHECKING, Any

from kerasrec import (
    _backend as _backend,  # the first import: it checks the backend
    callbacks as callbacks,
    layers as layers,
    losses as losses,
    metrics as metrics,
    optimizers as optimizers,
)
from kerasrec.data import (
    PROTOCOLS as PROTOCOLS,
    ColdItems as ColdItems,
    DataError as DataError,
    GlobalTime as GlobalTime,
    HeldOut as HeldOut,
    HeldOutUsers as HeldOutUsers,
    Interactions as Interactions,
    LeaveOneOut as LeaveOneOut,
    OwnItems as OwnItems,
    RandomRatings as RandomRatings,
    Split as Split,
    TemporalUsers as TemporalUsers,
    generate as generate,
    read as read,
)
from kerasrec.data.batches import batches as batches
from kerasrec.inference import (
    Comparison as Comparison,
    ComparisonTable as ComparisonTable,
    Evaluation as Evaluation,
    Explanations as Explanations,
    Recommendations as Recommendations,
    compare as compare,
    compare_all as compare_all,
    evaluate as evaluate,
    recommend_batches as recommend_batches,
)
from kerasrec.models.zoo import *  # noqa: F403 - every model of the registry, and `ZOO`

if TYPE_CHECKING:
    from kerasrec.saved_model import export_saved_model as export_saved_model

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # Imported on first use, because it needs TensorFlow, which a machine that trains on JAX may not have.
    if name == "export_saved_model":
        from kerasrec.saved_model import export_saved_model

        return export_saved_model
    raise AttributeError(f"module 'kerasrec' has no attribute {name!r}")
