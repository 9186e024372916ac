"""Batches as one sparse matrix, for models that are solved from all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp

from kerasrec.models.fit_arguments import as_scipy, check_arrays


def matrix_of_batches(batches: Any, n_columns: int, use_values: bool) -> sp.csr_array:
    """The likes or the ratings of batches, dense or of padded ids, as one sparse matrix.

    Args:
        batches: one batch, or anything that yields batches.
        n_columns: size of the catalogue.
        use_values: whether the elements are the values; otherwise each observed entry is 1.

    Returns:
        float32 `(n_rows, n_columns)`.

    Raises:
        TypeError: `batches` are not batches.
        ValueError: a batch has another width than the catalogue, NaN, or columns outside of the catalogue.
    """
    if isinstance(batches, (np.ndarray, Mapping)) or keras.ops.is_tensor(batches):
        batches = [batches]
    if isinstance(batches, keras.utils.PyDataset):
        dataset = batches
        batches = (dataset[i] for i in range(len(dataset)))
    if not isinstance(batches, Iterable):
        raise TypeError(f"`x`: expected Interactions, a matrix or batches, got {type(batches).__name__}")
    parts = (batch[0] if isinstance(batch, tuple) else batch for batch in batches)
    matrices = [_sparse_batch(as_scipy(part), n_columns, use_values) for part in parts]
    if not matrices:
        raise ValueError("`x`: expected at least one batch, got none")
    return sp.vstack(matrices, format="csr")


def _sparse_batch(rows: Any, n_columns: int, use_values: bool) -> sp.csr_array:
    if not isinstance(rows, Mapping):
        dense = rows.toarray() if sp.issparse(rows) else np.asarray(rows)
        check_arrays(dense, n_columns)
        return sp.csr_array((dense if use_values else dense != 0).astype(np.float32))
    check_arrays(rows, n_columns)
    if "ids" not in rows:
        raise ValueError(f"`x`: expected a batch with `ids`, got {', '.join(map(str, rows)) or 'an empty one'}")
    ids = np.asarray(rows["ids"])
    observed = ids >= 0
    indptr = np.concatenate([[0], np.cumsum(observed.sum(1))])
    is_rated = use_values and "values" in rows
    values = np.asarray(rows["values"])[observed] if is_rated else np.ones(indptr[-1], np.float32)
    return sp.csr_array((values, ids[observed], indptr), shape=(len(ids), n_columns))
