"""EDLAE: EASE with marginalised dropout. https://proceedings.neurips.cc/paper/2020/hash/e33d974aae13e4d877477d51d8bafdc4-Abstract.html."""

from __future__ import annotations

from typing import Any

from kerasrec._registry import public
from kerasrec.models.ease import EASE
from kerasrec.models.search_space import Range
from kerasrec.types import FloatArray


@public
class EDLAE(EASE):
    """Denoising EASE: a zero-diagonal linear autoencoder whose input dropout is marginalised in closed form.

        minimise E_δ ‖X - (δ ⊙ X) B‖² + reg · ‖B‖²  subject to diag(B) = 0
        P = (XᵀX + Λ)⁻¹,   Λ = reg · I + p / (1 - p) · diag(XᵀX),   B_ij = -P_ij / P_jj,   B_ii = 0

    δ is 0 with probability p and 1 / (1 - p) otherwise. The expectation over all masks is an L2 penalty that grows
    with an item's popularity. EASE is p = 0.

    Needs likes and a history only. Memory and time are those of `EASE`.

    Args:
        n_items: size of the catalogue.
        dropout: p, the share of the input that is dropped (paper: ML-20M and Netflix 0.33, Million Song 0.25).
        reg: λ (paper: ML-20M 300, Netflix 500, Million Song 70). `for_interactions` sets 0.75 times the largest
            singular value of X, at most 1,000, or the best of several values on validation data.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `dropout` is not in [0, 1), or `reg` is not positive; in `fit`, the matrix cannot be inverted in
            float32.

    Example:
        >>> from kerasrec import EDLAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EDLAE(table.n_items, dropout=0.25, reg=10.0)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: full rank only, and solved in float32 by a Cholesky factorisation.

    Source: Steck, Autoencoders that don't overfit towards the Identity, NeurIPS 2020.
    """

    reg_per_singular_value = 0.75
    search_space = {**EASE.search_space, "dropout": Range(0.05, 0.8)}

    def __init__(
        self, n_items: int, dropout: float = 0.33, reg: float = 300.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(n_items, reg=reg, seed=seed, **kwargs)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout`: expected a number in [0, 1), got {dropout:g}")
        self.dropout = dropout

    def penalty(self, item_counts: FloatArray) -> FloatArray:
        return self.reg + self.dropout / (1 - self.dropout) * item_counts
