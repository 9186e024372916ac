"""DAN: a linear autoencoder of normalised data. https://arxiv.org/abs/2504.05805."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.models.rdlae import RDLAE
from kerasrec.models.search_space import Range
from kerasrec.types import Array, FloatArray


@public
class DAN(RDLAE):
    """Data-adaptive normalisation: `RDLAE` of a matrix whose rows and columns are scaled by powers of their counts.

        X̃ = s · diag(n_u)^-a X diag(n_i)^-b                 # s: X̃ and X have the same norm
        B̃ = the solution of RDLAE for X̃
        scores = x diag(n_i)^-b B̃ diag(n_i)^b

    n_u is the number of likes of a user and n_i that of an item. A larger a lowers the weight of users with long
    histories. A larger b moves weight from popular to rare items of a history. `RDLAE` is a = b = 0. With
    `max_diagonal=0` the model is a normalised `EDLAE`, and with `dropout=0` too a normalised `EASE`.

    Needs likes and a history only. Memory and time are those of `EASE`.

    Args:
        n_items: size of the catalogue.
        user_power: a. The paper's β is 2a (paper: tuned from 0 to 1 for each data set).
        item_power: b. Negative values are allowed.
        dropout: p of `RDLAE`, the share of the input that is dropped.
        reg: λ. Because X̃ has the norm of X, it has the magnitude that suits `EDLAE`.
        max_diagonal: ξ of `RDLAE`, at least 0 and below 1.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `dropout` or `max_diagonal` is not in [0, 1), or `reg` is not positive; in `fit`, the matrix cannot
            be inverted in float32.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> from kerasrec import DAN, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = DAN(table.n_items, user_power=0.5, reg=20.0)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: items are scaled before the solution as well as after it, and the dropout penalty uses
    the scaled counts. X̃ is scaled to the norm of X.

    Source: Park, Yoon, Choi and Lee, Why is Normalization Necessary for Linear Recommenders?, SIGIR 2025.
    """

    search_space = {**RDLAE.search_space, "user_power": Range(0.0, 1.0), "item_power": Range(0.0, 0.5)}

    def __init__(
        self,
        n_items: int,
        user_power: float = 0.5,
        item_power: float = 0.0,
        dropout: float = 0.33,
        reg: float = 300.0,
        max_diagonal: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, dropout=dropout, reg=reg, max_diagonal=max_diagonal, seed=seed, **kwargs)
        self.user_power = user_power
        self.item_power = item_power

    def fit_gram(self, gram: FloatArray, item_ids: Array) -> Self:
        """Not supported.

        Raises:
            ValueError: always.
        """
        raise ValueError("`fit_gram`: DAN weighs the users, so XᵀX is not enough. Fix: `fit(table)`")

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        of_users = powers(rows.sum(axis=1), -self.user_power)
        of_items = powers(rows.sum(axis=0), -self.item_power)
        scaled = sp.diags_array(of_users) @ rows @ sp.diags_array(of_items)
        norms = sp.linalg.norm(rows), sp.linalg.norm(scaled)
        scale = norms[0] / norms[1] if norms[1] else 1.0  # 0 without any interaction
        weights = super().solve((scaled * scale).astype(np.float32).tocsr(), progress)
        weights *= of_items[:, np.newaxis]
        weights /= of_items
        return weights


def powers(counts: FloatArray, exponent: float) -> FloatArray:
    """The powers of counts, float32; 1 for a count of 0."""
    return np.maximum(counts, 1.0).astype(np.float32) ** exponent
