"""The configuration of a run, and the model and protocol that it names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasrec.data import PROTOCOLS, HeldOut, Interactions, Split, side_information
from kerasrec.data.batches import SHARDS
from kerasrec.data.side import catalogue_with_features
from kerasrec.data.splits import SplitProtocol
from kerasrec.models import ZOO, Recommender
from kerasrec.models.model_settings import ModelSettings
from kerasrec.validation import as_int_at_least, check_above, check_name

CONFIG_FILE = "run.json"

MAX_LEARNING_RATE = 10.0
"""No model learns with a higher one: it is a mistake in writing, such as 1e3 for 1e-3."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run: two runs with equal configurations and data end with equal weights.

    What is left out is computed from the training and validation data, see `settings_for`.

    Attributes:
        model: name of the model, a key of `kerasrec.models.ZOO`.
        data: file, folder or name of the data, as for `kerasrec.read`.
        protocol: name of the protocol, a key of `kerasrec.data.PROTOCOLS`.
        seed: seeds the initial weights, the order of the rows, and all random draws of training. The seed of the split
            is in `split_options`.
        epochs: passes over the training rows. If `None`, training has about 2,500 updates and stops earlier if the
            validation results do not improve any more.
        batch_size: rows per batch.
        split_options: arguments of the protocol that differ from its defaults (`{"held_out": 500}`).
        model_options: arguments of the model's constructor (`{"reg": 200.0}`); `Recommender.config_for` chooses the
            others.
        read_options: further arguments of `kerasrec.read` (`{"value": "stars", "drop_missing": True}`), as JSON can
            store them.
        item_features: table with features of items, as for `kerasrec.data.side_information`, for models that accept
            side information about items. The catalogue of a model that can score items without interactions also
            contains the items that only this table has.
        user_features: table with features of users, for models whose rows are users.
        learning_rate: initial learning rate of the model's default optimizer, which falls to 0 as a cosine over the
            run.
        shuffle: the order of the rows in an epoch: `"rows"`, a random one, or `"shards"`, one that reads a packed
            folder in long runs; see `Recommender.fit`.

    Raises:
        ValueError: `epochs` or `batch_size` is below 1, `learning_rate` is not above 0 and at most 10, or `shuffle` is
            unknown.
    """

    model: str
    data: str
    protocol: str
    seed: int
    epochs: int | None = None
    batch_size: int | None = None
    split_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)
    read_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None
    item_features: str | None = None
    user_features: str | None = None
    shuffle: str = "rows"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                as_int_at_least(1, **{name: getattr(self, name)})
        if self.learning_rate is not None:
            check_above(0, learning_rate=self.learning_rate)
            if self.learning_rate > MAX_LEARNING_RATE:
                raise ValueError(
                    f"`learning_rate`: expected at most {MAX_LEARNING_RATE:g}, got {self.learning_rate:g}. "
                    "Fix: pass less, for example 0.001"
                )
        if self.shuffle not in ("rows", SHARDS):
            raise ValueError(f"`shuffle`: expected rows or {SHARDS}, got {self.shuffle!r}")

    @property
    def model_class(self) -> type[Recommender]:
        """The class of the model."""
        return ZOO[self.model]

    @property
    def shuffle_of_fit(self) -> bool | str:
        """The argument `shuffle` of `Recommender.fit`."""
        return SHARDS if self.shuffle == SHARDS else True


def settings_for(config: RunConfig, train_table: Interactions, validation: HeldOut | None = None) -> ModelSettings:
    """Completes a configuration: `Recommender.config_for` chooses the settings that it leaves out.

    Args:
        config: the configuration.
        train_table: the training table.
        validation: the validation part of the split. If omitted, the settings follow from the training table alone.

    Raises:
        ValueError: `learning_rate` is set for a closed-form model.
    """
    if config.learning_rate is not None and config.model_class.closed_form:
        raise ValueError(
            f"{config.model} has a closed-form solution, so it has no learning rate. Fix: leave `learning_rate` out"
        )
    side = {}
    if validation is not None and config.model_class.side_axis == "columns":
        side = side_arguments(config, config.model_options, train_table)
    settings = config.model_class.config_for(train_table, validation, **config.model_options, **side)
    given = {name: getattr(config, name) for name in ("epochs", "batch_size", "learning_rate")}
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    return settings if config.epochs is None else replace(settings, patience=None)


def build_model(config: RunConfig, train_table: Interactions, settings: ModelSettings | None = None) -> Recommender:
    """Creates the compiled, untrained model of a configuration, with the size of its training table.

    Args:
        config: the configuration.
        train_table: the training table.
        settings: the result of `settings_for`. If omitted, the settings that `config` leaves out follow from the
            training table alone.

    Raises:
        ValueError: the model does not accept an option, `learning_rate` is set for a closed-form model, or the model
            does not read the features.
    """
    settings = settings or settings_for(config, train_table)
    options = {"seed": config.seed, **settings.arguments, **side_arguments(config, settings.arguments, train_table)}
    model = config.model_class.for_interactions(train_table, settings.epochs, settings.batch_size, **options)
    model.compile(None if settings.learning_rate is None else model.decaying_optimizer(settings.learning_rate))
    return model


def side_arguments(config: RunConfig, arguments: dict[str, Any], train_table: Interactions) -> dict[str, Any]:
    """Returns the features that the model reads as the argument `side`; empty if there are none."""
    files = {"items": config.item_features, "users": config.user_features}
    names = {"items": "item_features", "users": "user_features"}
    of_columns = config.model_class.side_axis == "columns"
    rows = config.model_class.described_by_side(arguments.get("rows", config.model_class.rows))
    for of, file in files.items():
        if file is None:
            continue
        if not config.model_class.accepts_side:
            accepting = ", ".join(name for name, cls in ZOO.items() if cls.accepts_side)
            raise ValueError(f"{config.model} does not read `{names[of]}`. Fix: leave it out, or choose {accepting}")
        if of != rows:
            reason = "this model scores items by features" if of_columns else f"the rows of this model are {rows}"
            fix = f"leave `{names[of]}` out" if of_columns else f"set `rows` to {of}"
            raise ValueError(f"expected `{names[rows]}`, because {reason}, got `{names[of]}`. Fix: {fix}")
    if files[rows] is None:
        return {}
    return {"side": side_information(str(files[rows]), train_table, rows)[0]}


def with_new_items(config: RunConfig, split: Split) -> Split:
    """Returns the split over a catalogue that also has the items that only the features of the run contain.

    The split is unchanged if the model does not score items without interactions.
    """
    if config.item_features is None or config.model_class.side_axis != "columns":
        return split
    catalogue = catalogue_with_features(config.item_features, split.train)
    if len(catalogue) == split.train.n_items:
        return split
    tables: dict[int, Interactions] = {}

    def extended(table: Interactions) -> Interactions:
        return tables.setdefault(id(table), table.with_catalogue(catalogue))  # parts of a split share tables

    def part(held_out: HeldOut) -> HeldOut:
        targets, candidates = held_out.targets, held_out.candidates
        if candidates is not None:
            candidates = np.searchsorted(catalogue, split.train.item_ids[candidates]).astype(np.int32)
        return HeldOut(
            extended(held_out.inputs), None if targets is None else extended(targets), held_out.rows, candidates
        )

    return replace(split, train=extended(split.train), validation=part(split.validation), test=part(split.test))


def protocol_of(config: RunConfig) -> SplitProtocol:
    """Creates the protocol of a configuration.

    Raises:
        ValueError: the model or the protocol is unknown, or the protocol does not fit the model's feedback. Ranking
            protocols convert ratings to likes, and likes have no RMSE.
    """
    check_name("model", config.model, ZOO)
    check_name("protocol", config.protocol, PROTOCOLS)
    feedback = config.model_class.feedback
    if (feedback == "ratings") != (config.protocol == "random-ratings"):
        others = [name for name in PROTOCOLS if name != "random-ratings"]
        fitting = "random-ratings" if feedback == "ratings" else f"one of {', '.join(others)}"
        raise ValueError(
            f"{config.model} predicts {feedback}, but protocol {config.protocol} does not evaluate {feedback}. "
            f"Fix: choose {fitting}"
        )
    protocol: SplitProtocol = PROTOCOLS[config.protocol](**config.split_options)
    return protocol


def read_config(folder: Path) -> RunConfig:
    """Reads the configuration that `train` stored in a folder.

    Raises:
        ValueError: `run.json` is damaged or lacks a field.
    """
    names = [f.name for f in fields(RunConfig)]
    stored = read_json(folder / CONFIG_FILE, [f.name for f in fields(RunConfig) if f.default is MISSING])
    stored["model_options"] = _with_tuples(stored["model_options"])
    return RunConfig(**{name: stored[name] for name in names if name in stored})


def read_settings(folder: Path) -> ModelSettings:
    """Reads the settings that `train` computed when the run in a folder began.

    Raises:
        ValueError: `run.json` is damaged.
    """
    stored = read_json(folder / CONFIG_FILE, ())
    if "settings" not in stored:  # the run was begun by version 0.1, in which the configuration was complete
        config = read_config(folder)
        return ModelSettings(config.model_options, config.epochs or 1, config.batch_size or 1, config.learning_rate)
    settings = stored["settings"]
    trials = tuple((_with_tuples(arguments), result) for arguments, result in settings["trials"])
    return ModelSettings(**{**settings, "arguments": _with_tuples(settings["arguments"]), "trials": trials})


def _with_tuples(options: dict[str, Any]) -> dict[str, Any]:
    """Options as they were before JSON, which has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def read_json(path: Path, required: Sequence[str]) -> dict[str, Any]:
    """Reads a JSON file of a run.

    Args:
        path: the file.
        required: names that the file must contain.

    Raises:
        ValueError: the file is not a JSON object or lacks a required name.
    """
    fix = f"Fix: remove the folder {path.parent} and train again"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name in required if name not in content]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}). {fix}") from None
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: damaged, or of another version of kerasrec. {fix}")
    return content
