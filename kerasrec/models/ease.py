"""EASE: a linear autoencoder in closed form. https://arxiv.org/abs/1905.03375."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.catalogue import ids_digest
from kerasrec.data.interactions import Interactions
from kerasrec.data.popularity import ItemPopularity
from kerasrec.models.item_weights import ItemWeights
from kerasrec.models.search_space import Range
from kerasrec.ops.inverse import gram_diagonal, invert, penalised_inverse
from kerasrec.ops.spectrum import largest_singular_value
from kerasrec.ops.variables import aligned_empty, assign_without_copy
from kerasrec.types import Array, FloatArray


@public
class EASE(ItemWeights):
    """Embarrassingly shallow autoencoder: item-item weights with a zero diagonal, solved exactly.

        minimise ‖X - X B‖² + reg · ‖B‖²  subject to diag(B) = 0

    For a dense binary matrix X (users × items) the solution is

        G = X.T @ X                                # how often two items are liked together
        P = np.linalg.inv(G + reg * np.eye(len(G)))
        B = -P / np.diag(P)                        # B_ij = -P_ij / P_jj
        np.fill_diagonal(B, 0.0)
        scores = X @ B

    B is not symmetric and has negative weights; both matter for accuracy. `fit` computes the same in float32 by a
    Cholesky factorisation, in place and from the sparse X.

    Needs likes and a history only. Memory: n_items² float32 for the weights, and as much again while solving. Time:
    about n_items³ operations. If there are fewer users than items, it is about n_users³: then (XXᵀ + reg · I)⁻¹ is
    computed, from which P follows.

    Args:
        n_items: size of the catalogue.
        reg: λ (paper: ML-20M 500, Netflix 1000, Million Song 200). It grows with the data: `for_interactions` sets 1.5
            times the largest singular value of X, at most 1,000, or the best of several values on validation data.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg` is not positive; in `fit`, `reg` is too small to invert the matrix in float32.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> from kerasrec import EASE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASE(table.n_items, reg=10.0)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: solved in float32 by a Cholesky factorisation.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
    """

    validation_grid: ClassVar[Mapping[str, tuple[float, ...]]] = {"reg": (20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)}
    reg_per_singular_value = 1.5
    search_space = {
        "reg": Range(5.0, 5000.0, log=True),
    }
    max_diagonal: float = 0.0
    """The largest diagonal entry of B, which `RLAE` and `RDLAE` raise."""

    def __init__(self, n_items: int, reg: float = 500.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if not 0 < reg < float("inf"):
            raise ValueError(f"`reg`: expected a number above 0, got {reg:g}. XᵀX alone cannot be inverted")
        self.reg = reg

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        penalty = self.penalty(gram_diagonal(rows))
        return self._solution(penalty, lambda: penalised_inverse(rows, penalty, progress))

    def fit_gram(self, gram: FloatArray, item_ids: Array) -> Self:
        """Solves for the weights from XᵀX, where X does not fit on one machine.

        Args:
            gram: `(n_items, n_items)`, the number of users who like both of two items, as `kerasrec data gram` writes
                it. It is copied.
            item_ids: `(n_items,)` ids of the items, ascending: `read("packed").item_ids`.

        Returns:
            The model, which equals one that was fitted to the table, up to rounding.

        Raises:
            ValueError: `gram` or `item_ids` has another shape, or `reg` is too small.
            MemoryError: the catalogue is too large for the available memory.

        Example:
            >>> from kerasrec import EASE, generate
            >>> table = generate(n_users=100, n_items=50, seed=1).likes()
            >>> gram = (table.matrix.T @ table.matrix).toarray()
            >>> model = EASE(table.n_items, reg=10.0).fit_gram(gram, table.item_ids)
            >>> model.recommend(table, k=3).item_ids.shape
            (100, 3)
        """
        if gram.shape != (self.n_items, self.n_items) or len(item_ids) != self.n_items:
            raise ValueError(
                f"expected `gram` of shape {(self.n_items, self.n_items)} and as many `item_ids`, got {gram.shape} and "
                f"{len(item_ids)}. Fix: pass the matrix and the ids of the same packed folder"
            )
        self.check_memory(0)
        counts = np.diagonal(gram).astype(np.float32)
        penalty = self.penalty(counts)
        matrix = aligned_empty(self.n_items, self.n_items).T  # LAPACK works in place on Fortran order
        matrix[:] = gram
        matrix[np.diag_indices_from(matrix)] += penalty
        weights = self._solution(penalty, lambda: invert(matrix))
        if not self.built:
            self.build()
        assign_without_copy(weights, self.weights[0])
        self.item_popularity = ItemPopularity(counts)
        self.columns_digest = ids_digest(np.asarray(item_ids))
        return self

    def _solution(self, penalty: FloatArray, inverse: Callable[[], FloatArray]) -> FloatArray:
        """Returns B from the diagonal of Λ and from (XᵀX + Λ)⁻¹, in the memory of the latter."""
        try:
            weights = inverse()
        except np.linalg.LinAlgError:
            raise ValueError(
                f"`reg` = {self.reg:g} is too small: the matrix cannot be inverted in float32. Fix: raise `reg`"
            ) from None
        # B = I - P · diag(κ) with κ_j = (1 - B_jj) / P_jj. Without a constraint B_jj is 1 - Λ_jj P_jj.
        of_inverse = np.diagonal(weights).copy()
        diagonal = np.clip(1.0 - penalty * of_inverse, 0.0, self.max_diagonal)
        weights /= of_inverse / (diagonal - 1.0)
        np.fill_diagonal(weights, diagonal)
        return weights

    def penalty(self, item_counts: FloatArray) -> FloatArray:
        """The diagonal that is added to XᵀX, from the number of users who liked each item."""
        return np.full_like(item_counts, self.reg)

    @classmethod
    def defaults_without_validation(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if "reg" in arguments:
            return {}
        # On five data sets the best value on validation data was between .3 and 2.6 times the singular value.
        reg = cls.reg_per_singular_value * largest_singular_value(train.likes().matrix)
        return {"reg": float(np.clip(reg, 1.0, 1000.0))}


def check_max_diagonal(max_diagonal: float) -> float:
    """Returns the largest diagonal entry of B if it is valid.

    Raises:
        ValueError: `max_diagonal` is not in [0, 1).
    """
    if not 0 <= max_diagonal < 1:
        raise ValueError(f"`max_diagonal`: expected a number in [0, 1), got {max_diagonal:g}")
    return max_diagonal
