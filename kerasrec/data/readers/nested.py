"""Nested columns of JSON, Parquet and Feather: structures, lists of records, and lists of keys with values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasrec.data.errors import DataError

KEY_VALUE = {"key", "value"}
"""Fields of a list of parameters, as GA4 exports them to BigQuery."""


class FlatTable(NamedTuple):
    """A table whose nested fields are columns with a point in their name.

    Attributes:
        table: the pyarrow table without structures.
        lists: name of a column of records, one list per row → names of its fields.
    """

    table: Any
    lists: dict[str, list[str]]

    @property
    def header(self) -> list[str]:
        """All names. `items.id` is the field `id` of the records in the lists of the column `items`."""
        return [
            *self.table.column_names,
            *(f"{name}.{field}" for name, fields in self.lists.items() for field in fields),
        ]

    def columns(self, source: object, names: Sequence[str]) -> tuple[list[Any], dict[str, int]]:
        """Returns the columns with these names. If some are fields of a list, there is a row for each record.

        Args:
            source: the file, for messages.
            names: names in `header`.

        Returns:
            The columns, and the reason → rows that were dropped, because their list is empty.

        Raises:
            DataError: The names are fields of several lists, or are lists of different lengths.
        """
        import pyarrow.compute as pc

        plain_lists = [name for name in names if name in self.table.column_names and self._is_list(name)]

        lists = {name: field for name in names for field in self.lists if name not in self.table.column_names
                 and name.startswith(f"{field}.")}  # fmt: skip
        if plain_lists and not lists:
            return self._columns_of_plain_lists(source, names, plain_lists)
        if len(set(lists.values())) > 1 or plain_lists:
            raise DataError(
                f"{source}: expected columns of one list, got {', '.join([*lists, *plain_lists])}. "
                "Fix: pass other names of columns"
            )
        if not lists:
            return [self.table[name] for name in names], {}
        (list_name,) = set(lists.values())
        column = self.table[list_name].combine_chunks()
        parents, records = pc.list_parent_indices(column), pc.list_flatten(column)
        columns = [
            pa_chunked(pc.struct_field(records, name.removeprefix(f"{list_name}.").split(".")))
            if name in lists
            else self.table[name].take(parents)
            for name in names
        ]
        n_without = len(self.table) - len(pc.unique(parents))
        return columns, {f"without {list_name}": n_without} if n_without else {}

    def _is_list(self, name: str) -> bool:
        import pyarrow as pa

        kind = self.table[name].type
        return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)

    def _columns_of_plain_lists(
        self, source: object, names: Sequence[str], lists: Sequence[str]
    ) -> tuple[list[Any], dict[str, int]]:
        """Returns the columns with a row for each entry of parallel lists, as `columns` does for records."""
        import pyarrow.compute as pc

        parents = [pc.list_parent_indices(self.table[name].combine_chunks()) for name in lists]
        if not all(other.equals(parents[0]) for other in parents):
            raise DataError(
                f"{source}: expected lists of equal lengths in each row of {', '.join(lists)}, got others. "
                "Fix: correct the lists"
            )
        columns = [
            pa_chunked(pc.list_flatten(self.table[name].combine_chunks()))
            if name in lists
            else self.table[name].take(parents[0])
            for name in names
        ]
        n_without = len(self.table) - len(pc.unique(parents[0]))
        return columns, {f"without {lists[0]}": n_without} if n_without else {}


def pa_chunked(array: Any) -> Any:
    """Returns an array of pyarrow as a chunked array."""
    import pyarrow as pa

    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def flatten(table: Any) -> FlatTable:
    """Separates structures into their fields, and lists of keys with values into one column for each key."""
    import pyarrow as pa

    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    lists: dict[str, list[str]] = {}
    for name in table.column_names:
        kind: Any = table.schema.field(name).type if table.column_names.count(name) == 1 else pa.null()
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not is_list or not pa.types.is_struct(kind.value_type):
            continue
        fields = {field.name for field in kind.value_type}
        if fields >= KEY_VALUE:
            for key, column in _parameters(table[name].combine_chunks()).items():
                table = table.append_column(f"{name}.{key}", column)
        else:
            lists[name] = _leaves(kind.value_type)
    return FlatTable(table, lists)


def _leaves(struct: Any, prefix: str = "") -> list[str]:
    """Returns the paths of the fields of a structure that are not structures."""
    import pyarrow as pa

    return [
        leaf
        for field in struct
        for leaf in (
            _leaves(field.type, f"{prefix}{field.name}.") if pa.types.is_struct(field.type) else [prefix + field.name]
        )
    ]


def _parameters(column: Any) -> dict[str, Any]:
    """Returns key → column of strings, for a list of keys with values in each row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parents, records = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
    keys, values = pc.struct_field(records, "key"), pc.struct_field(records, "value")
    if pa.types.is_struct(values.type):  # a field for each type, all but one of them missing
        fields = [pc.struct_field(values, field.name) for field in values.type if not pa.types.is_nested(field.type)]
        values = pc.coalesce(*(field.cast(pa.string()) for field in fields))
    columns = {}
    for key in pc.unique(keys).drop_null().to_pylist():
        has_key = np.asarray(pc.fill_null(pc.equal(keys, key), False).to_numpy(zero_copy_only=False))
        positions = np.full(len(column), -1)
        positions[parents[has_key]] = np.flatnonzero(has_key)
        indices = pa.array(positions, mask=positions < 0)
        columns[str(key)] = pa_chunked(values.cast(pa.string()).take(indices))
    return columns
