"""A digest of a catalogue. A model stores the digest of its items and rejects tables with other items."""

from __future__ import annotations

import hashlib

import numpy as np

from kerasrec.data.ids import has_strings
from kerasrec.types import Array


def ids_digest(ids: Array) -> str:
    """Returns a digest of ids and their order: 16 hexadecimal digits. Integer and string ids have different digests.

    Example:
        >>> import numpy as np
        >>> from kerasrec.data.catalogue import ids_digest
        >>> ids_digest(np.array([1, 2])) == ids_digest(np.array([2, 1]))
        False
    """
    if has_strings(ids):
        content = b"str" + "\0".join(ids.tolist()).encode("utf-8", "surrogatepass")
    else:
        content = b"int" + np.ascontiguousarray(ids, np.int64).tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
