"""Blend: the weighted sum of the standardised scores of several trained models. https://doi.org/10.1145/1015330.1015432."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec import metrics as kerasrec_metrics
from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.models.base import Recommender
from kerasrec.models.ensemble_selection import select_shares
from kerasrec.models.fit_arguments import as_table, check_fit_arguments, check_held_out
from kerasrec.models.one_epoch import OneEpoch, check_names_of_fit
from kerasrec.ops.sparse_rows import SparseRows
from kerasrec.types import FloatArray, Tensor

MAX_SCORES = 2**27
"""Scores that `fit` stores at most. More validation users than that allows are not used."""


@public
class Blend(OneEpoch):
    """Weighted sum of the standardised scores of trained members.

        f_u = Σ_m share_m · (s_um - mean(s_um)) / std(s_um)

    s_um are the scores of member m for user u. Mean and standard deviation are over the items that the user has not
    seen, so the members' scales do not matter. The shares sum to 1. `fit` chooses them on validation data by ensemble
    selection: it starts with the best member and repeatedly adds the member, with repetition, that improves the result
    most. Models that make different mistakes, such as EASE and a variational autoencoder, gain most.

    Needs what its members need. All members are models of likes, trained on the same table. `fit` does not train them.

    Args:
        members: two or more fitted models.
        shares: weight of each member. Default: equal weights.
        seed: no effect. Every model has this argument.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)` if no member is `ordered`. Out:
        `(batch, n_items)`, float32.

    Raises:
        ValueError: `members` has fewer than two entries, a member is a rating model, or members were trained on other
            items or other numbers of users; `shares` are not one non-negative number per member with a positive sum.

    Example:
        >>> from kerasrec import EASE, ELSA, Blend, HeldOutUsers, generate
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> members = [EASE.for_interactions(split.train), ELSA.for_interactions(split.train, latent_dim=8, seed=1)]
        >>> for member in members:
        ...     member.compile()
        ...     _ = member.fit(split.train, epochs=2, verbose=0)
        >>> model = Blend(members)
        >>> _ = model.fit(split.train, validation_data=split.validation, verbose=0)
        >>> len(model.shares), round(sum(model.shares), 6)
        (2, 1.0)
        >>> model.recommend(split.test.inputs, k=5).item_ids.shape
        (50, 5)

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble Selection from Libraries of Models, ICML 2004.
    """

    def __init__(
        self,
        members: Sequence[Recommender],
        shares: Sequence[float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        _check_members(members)
        digests = {member.columns_digest for member in members} - {None}
        kwargs.setdefault("columns_digest", next(iter(digests), None))
        super().__init__(members[0].n_columns, seed=seed, **kwargs)
        self.members = list(members)
        popularities = (member.item_popularity for member in members)
        self.item_popularity = next((popularity for popularity in popularities if popularity is not None), None)
        self.n_items = self.n_columns
        self.ordered = any(member.ordered for member in members)
        self.stores_histories = any(member.stores_histories for member in members)
        self.default_batch_size = min(member.default_batch_size for member in members)
        initial = np.asarray([1.0] * len(members) if shares is None else shares, np.float32)
        is_valid = initial.shape == (len(members),) and np.isfinite(initial).all() and initial.min() >= 0
        if not (is_valid and initial.sum() > 0):
            raise ValueError(
                f"`shares`: expected {len(members)} non-negative numbers with a positive sum, got {shares}"
            )
        self.initial_shares = tuple((initial / initial.sum()).tolist())

    def build(self, input_shape: Any = None) -> None:
        self.share_weight = self.add_weight(
            (len(self.members),), "zeros", "float32", trainable=False, autocast=False, name="shares"
        )
        self.share_weight.assign(np.asarray(self.initial_shares, np.float32))

    @property
    def shares(self) -> tuple[float, ...]:
        """The weight of each member; their sum is 1."""
        return tuple(ops.convert_to_numpy(self.share_weight).astype(float).tolist())

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        shares = ops.unstack(ops.convert_to_tensor(self.share_weight), len(self.members))
        scores = self.standardised_scores(inputs)
        return sum(share * part for share, part in zip(shares, scores, strict=True))

    def standardised_scores(self, inputs: Any) -> list[Tensor]:
        """The scores of each member, `(batch, n_items)`, with mean 0 and variance 1 over the unseen items of a row."""
        likes = self.observed(inputs)
        if isinstance(likes, SparseRows):
            unseen = likes.scatter_add(ops.ones((likes.n_rows, self.n_items), "float32"), -likes.mask)
        else:
            unseen = 1.0 - likes.mask
        n = ops.maximum(ops.sum(unseen, axis=1, keepdims=True), 1.0)
        result = []
        for member in self.members:
            scores = ops.cast(member(inputs, training=False), "float32")
            centred = scores - ops.sum(scores * unseen, axis=1, keepdims=True) / n
            variance = ops.sum(ops.square(centred) * unseen, axis=1, keepdims=True) / n
            # A member that gives all unseen items the same score adds nothing.
            result.append(ops.where(variance > 1e-12, centred * ops.rsqrt(ops.maximum(variance, 1e-12)), 0.0))
        return result

    def fit(  # type: ignore[override]  # the arguments that it ignores are in `kwargs`
        self,
        x: Any = None,
        y: Any = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_data: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Chooses the shares on validation data; without any, they stay as they are. The members do not change.

        Args:
            x: the training table of the members.
            y: None.
            verbose: 0 for no progress bar.
            callbacks: as in Keras.
            validation_data: the validation part of the split.
            **kwargs: further arguments of `Recommender.fit`, which have no effect.

        Returns:
            A Keras `History` of one epoch.

        Raises:
            TypeError: an argument is unknown.
            ValueError: `validation_data` is not a held-out part, or nothing is held out.
        """
        check_names_of_fit(kwargs)
        x = as_table(x)
        check_held_out(validation_data, "validation_data")
        if validation_data is not None:
            _check_has_targets(validation_data)
        check_fit_arguments(x, y, kwargs.get("validation_split", 0.0), kwargs.get("class_weight"), None)
        if isinstance(x, Interactions):
            self.check_columns(x)

        def step() -> None:
            if validation_data is not None:
                metric = kerasrec_metrics.get(self.monitor.removeprefix("val_"))
                self.share_weight.assign(select_shares(*self._validation_scores(validation_data), metric, verbose))

        return self.run_one_epoch(step, callbacks, validation_data)

    def _validation_scores(self, validation: HeldOut) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Standardised scores `(members, users, items)`; -inf at seen items, else 0, and targets, `(users, items)`."""
        batches = self.batches(validation)
        max_users = max(1, MAX_SCORES // (self.n_items * len(self.members)))
        scores: list[Any] = []
        masks: list[Any] = []
        targets: list[Any] = []
        n_users = 0
        for i in range(len(batches)):
            x, y = self.with_sparse_rows(batches[i])
            held_out = ops.convert_to_numpy(self.dense_targets(y))
            rows = held_out.any(axis=1)
            scores.append(np.stack([ops.convert_to_numpy(part)[rows] for part in self.standardised_scores(x)]))
            masks.append(ops.convert_to_numpy(self.mask_seen(ops.zeros(held_out.shape), x))[rows])
            targets.append(held_out[rows])
            n_users += int(rows.sum())
            if n_users >= max_users:
                break
        mask, held_out = (np.concatenate(parts)[:max_users] for parts in (masks, targets))
        return np.concatenate(scores, axis=1)[:, :max_users], mask, held_out

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {}  # they follow from the members

    def check_fitted(self) -> None:
        for member in self.members:
            member.check_fitted()

    @property
    def n_known_rows(self) -> int | None:
        return next((member.n_known_rows for member in self.members if member.n_known_rows is not None), None)

    @property
    def serving_inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """A history, and a user id if a member reads it."""
        by_user = any("user_id" in member.serving_inputs for member in self.members)
        return ("history", "user_id") if by_user else ("history",)

    @property
    def inference_weights(self) -> list[keras.Variable]:
        """The shares, and the inference weights of the members."""
        return [self.share_weight, *(weight for member in self.members for weight in member.inference_weights)]

    def as_served_model(self) -> Recommender:
        """A blend of the forms in which its members are served."""
        served = [member.as_served_model() for member in self.members]
        return self if served == self.members else Blend(served, self.shares)

    def warm_start(self, train: Interactions, previous: Interactions, **arguments: Any) -> Blend:
        """A blend of the members, each moved to a newer table, with the same shares; see `Recommender.warm_start`.

        Args:
            train: the newer training table.
            previous: the table that the members were trained on.
            **arguments: constructor arguments to change, for example `shares`.
        """
        members = [member.warm_start(train, previous) for member in self.members]
        model = Blend(members, **{"shares": self.shares, "seed": self.seed, **arguments})
        if self.compiled:
            model.compile_from_config(self.get_compile_config() or {})
        return model

    def get_config(self) -> dict[str, Any]:
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        for member in members:
            member.pop("compile_config", None)  # a member is not trained any more
        return {**super().get_config(), "members": members}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Blend:
        members = [
            keras.saving.deserialize_keras_object(member) if isinstance(member, dict) else member
            for member in config["members"]
        ]
        return cls(**{**config, "members": members})


def _check_members(members: Sequence[Recommender]) -> None:
    """Checks that models can be blended.

    Raises:
        ValueError: `members` has fewer than two models, contains one of them twice (also inside another blend), a
            member predicts ratings, or two have different catalogues.
    """
    if not isinstance(members, (list, tuple)) or not all(isinstance(member, Recommender) for member in members):
        raise ValueError(f"`members`: expected a list of fitted models, got {members!r}")
    if len(members) < 2:
        raise ValueError(f"`members`: expected at least two fitted models, got {len(members)}")
    single = [id(model) for member in members for model in _single_models(member)]
    if len(set(single)) < len(single):
        raise ValueError("`members`: expected different models, got one of them twice, which no file can store")
    for member in members:
        member.check_fitted()
        if member.feedback != "likes":
            raise ValueError(
                f"`members`: expected models of likes, got {type(member).__name__}, which predicts ratings. "
                "A sum of standardised ratings is not a rating"
            )
    same_table: dict[str, set[Any]] = {
        "items": {member.n_columns for member in members},
        "item ids": {member.columns_digest for member in members} - {None},
        "numbers of users": {member.n_known_rows for member in members} - {None},
    }
    for name, values in same_table.items():
        if len(values) > 1:
            raise ValueError(f"`members`: expected models of one training table, got models with different {name}")


def _check_has_targets(validation: Any) -> None:
    """Checks that shares can be chosen on validation data.

    Raises:
        ValueError: `validation` is no held-out part, or has no held-out items.
    """
    if not isinstance(validation, HeldOut) or validation.targets is None or not len(validation.targets):
        raise ValueError(
            "`validation_data`: expected a held-out part with held-out items, on which the shares are chosen, for "
            "example `split.validation`"
        )


def _single_models(model: Recommender) -> list[Recommender]:
    """The model itself, or the members of a blend."""
    return (
        [part for member in model.members for part in _single_models(member)] if isinstance(model, Blend) else [model]
    )
