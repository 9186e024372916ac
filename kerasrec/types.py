"""Names of types that many annotations use."""

from collections.abc import Mapping
from typing import Any, TypeAlias

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
