"""The dtype of the products of training, which models pass to their widest layers."""

from __future__ import annotations

import os

from kerasrec.ops.hardware import has_fast_bfloat16


def product_dtype() -> str | None:
    """`"bfloat16"` on hardware that multiplies it fast, otherwise `None`, which follows the dtype policy.

    The environment variable `KERASREC_PRECISION` overrides the hardware: `float32` or `bfloat16`. Models read it when
    they are constructed.

    Raises:
        ValueError: the environment variable has another value.
    """
    precision = os.environ.get("KERASREC_PRECISION")
    if precision not in (None, "float32", "bfloat16"):
        raise ValueError(f"KERASREC_PRECISION: expected float32 or bfloat16, got {precision!r}")
    return "bfloat16" if precision == "bfloat16" or (precision is None and has_fast_bfloat16()) else None
