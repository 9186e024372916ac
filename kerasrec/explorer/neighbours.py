"""The most similar items of an item, from the graph that an export contains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasrec.explorer.catalogue import Catalogue
from kerasrec.explorer.export_client import ExportClient

N_NEIGHBOURS = 3
"""How many similar items are shown for an item."""


def most_similar(export: ExportClient, catalogue: Catalogue, columns: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """For each column, as text, the most similar items, best first."""
    if not columns:
        return {}
    item_ids, _ = export.similar(catalogue.item_ids[columns].tolist())
    similar = (catalogue.columns(ids[:N_NEIGHBOURS]).tolist() for ids in item_ids)
    return {
        str(column): [catalogue.item(other) for other in others if other >= 0]
        for column, others in zip(columns, similar, strict=True)
    }
