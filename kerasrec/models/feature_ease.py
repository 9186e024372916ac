"""Attribute-to-feature mapping of EASE, for items without interactions. https://doi.org/10.1109/ICDM.2010.129."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.side import checked_side
from kerasrec.models.ease import EASE
from kerasrec.models.search_space import Range
from kerasrec.ops.variables import aligned_empty
from kerasrec.types import Array, FloatArray, IntArray
from kerasrec.validation import check_above


@public
class FeatureEASE(EASE):
    """EASE that also scores items without any interaction, from their features.

    The weights B of the items with interactions are those of `EASE`. A ridge regression on the features F of these
    items predicts the weights of each other item from its features f:

        h = F (Fᵀ F + feature_reg · I)⁻¹ f     # how similar each known item is
        B_new = B h, for its column; hᵀ B, for its row

    The column gives the scores of the new item. The row gives the scores of other items once a history contains it.

    Needs likes, a history and features of the items: `FeatureEASE.for_interactions(train, side=…)`, where `train` has
    the new items in its catalogue (`Interactions.with_catalogue`). `kerasrec train feature_ease --item-features FILE`
    adds the items of the file to the catalogue. Without features it is `EASE`.

    Args:
        n_items: size of the catalogue, with new items.
        reg: λ of `EASE`, with its defaults.
        feature_reg: penalty of the regression (paper: tuned for each data set). `for_interactions` sets 10, or the best
            of several values on validation data.
        side_shape: (items, features) of the features, or None.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: `(batch, n_items)`, float32.

    Raises:
        ValueError: `reg` or `feature_reg` is not positive, or `side` has another number of rows than there are items;
            in `fit`, a matrix cannot be inverted in float32, or a loaded model, which contains no features, needs them.
        MemoryError: in `fit`, the catalogue is too large for the available memory.

    Example:
        >>> import numpy as np
        >>> from kerasrec import FeatureEASE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> train = table.with_catalogue(np.append(table.item_ids, [900, 901]))  # two items are new
        >>> taste = np.eye(10)[train.item_ids % 10]
        >>> model = FeatureEASE.for_interactions(train, side=taste)
        >>> _ = model.fit(train, verbose=0)
        >>> sorted(set(model.recommend(train, k=2, candidates=[900, 901]).item_ids.ravel().tolist()))
        [900, 901]

    Differs from the paper in: the mapping predicts weights of EASE, which is a matrix factorisation there, and is a
    ridge regression; the paper also compares nearest neighbours, and optimises the mapping for BPR.

    Source: Gantner, Drumond, Freudenthaler, Rendle and Schmidt-Thieme, Learning Attribute-to-Feature Mappings for
    Cold-Start Recommendations, ICDM 2010.
    """

    accepts_side = True
    side_axis = "columns"
    validation_grid: ClassVar[Mapping[str, tuple[float, ...]]] = {
        **EASE.validation_grid,
        "feature_reg": (0.1, 1.0, 10.0, 100.0),
    }
    search_space = {**EASE.search_space, "feature_reg": Range(1e-2, 1e3, log=True)}

    def __init__(
        self,
        n_items: int,
        reg: float = 500.0,
        feature_reg: float = 10.0,
        side_shape: tuple[int, int] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, reg, seed, **kwargs)
        check_above(0, feature_reg=feature_reg)
        self.feature_reg = feature_reg
        self.side_shape = None if side_shape is None else (side_shape[0], side_shape[1])
        self.untracked.side = None  # not a weight: the solution contains what it contributes

    def set_side(self, side: FloatArray) -> None:
        self.untracked.side = side = checked_side(side, self.n_items, "items")
        self.side_shape = (side.shape[0], side.shape[1])

    def warm_start(
        self, train: Interactions, previous: Interactions, side: FloatArray | None = None, **arguments: Any
    ) -> Self:
        """A new model, solved on a newer table; see `Recommender.warm_start`.

        Args:
            train: the newer training table.
            previous: not used, because the solution follows from `train` alone.
            side: features in the order of the items of `train`, if it has items without interactions.
            **arguments: constructor arguments to change.

        Raises:
            ValueError: the model has features, `side` is omitted, and an item of `train` has no interactions.
        """
        if self.side_shape is not None and side is None:
            arguments["side_shape"] = (train.n_items, self.side_shape[1])
        return super().warm_start(train, previous, **arguments, side=side)

    def fit_gram(self, gram: FloatArray, item_ids: Array) -> Self:
        """As `EASE.fit_gram`, for a model without features.

        Args:
            gram: XᵀX.
            item_ids: `(n_items,)` ids of the items, ascending.

        Raises:
            ValueError: the model has features, or as in `EASE.fit_gram`.
        """
        if self.side_shape is not None:
            raise ValueError("`fit_gram`: expected a model without features, got one with. Fix: `fit(table)`")
        return super().fit_gram(gram, item_ids)

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        is_known = rows.sum(axis=0) > 0
        if self.side_shape is None or is_known.all():
            return super().solve(rows, progress)
        if self.untracked.side is None:
            raise ValueError(
                "`side`: expected the features of the items, because some have no interactions, and a saved or "
                "warm-started FeatureEASE does not contain them. Fix: `set_side(side)`, or `warm_start(…, side=side)`"
            )
        known, new = np.flatnonzero(is_known), np.flatnonzero(~is_known)
        of_known = super().solve(rows[:, known], progress)
        similarities = self._similarities(known, new)
        of_new = of_known @ similarities.T  # the columns of the new items
        weights = aligned_empty(self.n_items, self.n_items)
        weights[np.ix_(known, known)] = of_known
        weights[np.ix_(known, new)] = of_new
        weights[np.ix_(new, known)] = similarities @ of_known
        weights[np.ix_(new, new)] = similarities @ of_new
        weights[new, new] = 0.0
        return weights

    def _similarities(self, known: IntArray, new: IntArray) -> FloatArray:
        """H of each new item, `(n_new, n_known)`."""
        side = self.untracked.side
        gram = side[known].T @ side[known]
        gram[np.diag_indices_from(gram)] += self.feature_reg
        try:
            return np.linalg.solve(gram, side[new].T).T @ side[known].T
        except np.linalg.LinAlgError:
            raise ValueError(
                f"`feature_reg` = {self.feature_reg:g} is too small: a matrix cannot be inverted in float32. "
                "Fix: raise `feature_reg`"
            ) from None

    @classmethod
    def defaults_without_validation(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"feature_reg": 10.0, **super().defaults_without_validation(train, arguments)}
