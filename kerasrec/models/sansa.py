"""SANSA: EASE with sparse weights, for large catalogues. https://doi.org/10.1145/3604915.3608827."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from keras import ops
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.models.closed_form import ClosedForm
from kerasrec.models.ease import EASE
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.search_space import Range
from kerasrec.ops.indexing import add_to_entries
from kerasrec.ops.sparse_inverse import MAX_PAIRS, sparse_item_weights
from kerasrec.ops.sparse_rows import DenseRows
from kerasrec.ops.variables import unallocated_zeros
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import as_int_at_least, check_above


@public
class SANSA(ClosedForm):
    """Scalable approximate nonsymmetric autoencoder: the weights of `EASE`, from a sparse approximate inverse.

        A = Xᵀ X + reg · I ≈ (Wᵀ D W)⁻¹   with a sparse triangular W and a diagonal D
        P = Wᵀ D W,   B = I - P · diag(1 / diag P),   scores = x B

    Each row of W has at most `n_factor` entries: those of the item and of the more popular items that are most often
    liked together with it. Each row of B keeps the `n_weights` entries with the largest magnitude. If both are the
    number of items, and every two items have common users, the weights are those of `EASE`.

    Needs likes and a history only: users that were not in training are scored as well. Memory: 8 · n_items · (n_factor
    + n_weights) bytes, and 8 bytes for each pair of items with common users, at most 1.6 GB. Time: about n_items ·
    n_factor³ operations, and the square of the length of each history.

    Args:
        n_items: size of the catalogue.
        reg: λ of `EASE`, with its defaults.
        n_factor: most entries of a row of W (paper: the density of W is tuned for each data set).
        n_weights: entries of a row of B.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg` is not positive, `n_factor` is below 1, or `n_weights` is below 1; in `fit`, a matrix cannot
            be inverted in float32.

    Example:
        >>> from kerasrec import SANSA, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = SANSA(table.n_items, reg=10.0, n_factor=10, n_weights=20)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: the factor of the inverse is computed directly, row by row (the factorised sparse
    approximate inverse of Kolotilina and Yeremin 1993), which needs no other package. The paper computes an incomplete
    Cholesky factor of A and then approximates the inverse of that factor by residual minimisation. Items are ordered by
    popularity, the paper orders them to reduce fill-in. All rows of W have as many entries, the paper keeps the largest
    entries of the whole factor. The largest weights of B are stored, the paper stores W and multiplies by it twice.

    Source: Spišák, Bartyzal, Hoskovec, Peška and Tůma, Scalable Approximate NonSymmetric Autoencoder for Collaborative
    Filtering, RecSys 2023.
    """

    linear = True
    validation_grid: ClassVar[Mapping[str, tuple[float, ...]]] = EASE.validation_grid
    time_exponent = 1.0
    search_space = {
        "reg": Range(5.0, 5000.0, log=True),
        "n_factor": Range(16, 128, log=True),
        "n_weights": Range(32, 512, log=True),
    }

    def __init__(
        self,
        n_items: int,
        reg: float = 500.0,
        n_factor: int = 64,
        n_weights: int = 256,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_above(0, reg=reg)
        self.n_items = n_items
        self.reg = reg
        self.n_factor = as_int_at_least(1, n_factor=n_factor)
        self.n_weights = as_int_at_least(1, n_weights=n_weights)

    def build(self, input_shape: Any = None) -> None:
        shape = (self.n_items, min(self.n_weights, self.n_items))
        fixed = {"initializer": unallocated_zeros, "trainable": False, "autocast": False}
        self.columns = self.add_weight(shape, dtype="int32", name="columns", **fixed)
        self.values = self.add_weight(shape, dtype="float32", name="values", **fixed)

    def bytes_to_solve(self, n_users: int) -> float:
        n_pairs = min(self.n_items**2 / 2, MAX_PAIRS)
        return 3 * 8 * n_pairs + 2 * 8 * self.n_items * (self.n_factor + min(self.n_weights, self.n_items))

    def solve(self, rows: sp.csr_array, progress: tqdm) -> tuple[Any, ...]:
        try:
            weights = sparse_item_weights(rows, self.reg, self.n_factor, self.n_weights, progress)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"`reg` = {self.reg:g} is too small: a matrix cannot be inverted in float32. Fix: raise `reg`"
            ) from None
        return weights.columns, weights.values

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        likes = self.observed(inputs)
        columns, values = ops.convert_to_tensor(self.columns), ops.convert_to_tensor(self.values)
        if isinstance(likes, DenseRows):
            items = ops.repeat(ops.arange(self.n_items, dtype="int32"), values.shape[1])
            kernel = ops.zeros((self.n_items, self.n_items), "float32")
            kernel = add_to_entries(kernel, items, ops.reshape(columns, (-1,)), ops.reshape(values, (-1,)))
            return ops.matmul(likes.values, kernel)
        of_entries = ops.expand_dims(likes.values, 1) * ops.take(values, likes.columns, axis=0)
        rows = ops.repeat(likes.rows, values.shape[1])
        scores = ops.zeros((likes.n_rows, self.n_items), "float32")
        places = ops.reshape(ops.take(columns, likes.columns, axis=0), (-1,))
        return add_to_entries(scores, rows, places, ops.reshape(of_entries, (-1,)))

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, np.ones(len(columns), np.float32))

    @classmethod
    def defaults_without_validation(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return EASE.defaults_without_validation(train, arguments)
