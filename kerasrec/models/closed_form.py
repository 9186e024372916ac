"""Models that are solved instead of trained: one pass over the data, then linear algebra."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec.data.interactions import Interactions
from kerasrec.data.popularity import ItemPopularity
from kerasrec.models.batch_matrix import matrix_of_batches
from kerasrec.models.catalogue_weights import RUN_STATE, SIZES
from kerasrec.models.fit_arguments import as_table, check_fit_arguments, check_held_out
from kerasrec.models.one_epoch import OneEpoch, check_names_of_fit
from kerasrec.ops.hardware import available_memory
from kerasrec.ops.variables import aligned_copy, as_array_without_copy, assign_without_copy
from kerasrec.types import FloatArray


class ClosedForm(OneEpoch):
    """Base of the models whose weights follow from the data in one step.

    `fit` has the arguments of every model's `fit` and ignores those without a meaning here (epochs, batch size,
    optimizer). A subclass implements `build`, which creates the weights, `solve`, which computes them, and `call`. The
    weights are created in `fit` or by `load_weights`, because they are as large as the memory that `solve` needs.
    """

    builds_at_construction = False
    memory_fix = "keep the items with more users (`Interactions.core`), or use ELSA"
    """What the error of `check_memory` suggests."""
    time_exponent = 3.0
    """Power of the number of items by which the time of `solve` grows at most."""

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray | tuple[FloatArray, ...]:
        """The weights, from the matrix of the training table.

        Args:
            rows: float32 `(n_users, n_items)`: 1 for a like, or the ratings, of which 0 can be one.
            progress: a bar of 100 steps, to advance with `update`.

        Returns:
            float32, of the shape of the weight; a tuple in the order of `weights` if there are several.
        """
        raise NotImplementedError

    def solve_table(self, table: Interactions, progress: tqdm) -> FloatArray | tuple[FloatArray, ...]:
        """The weights, from the training table. Override it in a model that needs no matrix.

        Args:
            table: the training table.
            progress: as for `solve`.
        """
        return self.solve(table.matrix if self.feedback == "ratings" else table.likes().matrix, progress)

    def bytes_to_solve(self, n_users: int) -> float:
        """Memory to solve a table of `n_users` users and to save the weights; override it for large weights."""
        return 0.0

    def check_memory(self, n_users: int) -> None:
        """Refuses to solve a problem that does not fit into memory.

        Raises:
            MemoryError: `bytes_to_solve` is more than the available memory.
        """
        needed, available = self.bytes_to_solve(n_users), available_memory()
        if needed > available:
            raise MemoryError(
                f"{type(self).__name__} needs {needed / 1e9:,.0f} GB for {self.n_columns:,} items and {n_users:,} "
                f"users, and {available / 1e9:,.0f} GB are available. Fix: {self.memory_fix}"
            )

    def fit(  # type: ignore[override]  # the arguments that it ignores are in `kwargs`
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Solves for the weights; see `Recommender.fit` for the arguments.

        Returns:
            A Keras `History` of one epoch.

        Raises:
            TypeError: an argument is unknown.
        """
        check_names_of_fit(kwargs)
        x = as_table(x, self.n_columns)
        check_held_out(validation_data, "validation_data")
        if sample_weight is not None and not isinstance(x, Interactions):
            raise ValueError(f"`sample_weight`: expected None, because {type(self).__name__} weighs all users equally")
        if validation_split and not isinstance(x, Interactions):
            raise ValueError(
                f"`validation_split`: expected 0, got {validation_split}, because {type(self).__name__} is solved from "
                "all rows. Fix: pass `validation_data`"
            )
        check_fit_arguments(x, y, validation_split, class_weight, sample_weight)
        if isinstance(x, Interactions):
            self.check_columns(x)
            self.set_training_table(x)
            n_users, solve = x.n_users, partial(self.solve_table, x)
        else:
            rows = matrix_of_batches(x, self.n_columns, use_values=self.feedback == "ratings")
            self.item_popularity = ItemPopularity(np.bincount(rows.indices, minlength=self.n_columns))
            n_users, solve = rows.shape[0], partial(self.solve, rows)
        self.check_memory(n_users)

        def step() -> None:
            style = {"bar_format": "{l_bar}{bar}| {elapsed}{postfix}", "delay": 2, "leave": False}
            with tqdm(total=100, desc=f"solving {self.name}", disable=verbose == 0, **style) as progress:
                solution = solve(progress)
            if not self.built:
                self.build()
            arrays = solution if isinstance(solution, tuple) else (solution,)
            for array, weight in zip(arrays, self.weights, strict=True):
                assign_without_copy(array, weight)

        return self.run_one_epoch(step, callbacks, validation_data)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Not supported: a batch is not enough to solve for the weights.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"`train_on_batch`: {type(self).__name__} is solved from all rows at once. Fix: `fit(table)`")

    def warm_start(self, train: Interactions, previous: Interactions, **arguments: Any) -> Self:
        """A new model, solved on a newer table; see `Recommender.warm_start`.

        Args:
            train: the newer training table.
            previous: not used, because the solution follows from `train` alone.
            **arguments: constructor arguments to change.
        """
        config = {name: value for name, value in self.get_config().items() if name not in SIZES + RUN_STATE}
        model = type(self).for_interactions(train, **{**config, **arguments})
        if self.compiled:
            model.compile_from_config(self.get_compile_config() or {})
        model.fit(train)
        return model

    def load_weights(self, filepath: Any, **kwargs: Any) -> None:
        """Creates the weights and loads them; see `keras.Model.load_weights`."""
        if not self.built:
            self.build()
        super().load_weights(filepath, **kwargs)

    def save_arrays(self, store: Any) -> None:
        for number, weight in enumerate(self.weights):
            store[str(number)] = as_array_without_copy(weight)

    def load_arrays(self, arrays: Mapping[str, Any]) -> None:
        if len(arrays) != len(self.weights):
            return super().load_arrays(arrays)  # raises Keras' error
        for number, weight in enumerate(self.weights):
            assign_without_copy(aligned_copy(arrays[str(number)]), weight)

    def get_build_config(self) -> dict[str, Any] | None:  # type: ignore[override]
        return {"built": True} if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        if not self.built:
            self.build()

    def check_fitted(self) -> None:
        if not self.built:  # Keras would build the model, and scores of 0 look like a result
            raise ValueError(f"this {type(self).__name__} has not been fitted. Fix: call `fit`, or load a saved model")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.check_fitted()
        return super().__call__(*args, **kwargs)
