"""Keras' methods that save, export and quantize a model, with the batch format and the checks of a recommender."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras

from kerasrec.ops.processes import is_first_process, whole_weights


class Saving(keras.Model):
    """The part of `Recommender` that saves: Keras' own methods, in files that can be loaded again."""

    feedback: str

    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Saves the model with its optimizer as a `.keras` file; see `keras.Model.save`.

        If several processes train the model, call it in all of them: the first one writes the file.

        Raises:
            ValueError: the file is an HDF5 file, which Keras could not load as a model again.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                f"`filepath`: expected a file that ends in .keras, got {str(filepath)!r}. Keras cannot load a model "
                'of its own class from HDF5. Fix: `save("model.keras")`, or `save_weights("model.weights.h5")`'
            )
        with whole_weights(self):
            if is_first_process():
                super().save(filepath, overwrite, zipped, **kwargs)
            else:  # Keras creates a variable when it saves, and all processes must take part in that
                with tempfile.TemporaryDirectory() as scratch:
                    super().save(Path(scratch) / Path(filepath).name, overwrite, zipped, **kwargs)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: Any = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports the scores of all columns for a batch of padded ids; see `keras.Model.export`.

        `kerasrec.export_saved_model` exports lists of original item ids for serving.

        Args:
            filepath: as in Keras.
            format: as in Keras.
            verbose: as in Keras.
            input_signature: as in Keras. Default: the batch format with any number of rows and any length.
            **kwargs: as in Keras.

        Example:
            >>> import tempfile
            >>> import tensorflow as tf
            >>> from kerasrec import EASE, generate
            >>> table = generate(n_users=100, n_items=50, seed=1)
            >>> model = EASE(table.n_items, reg=20.0)
            >>> _ = model.fit(table, verbose=0)
            >>> folder = tempfile.mkdtemp()
            >>> model.export(folder, verbose=False)
            >>> exported = tf.saved_model.load(folder)
            >>> exported.serve({"ids": [[3, 7, -1]], "row": [-1]}).shape
            TensorShape([1, 50])
        """
        if input_signature is None:
            input_signature = [batch_signature(self.feedback)]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Quantizes the layers that Keras can quantize; see `keras.Model.quantize`.

        Raises:
            ValueError: the model has no layers.
        """
        if not self.layers:
            raise ValueError(
                f"`quantize`: expected a model with layers, got {type(self).__name__}, whose weights are its own. "
                'Fix: `dtype="mixed_bfloat16"`, or export the model as it is'
            )
        super().quantize(*args, **kwargs)

    def get_build_config(self) -> None:
        """None, because a model is built when it is constructed."""


def batch_signature(feedback: str) -> dict[str, keras.InputSpec]:
    """The batch format of a model, with any number of rows and any length."""
    rows = {"ids": ("int32", (None, None)), "row": ("int32", (None,))}
    if feedback == "ratings":
        rows["values"] = ("float32", (None, None))
    return {name: keras.InputSpec(dtype=dtype, shape=shape, name=name) for name, (dtype, shape) in rows.items()}
