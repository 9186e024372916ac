"""ItemKNN: the nearest neighbours of each item. https://doi.org/10.1145/963770.963776."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.models.dan import powers
from kerasrec.models.entry_losses import EntryLosses
from kerasrec.models.item_weights import ItemWeights
from kerasrec.models.search_space import Range
from kerasrec.ops.inverse import for_each_block, gram_diagonal
from kerasrec.ops.variables import aligned_empty
from kerasrec.types import FloatArray, IntArray
from kerasrec.validation import as_int_at_least, check_at_least


@public
class ItemKNN(ItemWeights):
    """Item-based nearest neighbours: scores are sums of the similarities of a user's likes.

        s_ij = n_ij / (n_i^a n_j^c + shrinkage),   n_ij = Σ_u x_ui x_uj / n_u^b,   s_ii = 0
        scores = x S,   S_ij = s_ij if s_ij is among the `n_neighbours` largest of column j, else 0

    n_i is the number of users who like item i, and n_u the number of likes of a user. By default a = c = ½ and b = 0,
    so n_ij is the number of users who like both items, and with `shrinkage=0` s is the cosine similarity. Shrinkage
    lowers the similarity of items with few users in common. A larger b lowers the weight of users with long histories,
    a larger a that of the popular items of a history, and a larger c the scores of popular items. Without a limit of
    neighbours and with tuned exponents, the model is LinkProp (Fu et al. 2022), the linear filter of graph
    convolutions. It is the oldest baseline of the linear models.

    Needs likes and a history only. Memory: n_items² float32. Time: one sparse product XᵀX.

    Args:
        n_items: size of the catalogue.
        n_neighbours: k, the number of similar items from which the score of an item is computed (paper: 20).
            `n_items` keeps all.
        shrinkage: h, in users if a = c = ½ and b = 0.
        user_power: b, exponent of the number of likes of a user (paper: 0; a random walk over the graph: 1).
        history_power: a, exponent of the popularity of an item of the history.
        score_power: c, exponent of the popularity of the item that is scored.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `n_neighbours` is below 1, or `shrinkage` is negative.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> from kerasrec import ItemKNN, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = ItemKNN(table.n_items, n_neighbours=10)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: shrinkage and exponents, which later work added to the cosine. The paper keeps the
    largest entries of each row of S, which is less accurate on MovieLens, and normalises the rows.

    Source: Deshpande and Karypis, Item-based Top-N Recommendation Algorithms, ACM Transactions on Information Systems
    2004. Exponents: Fu et al., Revisiting Neighborhood-based Link Prediction for Collaborative Filtering, WWW 2022
    (https://arxiv.org/abs/2203.15789).
    """

    search_space = {
        "n_neighbours": Range(5, 500, log=True),
        "shrinkage": Range(0.0, 200.0),
        "user_power": Range(0.0, 1.0),
        "history_power": Range(0.0, 1.0),
        "score_power": Range(0.0, 1.0),
    }

    def __init__(
        self,
        n_items: int,
        n_neighbours: int = 50,
        shrinkage: float = 10.0,
        user_power: float = 0.0,
        history_power: float = 0.5,
        score_power: float = 0.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_at_least(0, shrinkage=shrinkage)
        self.n_neighbours = as_int_at_least(1, n_neighbours=n_neighbours)
        self.shrinkage = shrinkage
        self.user_power = user_power
        self.history_power = history_power
        self.score_power = score_power

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        of_users, n_item = powers(rows.sum(axis=1), -self.user_power), gram_diagonal(rows)
        of_history, of_score = powers(n_item, self.history_power), powers(n_item, self.score_power)
        columns = (rows.T @ sp.diags_array(of_users)).tocsr()
        weights = aligned_empty(self.n_items, self.n_items)

        def fill(block: slice) -> None:
            similarities = (columns[block] @ rows).toarray()  # n_ji, (block, n_items): rows are scored items
            items = np.arange(self.n_items)[block]
            similarities[np.arange(len(items)), items] = 0.0
            similarities /= of_score[block, np.newaxis] * of_history + self.shrinkage
            weights[:, block] = largest_of_rows(similarities, self.n_neighbours).T

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
