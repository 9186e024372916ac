"""The weights that have a dimension of the catalogue: what a warm start carries to a newer catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import keras
import numpy as np
from keras import ops

from kerasrec.data.catalogue import ids_digest
from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.table_argument import check_table
from kerasrec.models.schedules import PlannedRuns
from kerasrec.types import Array, FloatArray, IntArray

Axes = tuple[str | None, ...]
"""The meaning of each dimension of a weight: "columns", "rows", or None for a width that the catalogue does not set."""

SIZES = ("n_columns", "n_items", "n_users", "side_shape")
"""Constructor arguments that follow from the training table."""

RUN_STATE = ("planned_steps", "run_start", "warm_started", "columns_digest")
"""Entries of `get_config` that `for_interactions` sets."""


class Kept(NamedTuple):
    """The rows or columns that two tables have in common.

    Attributes:
        old: `(n,)`, their positions in the older table.
        new: `(n,)`, their positions in the newer table.
    """

    old: IntArray
    new: IntArray


class CatalogueWeights(PlannedRuns):
    """The part of `Recommender` that moves the learned weights to a newer catalogue."""

    rows: str
    n_columns: int
    seed: int | None
    columns_digest: str | None

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        """The weights that have a dimension of the catalogue, each with the meaning of its dimensions.

        `("columns", None)` is a weight with one row per column of the table, `(None, "columns")` one with one column
        per column. `"rows"` are the rows of the training table.

        Raises:
            ValueError: the model does not declare them.
        """
        raise ValueError(f"{type(self).__name__} does not declare its weights per item. Fix: override `weight_axes`")

    def warm_start(self, train: Interactions, previous: Interactions, **arguments: Any) -> Self:
        """A new model for the catalogue of a newer table, with the learned weights of all items that remain.

        Before training, it gives the same scores as this model to items of both catalogues, for histories of such
        items. New items and new users have the initial weights of the paper. Removed ones are dropped. The state of
        the optimizer is kept. The next `fit` begins a new run, in which the learning rate starts again and annealed
        values keep their ends. A quarter of the steps of the first run suffices. Closed-form models are solved again
        on `train`.

        Args:
            train: the newer training table.
            previous: the table that this model was trained on, which identifies its items and users.
            **arguments: constructor arguments to change, for example `dropout`. Widths cannot change.

        Returns:
            A model of the same class, compiled if this one is.

        Raises:
            TypeError: `train` or `previous` is not a table.
            ValueError: `previous` is not the training table of this model, the tables have no common item, or
                an argument changes the width of a layer.

        Example:
            >>> from kerasrec import MultVAE, generate
            >>> newer = generate(n_users=100, n_items=50, seed=1)
            >>> older = newer.with_catalogue(newer.item_ids[5:])  # five items are new
            >>> model = MultVAE(older.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
            >>> model.compile()
            >>> _ = model.fit(older, epochs=2, verbose=0)
            >>> model = model.warm_start(newer, older)
            >>> _ = model.fit(newer, epochs=1, verbose=0)
            >>> model.recommend(newer, k=5).item_ids.shape
            (100, 5)
        """
        check_table(train=train, previous=previous)
        kept = {"columns": kept_ids(*(column_ids(table, self.rows) for table in (previous, train)))}
        kept["rows"] = kept_ids(*(row_ids(table, self.rows) for table in (previous, train)))
        self._check_previous(previous)
        if not len(kept["columns"].old):
            raise ValueError(
                f"`train`: expected a table with {'users' if self.rows == 'items' else 'items'} of the older "
                f"catalogue ({', '.join(map(str, column_ids(previous, self.rows)[:3]))}, …), got none of them. "
                "Fix: check whether the type or the spelling of the ids has changed"
            )
        config = self.get_config()
        model = self._resized(
            {name: config[name] for name in config if name not in SIZES + RUN_STATE}, train, arguments
        )
        self._check_widths(model, kept, arguments, config)
        carry(self.variables, model.variables, axes_of(model.variables, model.weight_axes()), kept)
        model.count_items(train)
        for old, new in zip(self.weights, model.weights, strict=True):
            new.trainable = old.trainable  # frozen layers stay frozen
        if self.compiled:
            model.compile_from_config(self.get_compile_config())
            if self.optimizer.built:
                slots = model.optimizer.variables
                carry(self.optimizer.variables, slots, axes_of_slots(slots, model.weight_axes()), kept)
        return model

    def layout_map(self, mesh: Any, axis: str = "model") -> Any:
        """The `LayoutMap` for `keras.distribution.ModelParallel` that divides the catalogue among devices.

        Every weight that has a dimension of the catalogue is divided along it; all others are copied to each device.
        A layout applies to weights when they are created: create the model again after `set_distribution`, for
        example by `keras.models.clone_model`.

        Args:
            mesh: a `keras.distribution.DeviceMesh`.
            axis: the name of the mesh's axis along which to divide.

        Raises:
            ValueError: the mesh has no such axis, or its number of devices does not divide the number of columns.
        """
        if axis not in mesh.axis_names:
            raise ValueError(f"`axis`: expected one of {', '.join(mesh.axis_names)}, got {axis!r}")
        n_devices = mesh.shape[list(mesh.axis_names).index(axis)]
        if self.n_columns % n_devices:
            raise ValueError(
                f"`mesh`: expected a number of devices on axis {axis!r} that divides the {self.n_columns:,} columns, "
                f"got {n_devices}. Fix: choose another mesh"
            )
        layouts = keras.distribution.LayoutMap(mesh)
        for weight, axes in self.weight_axes():
            if "columns" in axes:
                last = len(axes) - 1 - axes[::-1].index("columns")
                path = weight.path.removeprefix(f"{self.name}/")
                layouts[f"(.*/)?{re.escape(path)}"] = tuple(axis if i == last else None for i in range(len(axes)))
        return layouts

    def _resized(self, config: dict[str, Any], train: Interactions, arguments: Mapping[str, Any]) -> Any:
        """An untrained model for the catalogue of `train`."""
        digest = ids_digest(column_ids(train, self.rows))
        # Another seed, so that a new item does not get the initial weights that an older one had at its position.
        seed = None if self.seed is None else self.seed_for(f"warm start {digest}")
        model = type(self).for_interactions(train, **{**config, "seed": seed, **arguments})
        model.seed = arguments.get("seed", self.seed)
        model.planned_steps, model.warm_started = self.planned_steps, True
        return model

    def _check_previous(self, previous: Interactions) -> None:
        ids = column_ids(previous, self.rows)
        same_columns = len(ids) == self.n_columns and self.columns_digest in (None, ids_digest(ids))
        if not same_columns or self.n_known_rows not in (None, len(row_ids(previous, self.rows))):
            raise ValueError(
                f"`previous`: expected the training table of this {type(self).__name__}, with {self.n_columns:,} "
                f"columns, got a table of {len(ids):,} columns with other users or items. "
                "Fix: pass the table that the model was trained on"
            )

    def _check_widths(
        self, model: Any, kept: Mapping[str, Kept], arguments: Mapping[str, Any], config: Mapping[str, Any]
    ) -> None:
        axes = axes_of(model.weights, model.weight_axes())
        same = len(self.weights) == len(model.weights) and all(
            len(old.shape) == len(new.shape)
            and all(axis or n == m for axis, n, m in zip(axes_of_new, old.shape, new.shape, strict=True))
            for old, new, axes_of_new in zip(self.weights, model.weights, axes, strict=True)
        )
        if not same:
            changed = {
                name: arguments[name] for name in arguments if name in config and arguments[name] != config[name]
            }
            expected = ", ".join(f"`{name}` = {config[name]}" for name in changed)
            given = ", ".join(map(str, changed.values())) or "other weights"
            raise ValueError(
                f"expected the widths of the older {type(self).__name__} ({expected or 'of all layers'}), got {given}. "
                "Fix: keep the older widths, or train a new model"
            )


def column_ids(table: Interactions, rows: str) -> Array:
    """The ids of a model's columns: items, or users if its rows are items."""
    return table.user_ids if rows == "items" else table.item_ids


def row_ids(table: Interactions, rows: str) -> Array:
    """The ids of a model's rows: users, or items if its rows are items."""
    return table.item_ids if rows == "items" else table.user_ids


def kept_ids(old: Array, new: Array) -> Kept:
    """The positions of the ids that two ascending lists of ids have in common."""
    positions = lookup(old, new)  # of each new id in the old list, or -1
    found = np.flatnonzero(positions >= 0)
    return Kept(positions[found], found)


def axes_of(variables: Iterable[keras.Variable], declared: list[tuple[keras.Variable, Axes]]) -> list[Axes]:
    """The axes of each variable, from those that a model declares."""
    by_id = {id(variable): axes for variable, axes in declared}
    return [by_id.get(id(variable), (None,) * len(variable.shape)) for variable in variables]


def axes_of_slots(slots: Iterable[keras.Variable], declared: list[tuple[keras.Variable, Axes]]) -> list[Axes]:
    """The axes of each variable of an optimizer, which Keras names after the weight it belongs to."""
    by_name = {weight.path.replace("/", "_") + "_": axes for weight, axes in declared}
    result = []
    for slot in slots:
        slot_name = slot.path.rpartition("/")[2]
        names = [name for name in by_name if slot_name.startswith(name)]
        axes: Axes = by_name[max(names, key=len)] if names else ()
        result.append(axes if len(axes) == len(slot.shape) else (None,) * len(slot.shape))
    return result


def carry(
    old: Iterable[keras.Variable], new: Iterable[keras.Variable], axes: Iterable[Axes], kept: Mapping[str, Kept]
) -> None:
    """Assigns the values of `old` to `new`, for rows and columns that both have; the rest of `new` stays.

    Args:
        old: variables of the older model.
        new: variables of the newer model, parallel to `old`.
        axes: their axes, parallel to `old`.
        kept: the common rows and columns.
    """
    for source, target, axes_of_target in zip(old, new, axes, strict=True):
        values = ops.convert_to_numpy(source)
        if any(axes_of_target):
            values = merged(values, ops.convert_to_numpy(target), axes_of_target, kept)
        if values.shape == tuple(target.shape):  # Adafactor has factors of other shapes, which start anew
            target.assign(values)


def merged(old: FloatArray, new: FloatArray, axes: Axes, kept: Mapping[str, Kept]) -> FloatArray:
    """A copy of `new` with the values of `old` at the common rows and columns."""
    whole = [np.arange(n) for n in new.shape]
    source = np.ix_(*(kept[axis].old if axis else n for axis, n in zip(axes, whole, strict=True)))
    target = np.ix_(*(kept[axis].new if axis else n for axis, n in zip(axes, whole, strict=True)))
    result = new.copy()
    result[target] = old[source]
    return result
