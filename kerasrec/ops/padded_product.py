"""Rows of padded entries times a kernel, without dense rows: for large catalogues on JAX, whose shapes are fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras import ops

from kerasrec.ops.gradients import custom_gradient
from kerasrec.ops.indexing import add_to_rows
from kerasrec.types import Tensor

MAX_GATHERED = 2**25
"""Numbers of the kernel's rows that are gathered at a time, 128 MiB of float32."""


def padded_product(values: Tensor, columns: Tensor, n_rows: int, kernel: Tensor) -> Tensor:
    """Σ_j values_j · kernel[columns_j] over the entries of each row, `(n_rows, units)`.

    Neither the product nor its gradient has an array of the size n_rows · n_columns. The gradient by the kernel is as
    large as the kernel. Rows of the kernel are gathered for some places of all lists at a time.

    Args:
        values: float32 `(n_rows · length,)`, row by row, 0 for padding.
        columns: int32 `(n_rows · length,)`.
        n_rows: number of rows.
        kernel: `(n_columns, units)`.

    Returns:
        `(n_rows, units)`, of the kernel's dtype, summed in float32.
    """
    columns = ops.reshape(columns, (n_rows, -1))
    length, units = columns.shape[1], kernel.shape[1]

    def parts() -> Iterator[slice]:
        step = max(1, MAX_GATHERED // max(1, n_rows * units))
        return (slice(start, start + step) for start in range(0, length, step))

    @custom_gradient
    def product(values: Tensor, kernel: Tensor) -> tuple[Tensor, Any]:
        def gathered(part: slice) -> Tensor:
            return ops.cast(ops.take(kernel, columns[:, part], axis=0), "float32")  # (n_rows, step, units)

        total = ops.zeros((n_rows, units), "float32")
        for part in parts():
            total = total + ops.sum(ops.expand_dims(values[:, part], 2) * gathered(part), axis=1)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            upstream = ops.cast(upstream, "float32")
            of_kernel = ops.zeros(kernel.shape, "float32")
            of_values = []
            for part in parts():
                shares = ops.expand_dims(values[:, part], 2) * ops.expand_dims(upstream, 1)
                of_kernel = add_to_rows(
                    of_kernel, ops.reshape(columns[:, part], (-1,)), ops.reshape(shares, (-1, units))
                )
                # The compiler removes this if the gradient by the values is not used.
                of_values.append(ops.sum(gathered(part) * ops.expand_dims(upstream, 1), axis=2))
            return ops.concatenate(of_values, axis=1), ops.cast(of_kernel, kernel.dtype)

        return ops.cast(total, kernel.dtype), gradient

    return product(ops.reshape(values, (n_rows, -1)), kernel)
