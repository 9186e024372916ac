"""Readers: from files, folders, archives and names to `Interactions`. Each module reads one family of formats."""

from kerasrec.data.readers.dispatch import read

__all__ = ["read"]
