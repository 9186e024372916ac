"""The result of `recommend`, as arrays and as tables of one row for each recommended item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kerasrec.extras import install_command
from kerasrec.types import Array, FloatArray, IntArray


@dataclass(frozen=True)
class Recommendations:
    """The result of `Recommender.recommend`.

    Attributes:
        item_ids: `(n_users, k)` original ids, best first; "" or -1 at the end of a list with fewer than k items.
        scores: `(n_users, k)` float32, the lowest float32 at the end of such a list. No score is infinite. With
            `diversify` the scores need not descend.
        user_ids: `(n_users,)` the ids of the users.
        n_known: `(n_users,)` number of items in each history. Users without any, whom the model has no weights for
            either, get popular items.

    Example:
        >>> from kerasrec import EASE, Interactions, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASE(table.n_items, reg=10.0)
        >>> _ = model.fit(table, verbose=0)
        >>> lists = model.recommend(Interactions.from_histories([[3, 5], [10**6]], table), k=4)
        >>> lists.n_known.tolist()
        [2, 0]
        >>> lists.to_frame().columns.tolist(), len(lists.to_frame())
        (['user_id', 'rank', 'item_id', 'score'], 8)
    """

    item_ids: Array
    scores: FloatArray
    user_ids: Array
    n_known: IntArray

    def to_arrow(self) -> pa.Table:
        """A table with the columns `user_id`, `rank` (from 1), `item_id` and `score`, one row for each item.

        Places of short lists that have no item are left out.
        """
        valid = self.item_ids != ("" if self.item_ids.dtype.kind in "US" else -1)
        item_ids = pa.array(self.item_ids[valid]).dictionary_encode()
        return list_table(self.user_ids, valid, self.scores, item_ids)

    def to_frame(self) -> Any:
        """The same as a frame of pandas.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401
        except ImportError:
            raise ImportError(f"`to_frame` needs pandas. Fix: {install_command('pandas')}") from None
        return decoded(self.to_arrow()).to_pandas()


def list_table(
    user_ids: Array,
    valid: Array,
    scores: FloatArray,
    item_ids: pa.DictionaryArray,
    titles: pa.DictionaryArray | None = None,
) -> pa.Table:
    """A table of lists, with dictionary-encoded ids.

    Args:
        user_ids: `(n_users,)`.
        valid: `(n_users, k)` which places have an item.
        scores: `(n_users, k)`.
        item_ids: the ids of the valid places, by user, then place.
        titles: the titles of the valid places, for a column `title`.
    """
    users, places = np.nonzero(valid)
    columns = {
        "user_id": pa.DictionaryArray.from_arrays(pa.array(users.astype(np.int32)), pa.array(user_ids)),
        "rank": pa.array((places + 1).astype(np.int32)),
        "item_id": item_ids,
        "score": pa.array(scores[valid]),
    }
    return pa.table(columns if titles is None else {**columns, "title": titles})


def decoded(table: pa.Table) -> pa.Table:
    """The table with plain columns in place of dictionary-encoded ones."""
    types = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))
