"""Numbers in the answers to the page."""

from __future__ import annotations

from typing import Any


def round_for_page(value: Any) -> float:
    """Rounds to five significant digits: more would not be shown and would make a saved page larger."""
    return float(f"{float(value):.5g}")
