"""Rows of a table from a matrix, as scipy and libraries for recommenders use it."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kerasrec.data.arrays import as_finite, check_parallel
from kerasrec.data.ids import factorize
from kerasrec.data.row_counts import RowCounts
from kerasrec.types import Array, IntArray


def rows_of_matrix(matrix: Any, user_ids: Any, item_ids: Any) -> dict[str, Any]:
    """Converts a users × items matrix to the arguments of the constructor of `Interactions`.

    Args:
        matrix: `(n_users, n_items)` matrix or array of scipy.sparse in any format, or a numpy array.
        user_ids: `(n_users,)` distinct ids of the rows, or `None` for numbers from 0.
        item_ids: `(n_items,)` distinct ids of the columns, or `None` for numbers from 0.

    Raises:
        ValueError: `matrix` has not two dimensions or has an element that is not finite; or ids are
            not parallel to it, repeated, or invalid.
    """
    if len(np.shape(matrix)) != 2:
        raise ValueError(
            f"expected a matrix (n_users, n_items), got the shape {np.shape(matrix)}. Fix: pass users × items"
        )
    rows = sp.csr_array(matrix, copy=True)
    rows.sum_duplicates()
    n_stored = rows.nnz
    rows.eliminate_zeros()
    users, row_rank = _distinct_ids(user_ids, rows.shape[0], "user_ids")
    items, column_rank = _distinct_ids(item_ids, rows.shape[1], "item_ids")
    if user_ids is not None:
        rows = rows[np.argsort(row_rank)]
    return {
        "indptr": rows.indptr,
        "items": column_rank[rows.indices],
        "values": as_finite(rows.data, "matrix", np.float32),
        "times": None,
        "user_ids": users,
        "item_ids": items,
        "row_counts": RowCounts(rows.nnz, dropped={"zero": n_stored - rows.nnz}),
    }


def _distinct_ids(ids: Any, n: int, name: str) -> tuple[Array, IntArray]:
    """Returns the ids in ascending order, and the position of each original id in them."""
    if ids is None:
        return np.arange(n), np.arange(n)
    check_parallel("matrix", range(n), **{name: ids})
    distinct, rank = factorize(ids, name)
    if len(distinct) < n:
        repeated = distinct[np.bincount(rank) > 1][0].item()
        raise ValueError(f"expected distinct `{name}`, got {repeated!r} repeatedly. Fix: pass one id for each")
    return distinct, rank
