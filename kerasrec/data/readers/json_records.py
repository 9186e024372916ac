"""JSON: one object per line, or an array of objects. Fields may be nested."""

from __future__ import annotations

import json
from typing import Any

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.arrow import read_nested
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile

SUFFIXES = (".json", ".jsonl", ".ndjson")

BLOCK_BYTES = 1 << 24
"""An object must fit into a block."""


def read_json(file: SourceFile, options: ReadOptions) -> Interactions:
    """Reads a file of JSON objects.

    Raises:
        DataError: The file is not JSON, a field has several types, or its content is invalid.
    """
    return read_nested(file, read_table(file), options)


def read_table(file: SourceFile) -> Any:
    """Reads a file of JSON objects as a table of pyarrow.

    Raises:
        DataError: The file is not JSON, or a field has several types.
    """
    import pyarrow as pa
    from pyarrow import json as pa_json

    is_array = file.head_text().startswith("[")
    with file.open() as stream:
        try:
            if is_array:
                return pa.Table.from_pylist(json.load(stream))
            return pa_json.read_json(stream, pa_json.ReadOptions(block_size=BLOCK_BYTES))
        except UnicodeDecodeError:
            raise
        except (pa.ArrowException, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{file}: expected JSON objects, one per line or in one array, each field with one type, got other "
                f"content ({' '.join(str(error).split())}). Fix: correct the file"
            ) from None
