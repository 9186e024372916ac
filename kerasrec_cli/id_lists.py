"""Lists of ids on the command line: `ID,ID,…`, or `@FILE` with one id per line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from kerasrec_cli.options import split_list

LIST_FORMAT = "ID,ID,… or @FILE"
"""Metavariable of an option that `read_list` reads."""


def read_list(text: str, option: str) -> list[str]:
    """The ids of an option: separated by commas, or `@` and the name of a file with one id per line.

    Raises:
        ValueError: the file does not exist.
    """
    return read_id_file(Path(text[1:]), option) if text.startswith("@") else split_list(text)


def read_id_file(file: Path, option: str) -> list[str]:
    """The lines of a file, without blank ones.

    Raises:
        ValueError: the file does not exist, or is not UTF-8 text.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # ids may contain other breaks, such as U+2028
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        raise ValueError(f"{option}: expected a text file with one id per line, got {file}") from None
    return [line.strip() for line in lines if line.strip()]


def parse_ids(ids: Sequence[str], are_strings: bool, option: str) -> list[Any]:
    """Converts ids to the type that they have in the data.

    Raises:
        ValueError: the ids of the data are integers, and one of `ids` is not.
    """
    if are_strings:
        return list(ids)
    for text in ids:
        if not _is_integer(text):
            raise ValueError(f"{option}: expected integers, as the ids in the data are, got {text}")
    return [int(text) for text in ids]


def possible_ids(ids: Sequence[str], are_strings: bool, option: str) -> list[Any]:
    """As `parse_ids`, without the ids that are not integers. A note on standard error counts them."""
    others = [] if are_strings else [text for text in ids if not _is_integer(text)]
    if others:
        examples = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        click.echo(
            f"note: {option}: {len(others):,} of {len(ids):,} ids are not integers, as the ids in the data are, and "
            f"are ignored: {examples}",
            err=True,
        )
    return parse_ids([text for text in ids if are_strings or _is_integer(text)], are_strings, option)


def _is_integer(text: str) -> bool:
    """Whether a text is an integer of at most 64 bits."""
    return re.fullmatch(r"[+-]?\d+", text) is not None and abs(int(text)) < 2**63


def known_items(ids: list[Any], catalogue: Any, option: str) -> list[Any]:
    """The ids that are in the catalogue. A note on standard error counts the others.

    Args:
        ids: ids of items.
        catalogue: all item ids.
        option: the option that they are from.
    """
    is_known = np.isin(np.array(ids), catalogue).tolist() if ids else list[bool]()
    unknown = [item for item, known in zip(ids, is_known, strict=True) if not known]
    if len(unknown) == 1:
        click.echo(f"note: {option}: item {unknown[0]} is not in the catalogue and is ignored", err=True)
    elif unknown:
        examples = ", ".join(map(str, unknown[:3])) + (", …" if len(unknown) > 3 else "")
        count = f"{len(unknown):,} of {len(ids):,} items"
        click.echo(f"note: {option}: {count} are not in the catalogue and are ignored: {examples}", err=True)
    return [item for item, known in zip(ids, is_known, strict=True) if known]
