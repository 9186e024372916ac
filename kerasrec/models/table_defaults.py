"""Settings computed from the training table, so that a model without options is a fair baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tqdm.auto import tqdm

from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.data.table_argument import check_table
from kerasrec.inference.evaluation import evaluate
from kerasrec.models.model_settings import ModelSettings
from kerasrec.models.schedules import PlannedRuns
from kerasrec.types import FloatArray

MAX_ITEMS_OF_TRIALS = 10_000
"""A larger catalogue is reduced to its most popular items to compare values on validation data."""

MAX_EXTENSIONS = 4
"""How often a grid is extended, if its best value is at one end."""

MIN_EPOCHS = 30
MAX_EPOCHS = 60
"""More epochs of a small table overfit: on MovieLens 100K, Mult-VAE is better after 75 epochs than after 156."""


class TableDefaults(PlannedRuns):
    """The part of `Recommender` that computes settings from a training table.

    Class attributes:
        validation_grid: argument of a closed-form model → values that `config_for` compares on validation data. `solve`
            reads the argument from the attribute of the same name. If the best value is at one end, further values
            are compared, each twice (or half) the one before.
        default_updates: updates of a training run.
        default_learning_rate: initial learning rate of a training run, which falls to 0; None if the default optimizer
            chooses it.
    """

    validation_grid: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    default_updates = 2500
    default_learning_rate: float | None = None
    closed_form: bool

    @classmethod
    def config_for(cls, train: Interactions, validation: HeldOut | None = None, **arguments: Any) -> ModelSettings:
        """Settings for a training table. The constructor's defaults are the paper's; these depend on the table.

        `for_interactions` and `kerasrec train` use them.

        Args:
            train: the training table.
            validation: the validation part of the split. Some arguments of closed-form models are then chosen by their
                results on it (`validation_grid`). Without it they follow from the table alone.
            **arguments: arguments of the constructor, which stay as they are; and `side`, if the model reads features.

        Raises:
            TypeError: `train` is not a table.
            ValueError: the table has no interactions, or another size than that in `arguments`.

        Example:
            >>> from kerasrec import EASE, HeldOutUsers, MultVAE, generate
            >>> split = HeldOutUsers(held_out=50).split(generate(n_users=600, n_items=60, seed=1))
            >>> config = MultVAE.config_for(split.train)
            >>> config.batch_size, config.epochs, config.learning_rate
            (100, 60, 0.004)
            >>> config = EASE.config_for(split.train, split.validation)
            >>> sorted(config.chosen), len(config.trials) >= 6
            (['reg'], True)
        """
        check_table(train=train)
        if not len(train):
            raise ValueError("`train`: expected a table with interactions, got none. Fix: pass the training table")
        sizes = cls.sizes_for(train, arguments)
        for name in {"n_items", "n_columns"} & arguments.keys() & sizes.keys():
            if arguments[name] != sizes[name]:
                raise ValueError(
                    f"`{name}`: expected {sizes[name]}, as in the table, got {arguments[name]}. Fix: omit it"
                )
        side = arguments.pop("side", None)
        arguments = {**cls.defaults_for(train, validation, arguments), **arguments}
        trials: list[tuple[dict[str, Any], float]] = []
        if validation is not None and validation.targets is not None and len(validation.targets):
            for name, values in cls.validation_grid.items():
                if name not in arguments:
                    compared = cls._compare(train, validation, arguments, name, values, side)
                    arguments |= max(compared, key=lambda trial: trial[1])[0]
                    trials += compared
        arguments = {**cls.defaults_without_validation(train, arguments), **arguments}
        if cls.closed_form:
            return ModelSettings(arguments, 1, cls.default_batch_size, trials=tuple(trials))
        n_rows = train.n_items if arguments.get("rows") == "items" else train.n_users
        batch_size = cls.batch_size_for(n_rows)
        epochs = int(np.clip(round(cls.default_updates / cls.steps_for(n_rows, 1, batch_size)), MIN_EPOCHS, MAX_EPOCHS))
        return ModelSettings(arguments, epochs, batch_size, cls.default_learning_rate, max(10, epochs // 3))

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Arguments that suit the table better than the constructor's defaults; override it to define some.

        Args:
            train: the training table.
            validation: the validation part, which shows whether the protocol tests unknown users (its rows are -1).
            arguments: what the caller of `config_for` has set.
        """
        return {}

    @classmethod
    def defaults_without_validation(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the arguments in `validation_grid` where there is no validation data; override it with the grid."""
        return {}

    @classmethod
    def batch_size_for(cls, n_rows: int) -> int:
        """Rows per batch for a table of `n_rows` rows: 1/50 of them, within 100 to 500."""
        return int(np.clip(n_rows // 50, 100, 500))

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of the constructor that the table determines, such as the number of items."""
        return {"n_items": train.n_items}

    @classmethod
    def _compare(
        cls,
        train: Interactions,
        validation: HeldOut,
        arguments: dict[str, Any],
        name: str,
        values: tuple[float, ...],
        side: FloatArray | None = None,
    ) -> list[tuple[dict[str, Any], float]]:
        """Validation results of the values of one argument, ordered by value."""
        train, validation, side = _reduced(train, validation, side)
        model: Any = None
        results: dict[float, float] = {}
        with tqdm(total=len(values), desc=f"comparing {name} of {cls.__name__}", delay=2, leave=False) as progress:
            remaining = list(values)
            while remaining:
                value = remaining.pop(0)
                if model is None:
                    model = cls(**{**cls.sizes_for(train, arguments), **arguments, name: value})
                    if side is not None:
                        model.set_side(side)
                setattr(model, name, value)  # one model, because compiling its prediction takes longer than solving
                model.columns_digest = None
                model.fit(train, verbose=0)
                metric = model.monitor.removeprefix("val_")
                results[value] = evaluate(model, validation, [metric]).means[metric]
                progress.update()
                if not remaining and len(results) < len(values) + MAX_EXTENSIONS:
                    best = max(results, key=lambda value: results[value])
                    remaining = [best * 2] if best == max(results) else [best / 2] if best == min(results) else []
                    progress.total = len(results) + len(remaining)
        return [({name: value}, results[value]) for value in sorted(results)]


def _reduced(
    train: Interactions, validation: HeldOut, side: FloatArray | None
) -> tuple[Interactions, HeldOut, FloatArray | None]:
    """Both tables and the features with the most popular items only, if there are more than `MAX_ITEMS_OF_TRIALS`.

    If only some items are ranked, all of them stay, because these may be unpopular.
    """
    if train.n_items <= MAX_ITEMS_OF_TRIALS or validation.targets is None or validation.candidates is not None:
        return train, validation, side
    popular = np.sort(np.argsort(-train.item_counts, kind="stable")[:MAX_ITEMS_OF_TRIALS])
    catalogue, side = train.item_ids[popular], None if side is None else side[popular]
    tables = (validation.inputs.with_catalogue(catalogue), validation.targets.with_catalogue(catalogue))
    return train.with_catalogue(catalogue), HeldOut(*tables, validation.rows), side
