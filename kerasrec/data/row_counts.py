"""What became of the data rows of a source: every row is kept, merged or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MERGED = {
    "last": "merged as duplicates",
    "sum": "merged as duplicates (values added)",
    "count": "merged as duplicates (rows counted)",
    "max": "merged as duplicates (highest value kept)",
}
"""Way to merge rows of the same user and item → phrase for the rows that were merged. `"last"` keeps the latest."""


@dataclass(frozen=True)
class RowCounts:
    """Numbers of data rows of a file, a frame or arrays: `read` = `kept` + `merged` + `dropped`.

    Attributes:
        kept: rows that became interactions.
        merged: rows that were merged into another row of the same (user, item) pair.
        dropped: reason → rows dropped for that reason.
        duplicates: how rows were merged, a key of `MERGED`.

    Example:
        >>> counts = RowCounts(kept=7, merged=2, dropped={"empty": 1})
        >>> counts.read
        10
        >>> print(counts)
        10 rows read = 7 kept + 2 merged as duplicates + 1 dropped (1 empty)
        >>> print(RowCounts(kept=7, merged=2, duplicates="sum"))
        9 rows read = 7 kept + 2 merged as duplicates (values added)
    """

    kept: int
    merged: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    duplicates: str = "last"

    @property
    def read(self) -> int:
        """All data rows of the source."""
        return self.kept + self.merged + self.n_dropped

    @property
    def n_dropped(self) -> int:
        """Rows dropped for any reason."""
        return sum(self.dropped.values())

    @property
    def losses(self) -> list[str]:
        """One phrase for each reason why rows were merged or dropped; reasons with 0 rows are omitted."""
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.dropped.items() if rows)
        merged = [f"{self.merged:,} {MERGED[self.duplicates]}"] if self.merged else []
        return merged + ([f"{self.n_dropped:,} dropped ({reasons})"] if reasons else [])

    def __str__(self) -> str:
        return f"{self.read:,} rows read = " + " + ".join([f"{self.kept:,} kept", *self.losses])
