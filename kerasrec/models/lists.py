"""The lists of items that a model returns: recommendations, their reasons, and similar items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kerasrec.data.interactions import Interactions
from kerasrec.inference.explain import Explanations, explain
from kerasrec.inference.recommend import recommend
from kerasrec.inference.recommendations import Recommendations
from kerasrec.inference.similar import similar


class ItemLists(keras.Model):
    """The part of `Recommender` that returns lists of items."""

    def recommend(
        self,
        histories: Interactions,
        k: int = 10,
        users: Sequence[Any] | None = None,
        exclude: Sequence[Any] = (),
        candidates: Sequence[Any] = (),
        train: Interactions | None = None,
        batch_size: int | None = None,
        diversify: float = 0.0,
    ) -> Recommendations:
        """The best `k` items of each user, without the items of the user's history.

        Items with equal scores are in the order of their popularity in the training table. A user without any known
        item, whom the model has no weights for either, gets the most popular items. Their scores are the numbers of
        training users who have the item.

        Args:
            histories: the users' histories, with the catalogue of the training table.
            k: number of items, 1 to the size of the catalogue.
            users: ids of the users, in the order of the result. Default: all users of `histories`.
            exclude: ids of items that must not be recommended.
            candidates: ids of the only items that may be recommended. Default: all.
            train: the training table, for models with weights per user (`"user_id" in serving_inputs`): users of
                `histories` are found in it by id, all others are unknown users. Default: `histories`.
            batch_size: users per batch. The users × items scores never exist at once.
            diversify: 0 to 1: how much the similarity to better items lowers an item (maximal marginal relevance, see
                `kerasrec.ops.diversity`). Needs `train`: two items are similar if the same users like them.

        Returns:
            The lists, `item_ids` and `scores`, each `(n_users, k)`, with the users and the length of their histories.

        Raises:
            TypeError: `histories` or `train` is not a table.
            ValueError: `k` is out of range, an id is unknown, or the model was trained on another table than `train`.
        """
        return recommend(self, histories, k, users, exclude, candidates, train, batch_size, diversify=diversify)

    def explain(
        self,
        histories: Interactions,
        k: int = 10,
        n_reasons: int = 3,
        users: Sequence[Any] | None = None,
        exclude: Sequence[Any] = (),
        candidates: Sequence[Any] = (),
        train: Interactions | None = None,
    ) -> Explanations:
        """The history items that raise the score of each recommendation most.

        For a linear model (`linear`), the contribution of an item is exact: its weight times its value, and the
        contributions of all items add up to the score. For other models, it is the change of the score if the item is
        left out, for the latest 100 items of the history.

        Args:
            histories: as for `recommend`, also for the other arguments.
            k: number of recommendations.
            n_reasons: the most items for each recommendation.
            users: ids of the users. Default: all users of `histories`.
            exclude: ids of items that must not be recommended.
            candidates: ids of the only items that may be recommended. Default: all.
            train: the training table, for models with weights per user.

        Returns:
            The recommendations, the reasons and their contributions.

        Raises:
            ValueError: as for `recommend`, or the model does not read a history.

        Example:
            >>> from kerasrec import EASE, generate
            >>> table = generate(n_users=100, n_items=50, seed=1)
            >>> model = EASE(table.n_items, reg=10.0)
            >>> _ = model.fit(table, verbose=0)
            >>> model.explain(table, k=4, users=[7]).reason_ids.shape
            (1, 4, 3)
        """
        return explain(self, histories, k, n_reasons, users, exclude, candidates, train)

    def similar(self, train: Interactions, items: Sequence[Any], k: int = 10) -> Recommendations:
        """The items that are most similar to given items, without these.

        The similarity is the cosine of the item vectors (see `item_vectors`); for a linear model (`linear`) it is the
        weight with which an item in the history raises the score of the other.

        Args:
            train: the training table.
            items: ids of the items.
            k: number of similar items, below the number of items.

        Returns:
            `item_ids` and `scores`, each `(len(items), k)`; `user_ids` are the given items.

        Raises:
            TypeError: `train` is not a table.
            ValueError: the model has no item vectors (`has_item_vectors` is False), the catalogue has one item, `k` is
                out of range, an id is unknown, or `train` has another catalogue than the model.

        Example:
            >>> from kerasrec import ELSA, generate
            >>> table = generate(n_users=100, n_items=50, seed=1)
            >>> model = ELSA.for_interactions(table, latent_dim=8, seed=1)
            >>> model.compile()
            >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
            >>> model.similar(table, [3, 5], k=4).item_ids.shape
            (2, 4)
        """
        return similar(self, train, items, k)
