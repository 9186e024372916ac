"""The weights of an export, in full or half size."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasrec.data import HeldOut, Interactions
from kerasrec.models import Recommender
from kerasrec.ops.ranking import top_k
from kerasrec.types import IntArray

DTYPES = ("float32", "bfloat16")
"""Types in which an export can store matrices."""


class ExportedWeights:
    """The weights that a model's scores depend on, as an export stores them.

    Args:
        model: the model.
        dtype: `"float32"`, or `"bfloat16"` for matrices of half the size.
    """

    def __init__(self, model: Recommender, dtype: str) -> None:
        self.dtype = dtype
        halves = dtype != "float32"
        self.full, self.halved = [], []
        for weight in model.inference_weights:
            if halves and len(weight.shape) > 1 and weight.dtype == "float32":
                self.halved.append((weight, tf.Variable(tf.cast(weight.value, dtype), trainable=False)))
            else:
                self.full.append(weight)

    def as_module(self) -> tf.Module:
        """All variables that the SavedModel stores."""
        module = tf.Module()
        module.full = [weight.value for weight in self.full]
        module.halved = [half for _, half in self.halved]
        return module

    def in_use(self) -> AbstractContextManager[Any]:
        """A context in which the model computes with the stored weights. All sums stay in float32."""
        if not self.halved:
            return nullcontext()
        return keras.StatelessScope([(weight, tf.cast(half, tf.float32)) for weight, half in self.halved])


def top_k_overlap(model: Recommender, weights: ExportedWeights, train: Interactions) -> dict[str, float]:
    """Measures how many recommendations stay the same with the stored weights.

    Args:
        model: a model with users as rows.
        weights: its stored weights.
        train: the training table, of which up to 1,000 users are drawn.

    Returns:
        `{"top_100_overlap": …}`, the mean share of a user's best 100 items that are also among the best 100 with the
        stored weights. A smaller catalogue has a smaller number in place of 100.
    """
    users = np.sort(np.random.default_rng(0).permutation(train.n_users)[:1000]).astype(np.int32)
    k = min(100, train.n_items)
    batches = model.batches(HeldOut(train.take_users(users), None, users), 100)
    shares = []
    for (batch,) in map(batches.__getitem__, range(len(batches))):
        exact = _best(model, batch, k)
        with weights.in_use():
            stored = _best(model, batch, k)
        for exact_items, stored_items in zip(exact, stored, strict=True):
            items = exact_items[exact_items >= 0]
            if len(items):
                shares.append(np.isin(items, stored_items).mean())
    return {f"top_{k}_overlap": float(np.mean(shares)) if shares else 1.0}


def _best(model: Recommender, batch: Any, k: int) -> IntArray:
    batch = model.with_sparse_rows(batch)
    items, _ = top_k(model.mask_seen(model(batch, training=False), batch), k)
    return np.asarray(items)
