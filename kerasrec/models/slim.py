"""SLIM: sparse non-negative item-item weights. https://doi.org/10.1109/ICDM.2011.134."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.models.item_weights import ItemWeights
from kerasrec.models.search_space import Range
from kerasrec.ops.elastic_net import non_negative_elastic_net
from kerasrec.ops.inverse import gram_matrix
from kerasrec.types import FloatArray
from kerasrec.validation import check_above, check_at_least


@public
class SLIM(ItemWeights):
    """Sparse linear method: item-item weights of an elastic net, non-negative with a zero diagonal.

        minimise ½ ‖X - X W‖² + reg / 2 · ‖W‖² + l1_reg · ‖W‖₁  subject to W ≥ 0, diag(W) = 0

    `EASE` is the same without the L1 penalty and without W ≥ 0. The L1 penalty makes most weights 0.

    Needs likes and a history only. Memory: 2 · n_items² float32. Time: about ten products of two n_items × n_items
    matrices, several times that of `EASE`.

    Args:
        n_items: size of the catalogue.
        reg: L2 penalty, the paper's β (paper: tuned for each data set from 0 to 5).
        l1_reg: L1 penalty, the paper's λ (paper: likewise).
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg` is not positive, or `l1_reg` is negative.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> from kerasrec import SLIM, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = SLIM(table.n_items, reg=5.0, l1_reg=1.0)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: `reg` must be above 0. All columns are solved together, from XᵀX.

    Source: Ning and Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011.
    """

    search_space = {
        "reg": Range(0.1, 1000.0, log=True),
        "l1_reg": Range(0.01, 20.0, log=True),
    }

    def __init__(
        self, n_items: int, reg: float = 1.0, l1_reg: float = 2.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_above(0, reg=reg)
        check_at_least(0, l1_reg=l1_reg)
        self.reg = reg
        self.l1_reg = l1_reg

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        gram = np.ascontiguousarray(gram_matrix(rows, progress, share=40).T)
        return non_negative_elastic_net(gram, self.l1_reg, self.reg, progress)
