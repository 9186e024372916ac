"""Compiled prediction, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import keras
from tqdm.auto import tqdm

from kerasrec.data.batches import Batches
from kerasrec.ops.graph import compile_for_any_shape
from kerasrec.types import Array, RecommenderLike


class BatchPredictor(keras.Model):
    """A recommender followed by an operation on its scores, in one compiled function.

    Only the result of the operation leaves the backend, not the scores `(batch, n_items)`. A subclass implements
    `call(inputs)`. `inputs` is a dictionary of the batch (`"x"`), the targets if there are any (`"y"`), and further
    arrays.

    Args:
        model: the recommender.
    """

    def __init__(self, model: RecommenderLike) -> None:
        super().__init__(autocast=False, dtype="float32", name=type(self).__name__.strip("_").lower())
        self.model = model
        self.built = True
        self.predict_any_shape = compile_for_any_shape(self)

    @classmethod
    def cached(cls, model: RecommenderLike, *arguments: Any) -> Self:
        """The predictor that the model stores, because tracing takes longer than thousands of predictions.

        Args:
            model: the recommender.
            *arguments: further arguments of the constructor. One predictor is stored for each different value, so
                use few values.

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
            yield self.predict_any_shape({**dict(zip(("x", "y"), batches[i], strict=False)), **arrays})
