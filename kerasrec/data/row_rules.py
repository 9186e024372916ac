"""Rules that choose rows of a source, weigh them, and merge repeated pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kerasrec.data.errors import DataError
from kerasrec.data.rows import check_duplicates
from kerasrec.data.text import MISSING, NUMBER, as_integers, is_text, is_text_column, rows_where

RULE = "column "
"""Prefix of the key of a column that a rule reads, among the roles of columns: "column event"."""


@dataclass(frozen=True)
class RowRules:
    """Which rows of a source become interactions, and with which value.

    Attributes:
        where: column → its accepted values. Other rows are dropped.
        event_weights: column → event → value of its rows. Rows with other events are dropped. At most one
            column.
        duplicates: how to merge rows of the same user and item; see `kerasrec.data.rows.DUPLICATES`.
        drop_missing: whether to drop the rows in which a field is missing.

    Raises:
        DataError: A rule is invalid.
    """

    where: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    event_weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    duplicates: str | None = None
    drop_missing: bool = False

    def __post_init__(self) -> None:
        check_duplicates(self.duplicates)
        for name, values in self.where.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise DataError(
                    f"expected a list of values of column {name!r} as `where`, got {values!r}. "
                    "Fix: write {'event': ['purchase']}"
                )
        weights = [weight for events in self.event_weights.values() for weight in events.values()]
        if len(self.event_weights) > 1 or (self.event_weights and not weights):
            raise DataError(
                "expected one column of events and the weight of each event as `event_weights`, got "
                f"{dict(self.event_weights)!r}. Fix: write {{'event': {{'view': 1, 'purchase': 10}}}}"
            )
        if not all(isinstance(weight, (int, float)) and weight > 0 for weight in weights):
            raise DataError(
                f"expected numbers above 0 as `event_weights`, got {weights}. Fix: write {{'event': {{'view': 1}}}} "
                "and leave out the events that do not count"
            )

    @property
    def columns(self) -> list[str]:
        """Names of the columns that the rules read."""
        return list(dict.fromkeys([*self.where, *self.event_weights]))

    @property
    def are_active(self) -> bool:
        """Whether rows may be dropped or weighed, so that all columns must be in memory at once."""
        return bool(self.columns) or self.drop_missing

    @property
    def merging(self) -> str | None:
        """How to merge rows of the same user and item. Weights of events are added by default."""
        return self.duplicates or ("sum" if self.event_weights else None)

    def names_of_roles(self, names: Mapping[str, str]) -> dict[str, str]:
        """Returns role → name of its column. The value of counted rows is named "count"."""
        roles = {role: name for role, name in names.items() if not role.startswith(RULE)}
        if self.event_weights:
            roles["value"] = "event weight"
        elif self.duplicates == "count" or (self.duplicates == "sum" and "value" not in roles):
            roles["value"] = "count"
        return roles

    def accepts(self, fields: Mapping[str, str]) -> bool:
        """Returns whether the rules keep a row. Keys of `fields`: a role, or `RULE` + column; values: the text."""
        for name, values in [*self.where.items(), *self.event_weights.items()]:
            text = fields[RULE + name].strip()
            if text not in _texts(values) and not (NUMBER.fullmatch(text) and float(text) in _numbers(values)):
                return False
        ids = [text.strip() for role, text in fields.items() if not role.startswith(RULE)]
        return not (self.drop_missing and any(text in MISSING for text in ids))

    def apply(
        self, columns: Mapping[str, Any], from_text: bool = False, is_part: bool = False
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """Applies the rules, except for `duplicates`.

        Args:
            columns: role or `RULE` + column → pyarrow column.
            from_text: whether ids are text that can be integers.
            is_part: whether the columns are a part of a source, in which it is no error if no row fulfils a rule.

        Returns:
            Role → pyarrow column, and the reason → number of rows that were dropped.

        Raises:
            DataError: No row fulfils a rule, and `is_part` is False.
        """
        columns, dropped = dict(columns), {}
        for name, values in self.where.items():
            columns, n_others = self._matching(columns, name, values, is_part)
            dropped[f"{name} other than {', '.join(map(str, values))}"] = n_others
        for name, weights in self.event_weights.items():
            columns, n_others = self._matching(columns, name, list(weights), is_part)
            dropped[f"{name} without a weight"] = n_others
            columns["value"] = _weights_of(columns[RULE + name], weights)
        columns = {role: column for role, column in columns.items() if not role.startswith(RULE)}
        if self.drop_missing:
            columns, missing = without_missing(columns, from_text)
            dropped |= missing
        return columns, dropped

    def _matching(
        self, columns: dict[str, Any], name: str, values: Sequence[Any], is_part: bool
    ) -> tuple[dict[str, Any], int]:
        """Returns the rows in which a column has one of the values, and the number of other rows."""
        import pyarrow.compute as pc

        column = columns[RULE + name]
        mask = _is_one_of(column, values)
        n_matching = pc.sum(mask).as_py() or 0
        if not n_matching and not is_part:
            counts = sorted(pc.value_counts(_decoded(column)).to_pylist(), key=lambda count: -count["counts"])
            raise DataError(
                f"expected rows with {', '.join(map(str, values))} in column {name!r}, got only "
                f"{', '.join(str(count['values']) for count in counts[:8])}. Fix: choose from these values"
            )
        if n_matching == len(column):
            return columns, 0
        return {role: other.filter(mask) for role, other in columns.items()}, len(column) - n_matching


def without_missing(columns: Mapping[str, Any], from_text: bool = False) -> tuple[dict[str, Any], dict[str, int]]:
    """Drops the rows in which a field is missing or blank.

    Args:
        columns: role → pyarrow column.
        from_text: whether ids are text that can be integers. Then "NA" is a missing id if all others are integers.

    Returns:
        The columns, and the reason → number of rows that were dropped.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns, dropped = dict(columns), {}
    for role in columns:
        column = columns[role]
        if is_text_column(column):
            missing = MISSING[:1]
            if from_text and role in ("user", "item"):
                distinct = pc.unique(pc.utf8_trim_whitespace(pc.unique(_decoded(column))))
                missing = MISSING[:1] if is_text(as_integers(distinct).type) else MISSING
            is_present = rows_where(column, partial(_is_present, missing=pa.array(missing)))
        else:
            is_present = pc.invert(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))
        n_missing = len(column) - (pc.sum(is_present).as_py() or 0)
        if n_missing:
            columns = {name: other.filter(is_present) for name, other in columns.items()}
            dropped[f"missing {role}"] = n_missing
    return columns, dropped


