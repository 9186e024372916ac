"""Sparse matrices that `scipy.sparse.save_npz` wrote."""

from __future__ import annotations

import zipfile

import scipy.sparse as sp

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.source import SourceFile

SUFFIX = ".npz"


def read_npz(file: SourceFile) -> Interactions:
    """Reads a users × items matrix. Users and items are numbered from 0.

    Raises:
        DataError: The file contains no sparse matrix, or an invalid one.
    """
    with file.open() as stream:
        try:
            return Interactions.from_matrix(sp.load_npz(stream))
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{file}: expected a sparse matrix of users × items, got other content ({error}). "
                "Fix: write it with `scipy.sparse.save_npz`"
            ) from None
