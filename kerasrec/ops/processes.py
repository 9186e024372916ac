"""Processes that train one model together, under `keras.distribution` on JAX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


def is_first_process() -> bool:
    """Whether this process writes the files; True if it is the only one."""
    if keras.backend.backend() != "jax":
        return True
    import jax

    return jax.process_index() == 0


def wait_for_all_processes(step: str) -> None:
    """Returns when all processes have reached a step."""
    if n_processes() > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        sync_global_devices(step)


@contextmanager
def whole_weights(model: keras.Model) -> Iterator[None]:
    """A context in which weights and optimizer state that are divided among processes are whole, for a file.

    All processes must enter it if anything is divided. Each needs the memory of the whole values.
    """
    divided: list[tuple[Any, Any]] = []
    if n_processes() > 1:
        from jax.experimental.multihost_utils import process_allgather

        state = model.optimizer.variables if model.compiled and model.optimizer is not None else []
        values = [(variable, variable.value) for variable in [*model.variables, *state]]
        divided = [(v, x) for v, x in values if not (x.is_fully_addressable or x.is_fully_replicated)]
        for variable, value in divided:
            # `assign` would divide the value, and Keras cannot save in a `StatelessScope`.
            variable._value = keras.ops.convert_to_tensor(process_allgather(value, tiled=True))
    try:
        yield
    finally:
        for variable, value in divided:
            variable._value = value


def n_processes() -> int:
    """The number of processes that train together."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return jax.process_count()
