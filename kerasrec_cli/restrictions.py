"""The options of `kerasrec recommend` that restrict which items may be in a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kerasrec_cli.id_lists import known_items, possible_ids, read_list


@dataclass(frozen=True)
class Restrictions:
    """Which items may be in the lists, with ids as text.

    Attributes:
        exclude: items that are never recommended.
        candidates: the only items that may be recommended; `None` for all items.
        min_score: items with a lower score are left out; `None` for no limit.
    """

    exclude: list[str] = field(default_factory=list)
    candidates: list[str] | None = None
    min_score: float | None = None

    @classmethod
    def read(cls, exclude: str, candidates: str | None, min_score: float | None) -> Restrictions:
        """The restrictions that the options name.

        Raises:
            ValueError: `candidates` is an empty list, or a file of ids cannot be read.
        """
        candidate_ids = None if candidates is None else _not_empty(read_list(candidates, "--candidates"))
        return cls(read_list(exclude, "--exclude"), candidate_ids, min_score)

    def possible(self, are_strings: bool) -> dict[str, list[Any]]:
        """The lists as arguments of a client, without ids of another type than those of the items.

        Raises:
            ValueError: no candidate has the type of the items.
        """
        candidates = self.candidates
        return {
            "exclude": possible_ids(self.exclude, are_strings, "--exclude"),
            "candidates": []  # all
            if candidates is None
            else _not_empty(possible_ids(candidates, are_strings, "--candidates")),
        }

    def known(self, catalogue: Any) -> dict[str, list[Any]]:
        """The arguments `exclude` and `candidates` of `Recommender.recommend`; notes count unknown ids.

        Raises:
            ValueError: no candidate is in the catalogue.
        """
        lists = {
            name: known_items(ids, catalogue, f"--{name}")
            for name, ids in self.possible(catalogue.dtype.kind in "US").items()
        }
        if self.candidates is not None:
            _not_empty(lists["candidates"])
        return lists


def _not_empty(candidates: list[Any]) -> list[Any]:
    """The candidates. An empty list would mean all items to the model."""
    if not candidates:
        raise ValueError(
            "--candidates: expected at least one item of the catalogue, got none. Fix: leave it out to allow all items"
        )
    return candidates
