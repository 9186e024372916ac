"""A digest of a catalogue, by which models recognise the items they were trained on."""

from __future__ import annotations

import hashlib

import numpy as np

from kerasrec.types import Array


def ids_digest(ids: Array) -> str:
    """A digest of ids and their order, as 16 hexadecimal digits. Integer and string ids differ.

    Example:
        >>> import numpy as np
        >>> from kerasrec.data.catalogue import ids_digest
        >>> ids_digest(np.array([1, 2])) == ids_digest(np.array([2, 1]))
        False
    """
    if ids.dtype.kind in "iu":
        content = b"int" + np.ascontiguousarray(ids, np.int64).tobytes()
    else:
        content = b"str" + "\0".join(ids.tolist()).encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[:16]
