"""Names of types that many annotations use."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Tensor: TypeAlias = Any
"""A tensor of the active backend, or anything that `keras.ops` converts to one."""

Batch: TypeAlias = Mapping[str, Tensor]
"""`{"ids": (batch, length), "values": (batch, length), "row": (batch,)}`; see `kerasrec.data.batches`."""

BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.integer[Any]]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
Array: TypeAlias = NDArray[Any]


class RecommenderLike(Protocol):
    """What `kerasrec.inference` needs from a model; `kerasrec.models.Recommender` documents each member."""

    feedback: str
    rows: str
    ordered: bool
    linear: bool
    n_columns: int
    value_range: tuple[float, float] | None
    default_batch_size: int
    predictor_cache: Any
    item_popularity: Any

    @property
    def serving_inputs(self) -> tuple[str, ...]: ...
    @property
    def n_known_rows(self) -> int | None: ...
    def __call__(self, inputs: Any, training: bool = False) -> Tensor: ...
    def batches(self, data: Any, batch_size: int | None = None) -> Any: ...
    def with_sparse_rows(self, data: Any) -> Any: ...
    def mask_seen(self, scores: Tensor, inputs: Any) -> Tensor: ...
    def is_unknown(self, inputs: Any) -> Tensor: ...
    def as_user_model(self, train: Any) -> Any: ...
    def check_fitted(self) -> None: ...
    def warn_if_trained_on(self, held_out: Any) -> None: ...
    def metrics_for(self, metrics: Any) -> list[Any]: ...


@runtime_checkable
class PlansRuns(Protocol):
    """A model whose schedules belong to a run, as every `kerasrec.models.Recommender`."""

    def run_plan(self) -> dict[str, Any]:
        """The current run, as JSON values."""

    def continue_run(self, planned_steps: int | None, run_start: int) -> None:
        """Restores the schedules of the run that `run_plan` described."""
