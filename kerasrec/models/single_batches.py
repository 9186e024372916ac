"""Keras' methods of a single batch, with the checks of a recommender."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec.models.fit_arguments import check_batch, check_class_weight


class SingleBatches(keras.Model):
    """The part of `Recommender` for training loops of one's own, batch by batch."""

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One update from one batch; see `keras.Model.train_on_batch`.

        Raises:
            TypeError: `x` is a table.
            ValueError: `class_weight` is given.
        """
        check_batch(x)
        check_class_weight(class_weight)
        return super().train_on_batch(x, y, sample_weight, return_dict=return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Means of the metrics of one batch; see `keras.Model.test_on_batch`.

        Raises:
            TypeError: `x` is a table.
        """
        check_batch(x)
        return super().test_on_batch(x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Scores of all columns for one batch; see `keras.Model.predict_on_batch`.

        Raises:
            TypeError: `x` is a table.
        """
        check_batch(x)
        return super().predict_on_batch(x)
