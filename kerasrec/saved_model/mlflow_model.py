"""An exported SavedModel as a model of MLflow: a data frame of histories in, a data frame of lists out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasrec.data import Interactions


def saved_model_predictor() -> Any:
    """The MLflow model of an export. It needs TensorFlow, pandas and MLflow, but not kerasrec.

    It takes a data frame with a column for each input of `serving_default`: `history`, and `ratings` or `user_id` if
    the model needs them. A cell of `history` and `ratings` is a list. It returns the columns `item_ids` and `scores`,
    whose cells are lists.
    """
    import mlflow

    class SavedModelPredictor(mlflow.pyfunc.PythonModel):  # defined here, so that MLflow stores its code
        def load_context(self, context: Any) -> None:
            import tensorflow as tf

            self.loaded = tf.saved_model.load(context.artifacts["saved_model"])
            self.recommend = self.loaded.signatures["serving_default"]

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads the hints
            import pandas as pd
            import tensorflow as tf

            inputs = {}
            for name, spec in self.recommend.structured_input_signature[1].items():
                cells = model_input[name].tolist()
                if spec.shape.rank == 1:
                    inputs[name] = tf.constant(cells, spec.dtype)
                    continue
                padding = "" if spec.dtype == tf.string else -1
                length = max([len(cell) for cell in cells] + [1])
                # The graph requires padding at the start of a row, see `kerasrec.saved_model.signatures`.
                rows = [[padding, *cell, *[padding] * (length - len(cell))] for cell in cells]
                inputs[name] = tf.constant(rows, spec.dtype)
            outputs = self.recommend(**inputs)
            ids, scores = outputs["item_ids"].numpy(), outputs["scores"].numpy()
            if ids.dtype == object:
                ids = [[value.decode() for value in row] for row in ids]
            columns = {"item_ids": [list(row) for row in ids], "scores": [[float(x) for x in row] for row in scores]}
            return pd.DataFrame(columns)

    return SavedModelPredictor()


def example_request(path: Path, train: Interactions) -> Any:
    """A data frame with the history of the first training user, in the format of the predictor.

    Args:
        path: folder of the export.
        train: the training table.
    """
    import pandas as pd
    import tensorflow as tf

    names = tf.saved_model.load(path).signatures["serving_default"].structured_input_signature[1]
    row = slice(train.indptr[0], train.indptr[1])
    cells = {
        "history": [train.item_ids[train.items[row]].tolist()],
        "ratings": [train.values[row].astype(float).tolist()],
        "user_id": train.user_ids[:1].tolist(),
    }
    return pd.DataFrame({name: cells[name] for name in cells if name in names})


def signature_of(path: Path, example: Any) -> Any:
    """The MLflow signature of an export, from an example request and its answer.

    Args:
        path: folder of the export.
        example: the result of `example_request`.
    """
    from types import SimpleNamespace

    from mlflow.models import infer_signature

    predictor = saved_model_predictor()
    context = SimpleNamespace(artifacts={"saved_model": str(path)})
    predictor.load_context(context)
    return infer_signature(example, predictor.predict(context, example))
