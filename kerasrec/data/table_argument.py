"""The check of arguments that must be tables."""

from __future__ import annotations

from typing import Any

from kerasrec.data.table import Table

FIXES = {"Split": "pass `split.train`", "HeldOut": "pass `held_out.inputs`"}
"""Name of a type → what its caller means. Other types hold rows, from which a table can be made."""


def check_table(**arguments: Any) -> None:
    """Checks that each argument is a table.

    Example:
        >>> from kerasrec import HeldOutUsers, generate
        >>> from kerasrec.data.table_argument import check_table
        >>> check_table(train=HeldOutUsers(held_out=20).split(generate(n_users=100, n_items=50, seed=1)))
        Traceback (most recent call last):
        TypeError: `train`: expected Interactions, got Split. Fix: pass `split.train`

    Raises:
        TypeError: an argument is not `Interactions`.
    """
    for name, value in arguments.items():
        if not isinstance(value, Table):
            kind = type(value).__name__
            fix = FIXES.get(kind, "`kerasrec.read`, or `Interactions.from_frame`, `from_matrix` or `from_arrays`")
            raise TypeError(f"`{name}`: expected Interactions, got {kind}. Fix: {fix}")
