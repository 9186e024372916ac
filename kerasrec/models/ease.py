"""EASE: a linear autoencoder in closed form. https://arxiv.org/abs/1905.03375."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from keras import ops
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.models.closed_form import ClosedForm
from kerasrec.ops.inverse import bytes_to_invert, memory_limit, penalised_inverse, squares
from kerasrec.ops.sparse_rows import observed_rows
from kerasrec.types import FloatArray, Tensor


@public
class EASE(ClosedForm):
    """Embarrassingly shallow autoencoder: item-item weights with a zero diagonal, solved exactly.

        minimise ‖X - X B‖² + reg · ‖B‖²  subject to diag(B) = 0
        P = (XᵀX + reg · I)⁻¹,   B_ij = -P_ij / P_jj,   B_ii = 0

    B is not symmetric and has negative weights; both matter for accuracy.

    Needs likes and a history only. Memory: n_items² float32 for the weights, and as much again
    while solving. Time: about n_items³ operations; n_users³ where there are fewer users than items, as
    then (XXᵀ + reg · I)⁻¹ is inverted, from which P follows.

    Args:
        n_items: size of the catalogue.
        reg: λ (paper: ML-20M 500, Netflix 1000, Million Song 200).
        seed: has no effect; every model takes it.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: in `fit`, when `reg` is too small for the matrix to be inverted in float32.
        MemoryError: in `fit`, when the machine is too small for the catalogue, before anything is begun.

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

    linear = True

    def __init__(self, n_items: int, reg: float = 500.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if not reg > 0:
            raise ValueError(f"`reg` must be above 0, not {reg:g}: without it XᵀX cannot be inverted")
        self.n_items = n_items
        self.reg = reg

    def build(self, input_shape: Any = None) -> None:
        shape = (self.n_items, self.n_items)
        self.kernel = self.add_weight(shape, "zeros", "float32", trainable=False, autocast=False, name="kernel")

    def check_memory(self) -> None:
        needed, there = bytes_to_invert(self.n_items), memory_limit()
        if needed > there:
            raise MemoryError(
                f"{type(self).__name__} of {self.n_items:,} items needs {needed / 1e9:,.0f} GB, this machine has "
                f"{there / 1e9:,.0f} GB: keep the items with more users (`Interactions.core`), or take MultVAE"
            )

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        try:
            weights = penalised_inverse(rows, self.penalty(squares(rows)), progress)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"`reg` = {self.reg:g} is too small: the penalised XᵀX cannot be inverted in float32; raise `reg`"
            ) from None
        weights /= -np.diagonal(weights)
        np.fill_diagonal(weights, 0.0)
        return weights

    def penalty(self, item_counts: FloatArray) -> FloatArray:
        """What is added to the diagonal of XᵀX, from how many users liked each item."""
        return np.full_like(item_counts, self.reg)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return observed_rows(inputs).matmul(ops.convert_to_tensor(self.kernel))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_items": self.n_items, "reg": self.reg}
