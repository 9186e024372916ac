"""Which items of a history raise a score or move a unit, measured by leaving out one item at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasrec.explorer.activations import LayerOutput
from kerasrec.explorer.rounding import round_for_page
from kerasrec.inference.explain import strongest
from kerasrec.types import FloatArray

N_REASONS = 3
"""How many items are shown for each score and each unit."""

N_UNITS = 5
"""How many units are shown for each layer."""


def score_reasons(scores: FloatArray, column: int, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items that raise the score of a column most.

    Args:
        scores: `(1 + n, n_items)`: with the full history, then without each of `items`.
        column: whose score.
        items: the items that were left out, `n` of them.
    """
    changes = scores[0, column] - scores[1:, column]
    best = strongest(changes, N_REASONS)
    return [{**items[i], "change": round_for_page(changes[i])} for i in best]


def most_changed_units(outputs: Sequence[LayerOutput], place: int) -> dict[str, int]:
    """For each layer, the unit that changes most when an item is left out. Layers that do not change are omitted.

    Args:
        outputs: of the layers, each `(1 + n, units)`: with the full history, then without each of `n` items.
        place: of the item among the `n`.
    """
    changes = {output.name: np.abs(output.values[1 + place] - output.values[0]) for output in outputs}
    return {name: int(change.argmax()) for name, change in changes.items() if change.any()}


def strongest_units(output: LayerOutput, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most active units of a layer, each with the items that change it most.

    Args:
        output: `(1 + n, units)`: with the full history, then without each of `items`.
        items: the items that were left out, `n` of them.
    """
    full, left_out = output.values[0], output.values[1:]
    units = []
    for unit in np.argsort(-np.abs(full))[:N_UNITS].tolist():
        changes = full[unit] - left_out[:, unit]
        drivers = [i for i in np.argsort(-np.abs(changes))[:N_REASONS].tolist() if changes[i]]
        units.append(
            {
                "unit": unit,
                "value": round_for_page(full[unit]),
                "drivers": [{**items[i], "change": round_for_page(changes[i])} for i in drivers],
            }
        )
    return units
