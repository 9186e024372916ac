"""Original ids in the graph: lookup tables of items, titles and users, and the histories of the training users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasrec.data import Interactions
from kerasrec.types import Array, Tensor


def check_ids(ids: Any, kind: str) -> Array:
    """Converts ids to an array of int64 or str that a vocabulary file can store.

    Args:
        ids: the ids.
        kind: `"item"` or `"user"`, for errors.

    Raises:
        ValueError: the ids are not a flat array of integers or strings, an id is repeated or is the padding ("" or
            -1), or an id contains a line break.
    """
    array = np.asarray(ids)
    if array.dtype.kind == "O":
        array = np.array(array.tolist())
    if array.dtype.kind not in "iuU" or array.ndim != 1:
        raise ValueError(
            f"{kind} ids: expected a flat array of integers or strings, got {array.dtype} of shape {array.shape}"
        )
    array = array.astype(np.int64) if array.dtype.kind in "iu" else array
    n_repeated = len(array) - len(np.unique(array))
    if n_repeated:
        raise ValueError(f"{kind} ids: expected distinct ids, got {n_repeated:,} repeated ones")
    for position, value in enumerate(array.tolist()):
        if value in ("", -1):
            raise ValueError(
                f"{kind} ids: got {value!r} (number {position}), which pads histories. Fix: use another id for it"
            )
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            raise ValueError(
                f"{kind} ids: got {value!r} (number {position}), whose line break a vocabulary file cannot store. "
                "Fix: use another id for it"
            )
    return array


class Vocabulary(tf.Module):
    """Original ids and their positions 0, 1, 2, …, as two lookup tables of one text file.

    Args:
        ids: what `check_ids` returned.
        file: where to write the ids, one per line. The SavedModel stores it in `assets/`.

    Attributes:
        dtype: `tf.string` or `tf.int64`.
        padding: "" or -1, which stands for no id.
        first_ids: some ids, for warm-up requests.
    """

    def __init__(self, ids: Array, file: Path) -> None:
        super().__init__()
        is_text = ids.dtype.kind == "U"
        self.dtype = tf.string if is_text else tf.int64
        self.padding = "" if is_text else -1
        self.first_ids = ids[:8].tolist()
        file.write_text("\n".join(map(str, ids.tolist())) + "\n", encoding="utf-8", newline="\n")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.position_table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), self.dtype, line, tf.int64, number), -1
        )
        self.id_table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, self.dtype, line), self.padding
        )

    def positions(self, ids: Tensor) -> Tensor:
        """int32 positions, -1 for unknown ids."""
        return tf.cast(self.position_table.lookup(ids), tf.int32)

    def ids(self, positions: Tensor) -> Tensor:
        """Returns the original ids; position -1 gives the padding."""
        return self.id_table.lookup(tf.cast(positions, tf.int64))


class ItemTitles(tf.Module):
    """Titles by position, as a lookup table of a text file.

    Args:
        titles: `(n_items,)` str.
        file: where to write the titles, one per line. The SavedModel stores it in `assets/`.
    """

    def __init__(self, titles: Array, file: Path) -> None:
        super().__init__()
        # A title may contain line breaks. TensorFlow refuses empty lines.
        lines = [" ".join(title.split()) or " " for title in titles.tolist()]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, tf.string, line), ""
        )

    def titles(self, positions: Tensor) -> Tensor:
        """Returns the titles; "" for position -1 and for items without a title."""
        return tf.strings.strip(self.table.lookup(tf.cast(positions, tf.int64)))


class TrainingUsers(tf.Module):
    """The training users and, if requests have no history, what each of them has seen.

    Args:
        train: the training table.
        file: where to write the user ids.
        with_histories: whether to store the histories.
    """

    def __init__(self, train: Interactions, file: Path, with_histories: bool) -> None:
        super().__init__()
        self.vocabulary = Vocabulary(check_ids(train.user_ids, "user"), file)
        self.n_users = train.n_users
        if with_histories:
            # Variables, because constants count against the 2 GB limit of a graph. The last row, that of an unknown
            # user, is empty.
            self.row_splits = tf.Variable(np.append(train.indptr, train.indptr[-1]), trainable=False)
            self.items = tf.Variable(train.items, trainable=False)

    def histories(self, rows: Tensor) -> Tensor:
        """The item positions `(batch, length)` of users, padded with -1; an unknown user (row -1) has none."""
        histories = tf.RaggedTensor.from_row_splits(self.items, self.row_splits, validate=False)
        return tf.gather(histories, tf.where(rows < 0, self.n_users, rows)).to_tensor(-1)
