"""Compiled prediction, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Self

import keras
import numpy as np
from tqdm.auto import tqdm

from kerasrec.data.batches import Batches
from kerasrec.types import Array, RecommenderLike


class BatchPredictor(keras.Model):
    """A recommender followed by an operation on its scores, in one compiled function.

    Only the result of the operation leaves the backend, not the scores `(batch, n_items)`. A subclass implements
    `call(inputs)` with `{"x": batch, "y": targets}` (`"y"` only where there are targets) and further arrays.

    Args:
        model: the recommender.
    """

    def __init__(self, model: RecommenderLike) -> None:
        super().__init__(autocast=False, dtype="float32", name=type(self).__name__.strip("_").lower())
        self.model = model
        self.untracked = SimpleNamespace(functions={})
        self.built = True

    @classmethod
    def cached(cls, model: RecommenderLike, *arguments: Any) -> Self:
        """The predictor that the model stores, because tracing takes longer than thousands of predictions.

        Args:
            model: the recommender.
            *arguments: further arguments of the constructor. Each different value is stored: pass few.

        Raises:
            ValueError: the model has not been fitted.
        """
        model.check_fitted()
        key = (cls, *arguments)
        if key not in model.predictor_cache.predictors:
            model.predictor_cache.predictors[key] = cls(model, *arguments)
        predictor: Self = model.predictor_cache.predictors[key]
        return predictor

    def predictions(self, batches: Batches, verbose: int = 0, **arrays: Array) -> Iterator[dict[str, Array]]:
        """The result for each batch.

        Args:
            batches: the batches.
            verbose: 1 shows a progress bar if prediction takes longer than two seconds.
            **arrays: further inputs of `call`, the same for each batch.
        """
        for i in tqdm(range(len(batches)), "predicting", unit="batch", delay=2, leave=False, disable=not verbose):
            yield self._predict({**dict(zip(("x", "y"), batches[i], strict=False)), **arrays})

    def _predict(self, inputs: dict[str, Any]) -> dict[str, Array]:
        if keras.backend.backend() != "tensorflow":
            return self.predict_on_batch(inputs)
        import tensorflow as tf

        # One graph for batches of any shape. Keras' own `predict` traces each of the first few shapes, which takes
        # longer than ranking thousands of users.
        spec = tf.nest.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), inputs)
        functions = self.untracked.functions
        if str(spec) not in functions:
            functions[str(spec)] = tf.function(self, input_signature=[spec])
        return tf.nest.map_structure(np.asarray, functions[str(spec)](inputs))
