"""Orders of the rows in a pass over a table."""

from __future__ import annotations

import numpy as np

from kerasrec.data.csr import row_blocks
from kerasrec.types import IntArray

SHARD_ENTRIES = 1 << 20
"""Interactions of a shard: 4 MB of items, which a disk reads without a seek."""

WINDOW = 16
"""Shards whose rows are shuffled together."""


def random_order(rng: np.random.Generator, counts: IntArray, batch_size: int, by_length: bool) -> IntArray:
    """Returns a random order `(n_rows,)` of all rows.

    Args:
        rng: the generator.
        counts: `(n_rows,)` number of entries of each row.
        batch_size: number of rows in a batch.
        by_length: whether rows of similar lengths share a batch.
    """
    n = len(counts)
    if not by_length:
        return rng.permutation(n)
    # The noise varies which rows share a batch.
    order = np.argsort(counts * rng.uniform(1.0, 1.25, n))
    n_in_full_batches = n - n % batch_size
    full_batches = order[:n_in_full_batches].reshape(-1, batch_size)
    return np.concatenate([rng.permutation(full_batches).ravel(), order[n_in_full_batches:]])


def order_by_shards(rng: np.random.Generator, indptr: IntArray, batch_size: int, by_length: bool) -> IntArray:
    """Returns an order `(n_rows,)` that reads a table in long runs: shards in random order, rows within a window.

    A shard consists of consecutive rows. `WINDOW` shards at a time, in random order, have their rows shuffled.

    Args:
        rng: the generator.
        indptr: `(n_rows + 1,)` boundaries of the rows.
        batch_size: number of rows in a batch.
        by_length: whether rows of similar lengths share a batch.

    Example:
        >>> import numpy as np
        >>> from kerasrec.data import row_order
        >>> indptr = np.arange(0, 100 * 2**20 + 1, 2**18)  # 100 shards of 4 rows
        >>> order = row_order.order_by_shards(np.random.default_rng(1), indptr, 10, by_length=False)
        >>> len(order), len(set((order[:64] // 4).tolist()))
        (400, 16)
    """
    shards = list(row_blocks(indptr, SHARD_ENTRIES))
    shard_order = rng.permutation(len(shards))
    windows = []
    for start in range(0, len(shards), WINDOW):
        rows = np.concatenate([np.arange(*shards[shard]) for shard in shard_order[start : start + WINDOW]])
        windows.append(rows[random_order(rng, np.diff(indptr)[rows], batch_size, by_length)])
    return np.concatenate([np.empty(0, np.int64), *windows])
