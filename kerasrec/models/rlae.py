"""RLAE: EASE with a relaxed diagonal. https://arxiv.org/abs/2305.12922."""

from __future__ import annotations

from typing import Any

from kerasrec._registry import public
from kerasrec.models.ease import EASE, check_max_diagonal
from kerasrec.models.search_space import Range


@public
class RLAE(EASE):
    """Relaxed linear autoencoder: item-item weights whose diagonal is at most `max_diagonal`, solved exactly.

        minimise ‖X - X B‖² + reg · ‖B‖²  subject to diag(B) ≤ ξ
        P = (XᵀX + reg · I)⁻¹,   B = I - P · diag(κ),   κ_j = max(reg, (1 - ξ) / P_jj)

    `EASE` is ξ = 0. A larger ξ keeps more of the weights of the unconstrained solution, which suits items with few
    users.

    Needs likes and a history only. Memory and time are those of `EASE`.

    Args:
        n_items: size of the catalogue.
        reg: λ (authors' code: ML-20M 1000, Netflix 2000, Million Song 100).
        max_diagonal: ξ, at least 0 and below 1 (authors' code: ML-20M 0.6, Netflix and Million Song 0.5).
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg` is not positive, or `max_diagonal` is not in [0, 1); in `fit`, the matrix cannot be inverted
            in float32.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> from kerasrec import RLAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = RLAE(table.n_items, reg=20.0, max_diagonal=0.5)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: solved in float32 by a Cholesky factorisation.

    Source: Moon, Kim and Lee, It's Enough: Relaxing Diagonal Constraints in Linear Autoencoders for Recommendation,
    SIGIR 2023, and the authors' code.
    """

    search_space = {**EASE.search_space, "max_diagonal": Range(0.0, 0.9)}

    def __init__(
        self, n_items: int, reg: float = 1000.0, max_diagonal: float = 0.6, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(n_items, reg=reg, seed=seed, **kwargs)
        self.max_diagonal = check_max_diagonal(max_diagonal)
