"""A map of codes: one user among training users, and the items of the history and of the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from kerasrec.data import Interactions
from kerasrec.explorer.catalogue import Catalogue
from kerasrec.explorer.rounding import round_for_page
from kerasrec.inference.similar import unit_vectors
from kerasrec.types import FloatArray, IntArray

N_USERS = 250
"""How many training users are on the map."""

N_NEAREST = 10
"""How many training users count as nearest."""

N_SHARED = 5
"""How many items of the nearest users are shown."""


class LatentMap:
    """The first two principal components of the codes of some training users, each divided by its length.

    The length of a code mostly reflects the length of the history. Without the division, all items would lie together
    in the middle. The training users have no names on the map.

    Args:
        train: the training table.
        catalogue: its items.
        codes_of: computes the codes `(n_users, dim)` of training users from their rows in the table.
    """

    def __init__(self, train: Interactions, catalogue: Catalogue, codes_of: Callable[[IntArray], FloatArray]) -> None:
        self._train = train
        self._catalogue = catalogue
        self._codes_of = codes_of

    def mean_codes(self, columns: Sequence[int]) -> tuple[list[int], FloatArray]:
        """The mean direction of the users on the map who have an item.

        Args:
            columns: of items.

        Returns:
            Those of `columns` that some user on the map has, and the means `(n_items, dim)`.
        """
        table = self._train.take_users(self._rows)
        users_of = {column: table.users[table.items == column] for column in columns}
        means = {column: self._codes[users].mean(axis=0) for column, users in users_of.items() if len(users)}
        return list(means), np.array(list(means.values()), np.float32).reshape(len(means), self._codes.shape[1])

    def show(self, code: FloatArray, columns: Sequence[int], item_codes: FloatArray) -> dict[str, Any]:
        """The map with one user in it.

        Args:
            code: `(dim,)`, of the user.
            columns: of the items on the map.
            item_codes: `(n_items, dim)`, where these items are.

        Returns:
            `user`, `users` and `items`: points; `variance`: the share of the two components; `nearest`: numbers of the
            users with the most similar directions among `users`; `shared`: the items that most of them have.
        """
        direction = unit_vectors(code[np.newaxis])[0]
        nearest = np.argsort(-(self._codes @ direction), kind="stable")[:N_NEAREST]
        rows = self._train.take_users(self._rows[nearest])
        counts = np.bincount(rows.items, minlength=len(self._catalogue))
        shared = np.lexsort((-self._catalogue.user_counts, -counts))[:N_SHARED].tolist()
        return {
            "user": self._point(direction),
            "users": [self._point(row) for row in self._codes],
            "items": [
                {**self._catalogue.item(column), "point": self._point(row)}
                for column, row in zip(columns, unit_vectors(item_codes), strict=True)
            ],
            "variance": [round_for_page(share) for share in self._variance],
            "nearest": nearest.tolist(),
            "shared": [{**self._catalogue.item(column), "n": int(counts[column])} for column in shared],
        }

    def _point(self, direction: FloatArray) -> list[float]:
        return [round_for_page(value) for value in self._axes @ (direction - self._codes.mean(axis=0))]

    @cached_property
    def _rows(self) -> IntArray:
        with_history = np.flatnonzero(self._train.counts > 0)
        return np.sort(np.random.default_rng(0).permutation(with_history)[:N_USERS])

    @cached_property
    def _codes(self) -> FloatArray:
        return unit_vectors(self._codes_of(self._rows))

    @cached_property
    def _components(self) -> tuple[FloatArray, FloatArray]:
        centred = (self._codes - self._codes.mean(axis=0)).astype(np.float64)
        _, singular, axes = np.linalg.svd(centred, full_matrices=False)
        singular, axes = np.append(singular, 0.0), np.vstack([axes, np.zeros_like(axes[:1])])  # a code may have width 1
        total = np.square(singular).sum()
        return axes[:2], np.square(singular[:2]) / (total or 1.0)

    @property
    def _axes(self) -> FloatArray:
        return self._components[0]

    @property
    def _variance(self) -> FloatArray:
        return self._components[1]
