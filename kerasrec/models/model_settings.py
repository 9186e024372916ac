"""The settings that `Recommender.config_for` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelSettings:
    """Settings of a model and of its training, for one training table.

    Attributes:
        arguments: arguments of the constructor, without the sizes of the table: those of the caller and those that
            suit the table better than the constructor's defaults.
        epochs: passes over the training rows.
        batch_size: rows per batch.
        learning_rate: initial learning rate, which falls to 0 over the run; None if the default optimizer's suits.
        patience: epochs without a better validation result after which training stops; None to train all epochs.
        trials: arguments and validation result of each value that was compared on validation data.
    """

    arguments: dict[str, Any]
    epochs: int
    batch_size: int
    learning_rate: float | None = None
    patience: int | None = None
    trials: tuple[tuple[dict[str, Any], float], ...] = ()

    @property
    def chosen(self) -> dict[str, Any]:
        """The arguments that were chosen on validation data; empty if none were."""
        return {name: self.arguments[name] for arguments, _ in self.trials for name in arguments}

    def describe_trials(self) -> str:
        """The compared values with their validation results, as one line: `reg 50 → .3012, 100 → .3107`."""
        lines = []
        previous: Any = ()
        for arguments, result in self.trials:
            is_same = list(arguments) == list(previous)
            values = (f"{value:g}" if is_same else f"{name} {value:g}" for name, value in arguments.items())
            lines.append(f"{', '.join(values)} → {result:.4f}")
            previous = arguments
        return ", ".join(lines)
