"""Keras' methods that save, export and quantize a model, with the batch format and the checks of a recommender."""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

from kerasrec.files import UNFINISHED, atomic_file, check_free_space
from kerasrec.ops.processes import is_first_process, whole_weights

LARGE = 2**30
"""Bytes above which a file is written and read through a folder."""

HDF5_OVERHEAD = 2**13
"""Bytes beyond the content that a variable takes in a file, at most."""


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
                if self._is_large() and zipped is not False and _is_new_local_file(filepath, overwrite):
                    self._save_by_folder(Path(filepath), **kwargs)
                else:
                    super().save(filepath, overwrite, zipped, **kwargs)
            else:  # Keras creates a variable when it saves, and all processes must take part in that
                with tempfile.TemporaryDirectory() as scratch:
                    super().save(Path(scratch) / Path(filepath).name, overwrite, zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Saves the weights and the state of the optimizer; see `keras.Model.save_weights`.

        Raises:
            OSError: the disk has too little space.
        """
        self._check_free_space(Path(filepath).parent)
        super().save_weights(filepath, overwrite, **kwargs)

    def _check_free_space(self, folder: Path) -> None:
        """HDF5 ends the process with a segmentation fault if the disk is full."""
        variables = [*self.variables, *(self.optimizer.variables if self.compiled else [])]
        check_free_space(folder, sum(4 * math.prod(variable.shape) + HDF5_OVERHEAD for variable in variables))

    def _is_large(self) -> bool:
        return 4 * sum(math.prod(weight.shape) for weight in self.variables) > LARGE

    def _save_by_folder(self, file: Path, **kwargs: Any) -> None:
        """Saves to a folder, and then packs it into the file: Keras composes a file in memory, in two more copies."""
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=file.parent) as scratch:
            self._check_free_space(Path(scratch))
            super().save(scratch, True, zipped=False, **kwargs)
            with atomic_file(file) as opened, zipfile.ZipFile(opened, "w") as archive:
                for path in sorted(Path(scratch).rglob("*")):
                    if path.is_file():
                        archive.write(path, path.relative_to(scratch))

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


def load_model(file: Path) -> Any:
    """`keras.saving.load_model`, which reads a file into memory as a whole: here a large one is unpacked beside it."""
    if file.stat().st_size < LARGE or not os.access(file.parent, os.W_OK):
        return keras.saving.load_model(file)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=file.parent) as folder:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        return keras.saving.load_model(folder)


def _is_new_local_file(path: Any, overwrite: bool) -> bool:
    """Whether a path is that of a `.keras` file in a folder that exists, and Keras would not ask before it writes."""
    if not str(path).endswith(".keras") or not Path(path).parent.is_dir():
        return False
    return overwrite or not Path(path).exists()


def batch_signature(feedback: str) -> dict[str, keras.InputSpec]:
    """The batch format of a model, with any number of rows and any length."""
    rows = {"ids": ("int32", (None, None)), "row": ("int32", (None,))}
    if feedback == "ratings":
        rows["values"] = ("float32", (None, None))
    return {name: keras.InputSpec(dtype=dtype, shape=shape, name=name) for name, (dtype, shape) in rows.items()}
