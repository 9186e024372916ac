"""Answers of a recommender, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Self

import keras
import numpy as np
from tqdm.auto import tqdm

from kerasrec.data.batches import Batches
from kerasrec.types import Array


class BatchPredictor(keras.Model):
    """A recommender and what `call` makes of its scores, so that only that leaves the backend.

    Args:
        model: the recommender.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(autocast=False, dtype="float32", name=type(self).__name__.strip("_").lower())
        self.model = model
        self.untracked = SimpleNamespace(graphs={})
        self.built = True

    @classmethod
    def cached(cls, model: Any, *settings: Any) -> Self:
        """The one that the recommender keeps: tracing it anew costs more than thousands of answers.

        Args:
            model: the recommender.
            *settings: what the class is made with beside it.
        """
        model.check_learned()
        kept, key = model.untracked.answerers, (cls, *settings)
        if key not in kept:
            kept[key] = cls(model, *settings)
        return kept[key]

    def predictions(self, made: Batches, verbose: int = 0) -> Iterator[dict[str, Array]]:
        """The answer to each batch, `{"x": …, "y": …}` to `call`, with `y` where there are targets.

        Args:
            made: the batches.
            verbose: 1 for a progress bar where it takes longer than two seconds.
        """
        for i in tqdm(range(len(made)), "measuring", unit="batch", delay=2, leave=False, disable=not verbose):
            yield self._answer(dict(zip(("x", "y"), made[i], strict=False)))

    def _answer(self, inputs: dict[str, Any]) -> dict[str, Array]:
        if keras.backend.backend() != "tensorflow":
            return self.predict_on_batch(inputs)
        import tensorflow as tf

        # One graph for batches of any shape. Keras' own traces each of the first few shapes anew, which takes longer
        # than to rank thousands of users.
        spec = tf.nest.map_structure(lambda a: tf.TensorSpec([None] * a.ndim, a.dtype), inputs)
        graphs = self.untracked.graphs
        if str(spec) not in graphs:
            graphs[str(spec)] = tf.function(self, input_signature=[spec])
        return tf.nest.map_structure(np.asarray, graphs[str(spec)](inputs))
