"""The configuration of a run, and the model and protocol that it names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kerasrec.data import PROTOCOLS, Interactions
from kerasrec.data.splits import SplitProtocol
from kerasrec.models import ZOO, Recommender

CONFIG_FILE = "run.json"


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run: two runs with equal configurations and data end with equal weights.

    Attributes:
        model: name of the model, a key of `kerasrec.models.ZOO`.
        data: file, folder or name of the data, as for `kerasrec.read`.
        protocol: name of the protocol, a key of `kerasrec.data.PROTOCOLS`.
        seed: seeds the initial weights, the order of the rows, and all random draws of training.
        epochs: passes over the training rows.
        batch_size: rows per batch.
        split_options: arguments of the protocol that differ from its defaults (`{"held_out": 500}`).
        model_options: arguments of the model's constructor that differ from its defaults (`{"reg": 200.0}`).
        read_options: further arguments of `kerasrec.read` (`{"value": "stars", "drop_missing": True}`), as JSON can
            store them.
        learning_rate: initial learning rate of the model's default optimizer, which falls to 0 as a cosine over the
            run. If `None`, the optimizer keeps its default learning rate.
    """

    model: str
    data: str
    protocol: str
    seed: int
    epochs: int
    batch_size: int
    split_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)
    read_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None


def build_model(config: RunConfig, train_table: Interactions) -> Recommender:
    """Creates the compiled, untrained model of a configuration, with the size of its training table.

    Args:
        config: the configuration.
        train_table: the training table.

    Raises:
        ValueError: the model does not accept an option, or `learning_rate` is set for a closed-form model.
    """
    model_class = ZOO[config.model]
    options = {"seed": config.seed, **config.model_options}
    model = model_class.for_interactions(train_table, config.epochs, config.batch_size, **options)
    if config.learning_rate is None:
        model.compile()
        return model
    if model.closed_form:
        raise ValueError(
            f"{config.model} has a closed-form solution, so it has no learning rate. Fix: leave `learning_rate` out"
        )
    default = model.default_optimizer()
    decay = model.cosine_decay(config.learning_rate)
    model.compile(type(default).from_config({**default.get_config(), "learning_rate": decay}))
    return model


def protocol_of(config: RunConfig) -> SplitProtocol:
    """Creates the protocol of a configuration.

    Raises:
        ValueError: the model or the protocol is unknown, or the protocol does not fit the model's feedback. Ranking
            protocols convert ratings to likes, and likes have no RMSE.
    """
    _check_name("model", config.model, ZOO)
    _check_name("protocol", config.protocol, PROTOCOLS)
    feedback = ZOO[config.model].feedback
    if (feedback == "ratings") != (config.protocol == "random-ratings"):
        others = [name for name in PROTOCOLS if name != "random-ratings"]
        fitting = "random-ratings" if feedback == "ratings" else f"one of {', '.join(others)}"
        raise ValueError(
            f"{config.model} predicts {feedback}, but protocol {config.protocol} does not evaluate {feedback}. "
            f"Fix: choose {fitting}"
        )
    protocol: SplitProtocol = PROTOCOLS[config.protocol](**config.split_options)
    return protocol


def _check_name(kind: str, name: str, known: Sequence[str] | dict[str, Any]) -> None:
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}. Fix: choose one of {', '.join(known)}")


def read_config(folder: Path) -> RunConfig:
    """Reads the configuration that `train` stored in a folder.

    Raises:
        ValueError: `run.json` is damaged or lacks a field.
    """
    names = [f.name for f in fields(RunConfig)]
    stored = read_json(folder / CONFIG_FILE, names)
    options = stored["model_options"]
    stored["model_options"] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return RunConfig(**{name: stored[name] for name in names})


def read_json(path: Path, required: Sequence[str]) -> dict[str, Any]:
    """Reads a JSON file of a run.

    Args:
        path: the file.
        required: names that the file must contain.

    Raises:
        ValueError: the file is no JSON object or lacks a required name.
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
