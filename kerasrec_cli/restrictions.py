"""The options of `kerasrec recommend` that restrict which items may be in a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kerasrec_cli.id_lists import known_items, possible_ids


@dataclass(frozen=True)
class Restrictions:
    """Which items may be in the lists, with ids as text.

    Attributes:
        exclude: items that are never recommended.
        candidates: the only items that may be recommended.
        has_candidates: whether `candidates` applies; without candidates, all items may be recommended.
        min_score: items with a lower score are left out; `None` for no limit.
    """

    exclude: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    has_candidates: bool = False
    min_score: float | None = None

    def known(self, catalogue: Any) -> dict[str, list[Any]]:
        """The arguments `exclude` and `candidates` of `Recommender.recommend`; notes count unknown ids.

        Raises:
            ValueError: no candidate is in the catalogue.
        """
        are_strings = catalogue.dtype.kind in "US"
        lists = {
            name: known_items(possible_ids(ids, are_strings, f"--{name}"), catalogue, f"--{name}")
            for name, ids in (("exclude", self.exclude), ("candidates", self.candidates))
        }
        if self.has_candidates and not lists["candidates"]:
            raise ValueError("--candidates: expected at least one item of the catalogue, got none")
        return lists
