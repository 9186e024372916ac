"""Batches for `keras.distribution`: rows that divide evenly among devices, and processes that agree on shapes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec.data.batches import Batches
from kerasrec.data.padding import padded_length


def rows_multiple() -> int:
    """The number that the rows of a batch must be a multiple of under the current `keras.distribution`; 1 without."""
    distribution = keras.distribution.distribution()
    if distribution is None or keras.backend.backend() != "jax":
        return 1
    import jax

    mesh = distribution.device_mesh
    n_devices = mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
    return max(1, int(n_devices) // jax.process_count())


class EvenBatches(keras.utils.PyDataset):
    """Batches with empty rows at the end of each, up to a multiple of the number of devices.

    Args:
        batches: the batches of this process.
        multiple: rows per batch are a multiple of it.
        weighted: whether the batches have sample weights: 0 for empty rows, and a number for the others with which
            the mean over all rows is the mean over the others.

    Raises:
        ValueError: the processes have different numbers of batches.
    """

    def __init__(self, batches: Batches, multiple: int, weighted: bool) -> None:
        super().__init__()
        self.batches = batches
        self.multiple = multiple
        self.weighted = weighted
        self.lengths = self._common_lengths()

    def _common_lengths(self) -> list[int] | None:
        """The length of the id lists that all processes use, for inputs and targets; None with one process."""
        import jax

        if jax.process_count() == 1:
            return None
        from jax.experimental.multihost_utils import process_allgather

        tables = [self.batches.inputs, *([] if self.batches.targets is None else [self.batches.targets])]
        sizes = [len(self.batches), *(int(table.counts.max(initial=0)) for table in tables)]
        all_sizes = np.asarray(process_allgather(np.array(sizes)))
        if (all_sizes[:, 0] != len(self.batches)).any():
            raise ValueError(
                f"expected the same number of batches in each process, got {', '.join(map(str, all_sizes[:, 0]))}. "
                "Fix: give each process the same number of rows"
            )
        return [padded_length(int(longest)) for longest in all_sizes[:, 1:].max(axis=0)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        x, *y = self.batches[index]
        n_rows = len(x["row"])
        n_missing = -n_rows % self.multiple
        lengths = self.lengths or [0] * (1 + len(y))
        x, *y = (self._padded(rows, n_missing, length) for rows, length in zip((x, *y), lengths, strict=True))
        if not self.weighted:
            return (x, *y)
        weight = np.append(np.full(n_rows, (n_rows + n_missing) / n_rows), np.zeros(n_missing)).astype(np.float32)
        return (x, y[0] if y else None, weight)

    def _padded(self, rows: dict[str, Any], n_missing: int, length: int) -> dict[str, Any]:
        padded = {}
        for name, values in rows.items():
            n_columns = max(0, length - values.shape[1]) if len(values.shape) == 2 else 0
            width = [[0, n_missing], [0, n_columns]][: len(values.shape)]
            pad = np.pad if isinstance(values, np.ndarray) else ops.pad
            padded[name] = pad(values, width, constant_values=0 if name == "values" else -1)
        return padded

    def on_epoch_end(self) -> None:
        """Starts the next epoch. Keras calls it."""
        self.batches.on_epoch_end()
