"""Item-to-item weights of a linear model: what raises and what lowers the score of an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasrec.explorer.catalogue import Catalogue
from kerasrec.explorer.rounding import round_for_page
from kerasrec.models import Recommender
from kerasrec.types import IntArray

N_LOWEST = 5
"""How many items with the lowest scores are shown."""


def strongest_weights(
    model: Recommender, catalogue: Catalogue, history: IntArray, listed: Sequence[int]
) -> dict[str, Any]:
    """The strongest weights from the items of a history to the items of the list, and to those with the lowest scores.

    Args:
        model: a linear model.
        catalogue: its items.
        history: columns of the history.
        listed: columns of the list.
    """
    # The scores of a history of one item are that item's row of the weights: (n_history, n_items).
    alone = model({"ids": history.reshape(-1, 1).astype(np.int32)}, training=False)
    weights = np.asarray(keras.ops.convert_to_numpy(alone), np.float32)
    order = np.argsort(weights.sum(axis=0), kind="stable")
    lowest = order[np.isin(order, history, invert=True)][:N_LOWEST].tolist()

    def with_weights(column: int) -> dict[str, Any]:
        terms = weights[:, column]
        order = np.argsort(-terms)
        shown = [*(i for i in order[:4] if terms[i] > 0), *(i for i in order[-3:] if terms[i] < 0)]
        items = [{**catalogue.item(int(history[i])), "weight": round_for_page(terms[i])} for i in shown]
        return {**catalogue.item(column), "score": round_for_page(terms.sum()), "weights": items}

    return {"list": [with_weights(column) for column in listed], "lowest": [with_weights(column) for column in lowest]}
