"""What arguments are refused for, in one wording."""

from __future__ import annotations


def check_at_least(lowest: float, **arguments: float | None) -> None:
    """Refuses arguments below what they mean something from; `None` is none of them.

    Raises:
        ValueError: one is.
    """
    for name, value in arguments.items():
        if value is not None and value < lowest:
            raise ValueError(f"`{name}` must be at least {lowest}, not {value}")
