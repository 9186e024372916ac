"""RDLAE: EDLAE with a relaxed diagonal. https://arxiv.org/abs/2305.12922."""

from __future__ import annotations

from typing import Any

from kerasrec._registry import public
from kerasrec.models.ease import check_max_diagonal
from kerasrec.models.edlae import EDLAE
from kerasrec.models.search_space import Range


@public
class RDLAE(EDLAE):
    """Relaxed denoising linear autoencoder: `EDLAE` whose diagonal is at most `max_diagonal`, solved exactly.

        minimise E_δ ‖X - (δ ⊙ X) B‖² + reg · ‖B‖²  subject to diag(B) ≤ ξ
        P = (XᵀX + Λ)⁻¹,   Λ = reg · I + p / (1 - p) · diag(XᵀX)
        B = I - P · diag(κ),   κ_j = max(Λ_jj, (1 - ξ) / P_jj)

    `EDLAE` is ξ = 0, `RLAE` is p = 0, and `EASE` is both.

    Needs likes and a history only. Memory and time are those of `EASE`.

    Args:
        n_items: size of the catalogue.
        dropout: p, the share of the input that is dropped (authors' code: ML-20M 0.2, Netflix 0.3, Million Song 0.2).
        reg: λ (authors' code: ML-20M 1000, Netflix 700, Million Song 80).
        max_diagonal: ξ, at least 0 and below 1 (authors' code: ML-20M 0.6, Netflix and Million Song 0.4).
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `dropout` or `max_diagonal` is not in [0, 1), or `reg` is not positive; in `fit`, the matrix cannot
            be inverted in float32.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> from kerasrec import RDLAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = RDLAE(table.n_items, dropout=0.25, reg=20.0, max_diagonal=0.4)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: solved in float32 by a Cholesky factorisation.

    Source: Moon, Kim and Lee, It's Enough: Relaxing Diagonal Constraints in Linear Autoencoders for Recommendation,
    SIGIR 2023, and the authors' code.
    """

    search_space = {**EDLAE.search_space, "max_diagonal": Range(0.0, 0.9)}

    def __init__(
        self,
        n_items: int,
        dropout: float = 0.2,
        reg: float = 1000.0,
        max_diagonal: float = 0.6,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, dropout=dropout, reg=reg, seed=seed, **kwargs)
        self.max_diagonal = check_max_diagonal(max_diagonal)
