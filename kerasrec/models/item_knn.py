"""ItemKNN: the nearest neighbours of each item. https://doi.org/10.1145/963770.963776."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.models.entry_losses import EntryLosses
from kerasrec.models.item_weights import ItemWeights
from kerasrec.models.search_space import Range
from kerasrec.ops.inverse import aligned_matrix, for_each_block, gram_diagonal
from kerasrec.types import FloatArray, IntArray
from kerasrec.validation import as_int_at_least, check_at_least


@public
class ItemKNN(ItemWeights):
    """Item-based nearest neighbours: scores are sums of the similarities of a user's likes.

        s_ij = n_ij / (√(n_i n_j) + shrinkage),   s_ii = 0
        scores = x S,   S_ij = s_ij if s_ij is among the `n_neighbours` largest of column j, else 0

    n_i is the number of users who like item i, and n_ij the number of those who like both. With `shrinkage=0` s is the
    cosine similarity. Shrinkage lowers the similarity of items with few users in common. It is a baseline and the
    oldest baseline of the linear models.

    Needs likes and a history only. Memory: n_items² float32. Time: one sparse product XᵀX.

    Args:
        n_items: size of the catalogue.
        n_neighbours: k, the number of similar items from which the score of an item is computed (paper: 20).
        shrinkage: h, in users.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `n_neighbours` is below 1, or `shrinkage` is negative.
        MemoryError: in `fit`, the catalogue is too large for the memory of this machine.

    Example:
        >>> from kerasrec import ItemKNN, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = ItemKNN(table.n_items, n_neighbours=10)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: shrinkage, which later work added to the cosine. The paper keeps the largest entries of
    each row of S, which is less accurate on MovieLens, and normalises the rows.

    Source: Deshpande and Karypis, Item-based Top-N Recommendation Algorithms, ACM Transactions on Information Systems
    2004.
    """

    search_space = {
        "n_neighbours": Range(5, 500, log=True),
        "shrinkage": Range(0.0, 200.0),
    }

    def __init__(
        self,
        n_items: int,
        n_neighbours: int = 50,
        shrinkage: float = 10.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_at_least(0, shrinkage=shrinkage)
        self.n_neighbours = as_int_at_least(1, n_neighbours=n_neighbours)
        self.shrinkage = shrinkage

    def bytes_to_solve(self, n_users: int) -> float:
        return 4 * self.n_items**2

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        columns, roots = rows.T.tocsr(), np.sqrt(gram_diagonal(rows))
        weights = aligned_matrix(self.n_items)

        def fill(block: slice) -> None:
            similarities = (columns[block] @ rows).toarray()  # n_ij, (block, n_items)
            items = np.arange(self.n_items)[block]
            similarities[np.arange(len(items)), items] = 0.0
            # Where n_i or n_j is 0, n_ij is too, whatever it is divided by.
            similarities /= np.maximum(roots[block, np.newaxis] * roots + self.shrinkage, 1e-12)
            weights[:, block] = largest_of_rows(similarities, self.n_neighbours).T  # s is symmetric

        for_each_block(fill, self.n_items, progress, share=100)
        return weights

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        """None, because similarities minimise no loss."""
        return None


def largest_of_rows(matrix: FloatArray, k: int) -> FloatArray:
    """The matrix with all but the `k` largest entries of each row set to 0."""
    if k >= matrix.shape[1]:
        return matrix
    columns: IntArray = np.argpartition(-matrix, k, axis=1)[:, :k]
    result = np.zeros_like(matrix)
    np.put_along_axis(result, columns, np.take_along_axis(matrix, columns, axis=1), axis=1)
    return result
