"""A sparse approximation of (XᵀX + λ I)⁻¹, whose time and memory grow with the number of items, not with its square.

The inverse of a positive definite matrix A is Wᵀ D W with a lower triangular W, whose diagonal is 1, and a diagonal D.
With the items in any order, row i of W follows from A restricted to item i and the items before it: it is the last
column of the inverse of that part, divided by its last number, which is D_i. The approximation restricts it further, to
item i and the items S_i before it that are most often liked together with it:

    y = (A_SS)⁻¹ e_i,   D_i = y_i,   W_iS = y / y_i

This is the factorised sparse approximate inverse of Kolotilina and Yeremin (1993). It is exact if S_i has all items
before i. The items are ordered by popularity, so that each depends on more popular ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec.ops.inverse import for_each_block, gram_diagonal
from kerasrec.types import FloatArray, IntArray

MAX_PAIRS = 2 * 10**8
"""Most pairs of items whose common users are stored, 1.6 GB. Rarer pairs count as pairs without a common user."""

PRODUCTS_PER_BLOCK = 2 * 10**7
"""Multiplications of a block of a product of sparse matrices, which bound its memory."""

CELLS_PER_BLOCK = 2**24
"""Cells of all matrices of a block of items. SciPy checks the order of all pairs once for each block."""


class SparseWeights(NamedTuple):
    """The largest weights of each row of a matrix.

    Attributes:
        columns: int32 `(n_rows, n)`; 0 in places without a weight.
        values: float32 `(n_rows, n)`; 0 in places without a weight.
    """

    columns: IntArray
    values: FloatArray


def sparse_item_weights(
    rows: sp.csr_array, reg: float, n_factor: int, n_weights: int, progress: tqdm, max_pairs: int = MAX_PAIRS
) -> SparseWeights:
    """The largest weights of each row of B = I - P · diag(1 / diag P) for an approximation P of (XᵀX + λ I)⁻¹.

    Args:
        rows: X, float32 `(n_users, n_items)`, the likes.
        reg: λ, above 0.
        n_factor: entries of a row of the factor W, including that of the item itself.
        n_weights: entries of a row of B.
        progress: a bar of 100 steps.
        max_pairs: most pairs of items whose common users are stored.
    """
    counts = gram_diagonal(rows)
    order = np.argsort(-counts, kind="stable")
    by_item = rows.T.tocsr()[order]
    pairs = common_users(by_item, max_pairs, progress, share=35)
    neighbours = largest_of_rows(pairs, min(n_factor, len(order)) - 1, 1 / np.sqrt(counts[order] + reg))[0]
    columns, values, scale = factor_rows(pairs, neighbours, counts[order] + np.float32(reg), progress, share=35)
    del pairs
    factor = _from_rows(columns, values, len(order))
    scaled = factor.copy()
    scaled.data = factor.data * np.repeat(scale, np.diff(factor.indptr))
    diagonal = np.bincount(factor.indices, factor.data * scaled.data, minlength=len(order)).astype(np.float32)
    by_column = factor.T.tocsr()
    n = min(n_weights, len(order))
    weights = SparseWeights(np.zeros((len(order), n), np.int32), np.zeros((len(order), n), np.float32))
    done = 0
    for block in blocks_of(_costs(by_column, scaled)):
        product = (by_column[block] @ scaled).tocsr()
        product.data /= -diagonal[product.indices]
        product.data[product.indices == np.repeat(np.arange(block.start, block.stop), np.diff(product.indptr))] = 0.0
        kept, of_kept = largest_of_rows(product, n)
        weights.columns[order[block]] = np.where(kept < 0, 0, order[np.maximum(kept, 0)])
        weights.values[order[block]] = of_kept
        progress.update(30 * block.stop // len(order) - done)
        done = 30 * block.stop // len(order)
    return weights


def common_users(by_item: sp.csr_array, max_pairs: int, progress: tqdm, share: int) -> sp.csr_array:
    """How many users like both items of a pair: the part of XᵀX below its diagonal.

    Args:
        by_item: Xᵀ, `(n_items, n_users)`.
        max_pairs: most pairs in the result. If there are more, those with the fewest users are left out.
        progress: a progress bar.
        share: steps of the bar.
    """
    by_user = by_item.T.tocsr()
    parts: list[sp.csr_array] = []
    fewest, done, n_items = 1.0, 0, by_item.shape[0]
    for block in blocks_of(_costs(by_item, by_user)):
        product = (by_item[block] @ by_user).tocsr()
        own = np.repeat(np.arange(block.start, block.stop), np.diff(product.indptr))
        product.data[product.indices >= own] = 0.0
        parts.append(_at_least(product, fewest))
        while sum(part.nnz for part in parts) > max_pairs:
            fewest += 1.0
            parts = [_at_least(part, fewest) for part in parts]
        progress.update(share * block.stop // n_items - done)
        done = share * block.stop // n_items
    pairs = sp.vstack(parts, format="csr")
    pairs.sort_indices()
    return pairs


def factor_rows(
    pairs: sp.csr_array, neighbours: IntArray, diagonal: FloatArray, progress: tqdm, share: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """The rows of W and the diagonal of D.

    Args:
        pairs: A below its diagonal.
        neighbours: int32 `(n_items, n)`, the columns S_i before each item, -1 for none.
        diagonal: the diagonal of A.
        progress: a progress bar.
        share: steps of the bar.

    Returns:
        The columns `(n_items, n + 1)`, -1 for none, and values of W; D `(n_items,)`.
    """
    n_items, n = len(neighbours), neighbours.shape[1] + 1
    columns = np.concatenate([neighbours, np.arange(n_items, dtype=np.int32)[:, None]], axis=1)
    values, scale = np.zeros((n_items, n), np.float32), np.zeros(n_items, np.float32)
    lookup = sp.csr_matrix(pairs)  # whose elements at given places are a dense array
    first, second = np.triu_indices(n, 1)

    def solve(block: slice) -> None:
        items = columns[block]
        one, other = items[:, first], items[:, second]
        is_pair = (one >= 0) & (other >= 0)
        found = lookup[np.maximum(one, other)[is_pair], np.minimum(one, other)[is_pair]]
        matrices = np.zeros((len(items), n, n), np.float32)
        entries = np.zeros(is_pair.shape, np.float32)
        entries[is_pair] = np.asarray(found).ravel()
        matrices[:, first, second] = matrices[:, second, first] = entries
        matrices[:, np.arange(n), np.arange(n)] = np.where(items >= 0, diagonal[np.maximum(items, 0)], 1.0)
        unit = np.zeros((len(items), n, 1), np.float32)
        unit[:, -1] = 1.0
        solution = np.linalg.solve(matrices, unit)[:, :, 0]
        # Pairs that were left out can make a matrix indefinite. The item then depends on no other.
        is_definite = solution[:, -1] > 0
        solution[~is_definite] = 0.0
        solution[~is_definite, -1] = 1.0 / diagonal[block][~is_definite]
        scale[block] = solution[:, -1]
        values[block] = np.where(items >= 0, solution / solution[:, -1:], 0.0)

    for_each_block(solve, n_items, progress, share, max(64, min(CELLS_PER_BLOCK // n**2, n_items // 8)))
    return columns, values, scale


def largest_of_rows(matrix: sp.csr_array, n: int, scale: FloatArray | None = None) -> tuple[IntArray, FloatArray]:
    """The n entries of each row of a sparse matrix with the largest magnitude.

    Args:
        matrix: float32 `(n_rows, n_columns)`.
        n: number of entries.
        scale: `(n_columns,)`, by which magnitudes are multiplied to compare them.

    Returns:
        Columns int32, -1 where a row has fewer entries, and values float32, `(n_rows, n)` each.
    """
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    magnitudes = np.abs(data) if scale is None else np.abs(data) * scale[indices]
    columns = np.full((matrix.shape[0], n), -1, np.int32)
    values = np.zeros((matrix.shape[0], n), np.float32)
    counts = np.diff(indptr)
    is_short = np.repeat(counts <= n, counts)
    row = np.repeat(np.arange(len(counts)), counts)[is_short]
    place = (np.arange(len(data)) - np.repeat(indptr[:-1], counts))[is_short]
    columns[row, place], values[row, place] = indices[is_short], data[is_short]
    if n:
        for long_row in np.flatnonzero(counts > n):
            start, end = indptr[long_row], indptr[long_row + 1]
            best = start + np.argpartition(magnitudes[start:end], -n)[-n:]
            columns[long_row], values[long_row] = indices[best], data[best]
    return columns, values


def blocks_of(costs: FloatArray) -> Iterator[slice]:
    """Slices of consecutive rows, each of about `PRODUCTS_PER_BLOCK` multiplications or of one row."""
    number = np.cumsum(costs, dtype=np.float64) // PRODUCTS_PER_BLOCK
    starts = np.append(np.flatnonzero(np.append(True, number[1:] != number[:-1])), len(costs))
    return (slice(int(start), int(stop)) for start, stop in zip(starts[:-1], starts[1:], strict=True))


def _costs(left: sp.csr_array, right: sp.csr_array) -> FloatArray:
    """The multiplications of each row of left @ right."""
    lengths = np.diff(right.indptr).astype(np.float64)
    ends = np.append(0.0, np.cumsum(lengths[left.indices]))
    return ends[left.indptr[1:]] - ends[left.indptr[:-1]]


def _at_least(matrix: sp.csr_array, smallest: float) -> sp.csr_array:
    matrix.data[matrix.data < smallest] = 0.0
    matrix.eliminate_zeros()
    return matrix


def _from_rows(columns: IntArray, values: FloatArray, n_columns: int) -> sp.csr_array:
    """A sparse matrix of the entries of each row; column -1 is none."""
    is_entry = columns >= 0
    indptr = np.append(0, np.cumsum(is_entry.sum(axis=1)))
    return sp.csr_array((values[is_entry], columns[is_entry], indptr), shape=(len(columns), n_columns))
