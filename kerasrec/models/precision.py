"""The dtype of the products of training, which models pass to their widest layers."""

from __future__ import annotations

import os

from kerasrec.ops.hardware import has_fast_bfloat16


def product_dtype(choice: str | None = "auto") -> str | None:
    """The dtype of the factors of a model's widest products, or `None`, which follows the dtype policy.

    Args:
        choice: `"bfloat16"` or `"float32"`; or `"auto"`, which is bfloat16 on hardware that multiplies it fast, unless
            the environment variable `KERASREC_PRECISION` is `float32` or `bfloat16`. Models read it when they are
            constructed.

    Raises:
        ValueError: `choice` or the environment variable has another value.
    """
    if choice not in ("auto", "float32", "bfloat16", None):
        raise ValueError(f'`product_dtype`: expected "auto", "float32" or "bfloat16", got {choice!r}')
    precision = os.environ.get("KERASREC_PRECISION") if choice == "auto" else choice or "float32"
    if precision not in (None, "float32", "bfloat16"):
        raise ValueError(f"KERASREC_PRECISION: expected float32 or bfloat16, got {precision!r}")
    return "bfloat16" if precision == "bfloat16" or (precision is None and has_fast_bfloat16()) else None
