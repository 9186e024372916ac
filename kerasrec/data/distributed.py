"""Batches for `keras.distribution`: rows that divide evenly among devices, and processes that agree on shapes."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasrec.data.batches import Batches
from kerasrec.data.catalogue import ids_digest
from kerasrec.data.padding import padded_length

KERAS_NEEDED = (3, 15)
"""The oldest version of Keras whose `keras.distribution` works here."""


class BatchShare(NamedTuple):
    """The part of each batch that the devices of this process compute under the current `keras.distribution`.

    Attributes:
        part: number of the part, from 0.
        n_parts: number of parts.
        multiple: the number of local devices that divide the part.
    """

    part: int
    n_parts: int
    multiple: int


def batch_share() -> BatchShare:
    """The share of this process; the whole batch without a distribution."""
    distribution = keras.distribution.distribution()
    if distribution is None or keras.backend.backend() != "jax":
        return BatchShare(0, 1, 1)
    import jax

    mesh = distribution.device_mesh
    n_devices = int(mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)])
    # Processes with the same rows divide the catalogue.
    n_parts = min(n_devices, jax.process_count())
    part = jax.process_index() * n_parts // jax.process_count()
    return BatchShare(part, n_parts, max(1, n_devices // jax.process_count()))


def rows_multiple() -> int:
    """The number that the rows of a batch must be a multiple of under the current `keras.distribution`; 1 without."""
    return batch_share().multiple


def keras_version() -> tuple[int, ...]:
    """The first two numbers of the version of Keras."""
    return tuple(map(int, keras.__version__.split(".")[:2]))


def even_batches(batches: Batches, weighted: bool) -> EvenBatches:
    """The batches of this process under the current `keras.distribution`; arguments as in `EvenBatches`.

    Raises:
        RuntimeError: Keras is too old: it cannot distribute batches without targets.
    """
    if keras_version() < KERAS_NEEDED:
        needed = ".".join(map(str, KERAS_NEEDED))
        raise RuntimeError(
            f"expected Keras {needed} or newer for `keras.distribution`, got {keras.__version__}. "
            "Fix: pip install --upgrade keras"
        )
    return EvenBatches(batches, batch_share(), weighted)


class EvenBatches(keras.utils.PyDataset):
    """Batches with empty rows at the end of each, up to a multiple of the number of devices.

    If all processes have the same users, each reads its share of the rows of every batch. So the batches, and what the
    model learns, do not depend on the number of processes. If they have different users, a batch has the rows of all.

    Args:
        batches: the batches of this process.
        share: the part of each batch that this process computes.
        weighted: whether the batches have sample weights: 0 for empty rows, and a number for the others with which
            the mean over all rows is the mean over the others.

    Raises:
        ValueError: the processes have different users, and different numbers of batches.
    """

    def __init__(self, batches: Batches, share: BatchShare, weighted: bool) -> None:
        super().__init__()
        self.batches = batches
        self.share = share
        self.lengths: list[int] | None = None
        self.is_shared = False
        self._compare_processes()
        self.weighted = weighted and (share.multiple > 1 or self.is_shared)

    def _compare_processes(self) -> None:
        """Computes the length of the id lists that all processes use, and whether they have the same users."""
        import jax

        if jax.process_count() == 1:
            return
        from jax.experimental.multihost_utils import process_allgather

        tables = [self.batches.inputs, *([] if self.batches.targets is None else [self.batches.targets])]
        users = int(ids_digest(self.batches.inputs.user_ids)[:7], 16)
        sizes = [len(self.batches), users, *(int(table.counts.max(initial=0)) for table in tables)]
        all_sizes = np.asarray(process_allgather(np.array(sizes)))
        if (all_sizes[:, 0] != len(self.batches)).any():
            raise ValueError(
                f"expected the same number of batches in each process, got {', '.join(map(str, all_sizes[:, 0]))}. "
                "Fix: give each process the whole table, or the same number of rows"
            )
        self.is_shared = self.share.n_parts > 1 and bool((all_sizes[:, 1] == users).all())
        self.lengths = [padded_length(int(longest)) for longest in all_sizes[:, 2:].max(axis=0)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        rows = self.batches.rows_of(index)
        n_parts = self.share.n_parts if self.is_shared else 1
        n_rows, size = len(rows), len(rows) + -len(rows) % (n_parts * self.share.multiple)
        if self.is_shared:
            n_local = size // n_parts
            rows = rows[self.share.part * n_local :][:n_local]
        n_missing = size // n_parts - len(rows)
        x, *y = self.batches.batch(rows)
        lengths = self.lengths or [0] * (1 + len(y))
        x, *y = (self._padded(part, n_missing, length) for part, length in zip((x, *y), lengths, strict=True))
        if not self.weighted:
            return (x, *y)
        weight = np.append(np.full(len(rows), size / n_rows), np.zeros(n_missing)).astype(np.float32)
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
