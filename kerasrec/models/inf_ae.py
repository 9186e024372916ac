"""∞-AE: kernel ridge regression, an autoencoder of infinite width. https://arxiv.org/abs/2206.02626."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from keras import ops
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.models.closed_form import ClosedForm
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.search_space import Range
from kerasrec.ops.inverse import for_each_block, gram_matrix, invert
from kerasrec.ops.variables import unallocated_zeros
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import check_above


@public
class InfAE(ClosedForm):
    """∞-AE: an autoencoder with one hidden ReLU layer of infinite width, solved by kernel ridge regression.

        scores = K(x, X) (K(X, X) + λ I)⁻¹ X,   λ = reg · mean of the diagonal of K(X, X)
        K(x, y) = ‖x‖ ‖y‖ (sin θ + 2 (π - θ) cos θ) / 2π,   θ the angle between x and y

    K is the neural tangent kernel of the autoencoder. A user is compared with every training user.

    Needs likes and a history only. **The weights contain the training matrix X**, and so do saved models and exports:
    whoever has the model can read the histories of the training users.

    Size limit: 4 n_users² bytes while solving, and 8 · n_users · n_items bytes for the weights: 10,000 users and 10,000
    items need 1.2 GB, 50,000 users and 20,000 items 18 GB. Time: about n_users³ operations, and n_users · n_items for
    each user that is scored. For more users, fit on a sample of them (`Interactions.take_users`).

    Args:
        n_items: size of the catalogue.
        n_users: number of training users. `for_interactions` and `fit` set it.
        reg: λ divided by the mean of the kernel's diagonal (paper: tuned from 0 to 100).
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg` is not positive; in a second `fit`, the table has another number of users than in the first.
        MemoryError: in `fit`, the table is too large for the available memory.

    Example:
        >>> from kerasrec import InfAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = InfAE(table.n_items)
        >>> _ = model.fit(table, verbose=0)
        >>> model.recommend(table, k=3).item_ids.shape
        (100, 3)

    Differs from the paper in: the kernel is of a network without biases.

    Source: Sachdeva, Dhaliwal, Wu and McAuley, Infinite Recommendation Networks: A Data-Centric Approach, NeurIPS 2022.
    """

    memory_fix = "fit on fewer users (`Interactions.take_users`), or use EASE"
    stores_histories = True
    search_space = {
        "reg": Range(0.1, 1000.0, log=True),
    }

    def __init__(
        self,
        n_items: int,
        n_users: int | None = None,
        reg: float = 5.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        check_above(0, reg=reg)
        self.n_items = n_items
        self.n_users = n_users
        self.reg = reg

    def build(self, input_shape: Any = None) -> None:
        def weight(name: str, *shape: int | None) -> Any:
            return self.add_weight(shape, unallocated_zeros, "float32", trainable=False, autocast=False, name=name)

        if self.n_users is None:
            raise ValueError("`n_users`: expected the number of training users, got None. Fix: call `fit`")
        self.train_rows = weight("train_rows", self.n_items, self.n_users)  # Xᵀ
        self.train_norms = weight("train_norms", self.n_users)
        self.dual = weight("dual", self.n_users, self.n_items)  # (K + λ I)⁻¹ X

    def bytes_to_solve(self, n_users: int) -> float:
        return 4 * n_users**2 + 2 * 4 * n_users * self.n_items

    def solve(self, rows: sp.csr_array, progress: tqdm) -> tuple[FloatArray, ...]:
        n_users = rows.shape[0]
        if self.built and n_users != self.n_users:
            raise ValueError(
                f"expected a table of {self.n_users:,} users, as in the first `fit`, got {n_users:,}. "
                "Fix: create a new model"
            )
        self.n_users = n_users
        columns = rows.T.tocsr()
        norms = np.sqrt(np.diff(rows.indptr)).astype(np.float32)
        kernel = gram_matrix(columns, progress, share=20)  # X Xᵀ, (n_users, n_users)

        def to_kernel(block: slice) -> None:
            kernel[:, block] = tangent_kernel(kernel[:, block], norms[:, np.newaxis] * norms[block], np)

        for_each_block(to_kernel, n_users, progress, share=10)
        kernel[np.diag_indices(n_users)] += self.reg * np.diagonal(kernel).mean()
        inverse = invert(kernel)
        progress.update(50)
        dual = np.empty((n_users, self.n_items), np.float32)

        def multiply(block: slice) -> None:
            dual[block] = (columns @ inverse[:, block]).T  # the inverse is symmetric

        for_each_block(multiply, n_users, progress, share=20)
        return columns.toarray(), norms, dual

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        likes = self.observed(inputs)
        products = likes.matmul(ops.convert_to_tensor(self.train_rows))  # in common with each training user
        norms = ops.expand_dims(ops.sqrt(likes.counts), 1) * self.train_norms
        return ops.matmul(tangent_kernel(products, norms, ops), self.dual)

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"n_items": train.n_items, "n_users": train.n_users}

    def item_vectors(self, train: Any) -> FloatArray:
        return np.ascontiguousarray(ops.convert_to_numpy(self.dual).T, np.float32)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, np.ones(len(columns), np.float32))


def tangent_kernel(products: Any, norms: Any, backend: Any) -> Any:
    """K of pairs of vectors: ‖x‖ ‖y‖ (sin θ + 2 (π - θ) cos θ) / 2π.

    Args:
        products: x · y.
        norms: ‖x‖ ‖y‖, of the same shape. K is 0 where it is 0.
        backend: `numpy` or `keras.ops`.
    """
    cosines = backend.clip(products / backend.maximum(norms, 1e-12), -1.0, 1.0)
    sines = backend.sqrt(1.0 - backend.square(cosines))
    return (norms * sines + 2.0 * (np.pi - backend.arccos(cosines)) * products) / (2.0 * np.pi)