def _is_present(texts: Any, missing: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.and_(pc.is_valid(texts), pc.invert(pc.is_in(pc.utf8_trim_whitespace(texts.cast(pa.string())), missing)))


def _texts(values: Any) -> set[str]:
    return {str(value).lower() if isinstance(value, bool) else str(value) for value in values}


def _numbers(values: Any) -> set[float]:
    return {float(value) for value in values if NUMBER.fullmatch(str(value))}


def _decoded(column: Any) -> Any:
    """Returns a column without dictionary encoding."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _is_one_of(column: Any, values: Sequence[Any]) -> Any:
    """Returns which rows of a column have one of the values, which are compared as numbers or as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = pa.array(sorted(_numbers(values)), pa.float64())
        return pc.fill_null(pc.is_in(column.cast(pa.float64(), safe=False), numbers), False)
    texts = pa.array(sorted(_texts(values)))
    if not is_text_column(column):
        column = column.cast(pa.string())
    return rows_where(column, lambda entries: pc.is_in(pc.utf8_trim_whitespace(entries.cast(pa.string())), texts))


def _weights_of(column: Any, weights: Mapping[str, float]) -> Any:
    """Returns the weight of each row of a column that contains only events with a weight."""
    import pyarrow as pa
    import pyarrow.compute as pc

    result = pa.chunked_array([pa.nulls(len(column), pa.float64())])
    for event, weight in weights.items():
        result = pc.if_else(_is_one_of(column, [event]), float(weight), result)
    return result
