"""Item vectors of a trained model, for maps and for TensorBoard's projector."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.types import FloatArray


def item_vectors(model: Any, train: Interactions) -> FloatArray:
    """One vector per item, from which the model computes the item's score.

    For autoencoders of user rows these are the item's weights in the output layer, for EASE and its variants its
    column of item-to-item weights, for item rows (I-AutoRec) the item's code.

    Args:
        model: a trained model.
        train: the table that the model was trained on.

    Returns:
        float32 `(n_items, dim)`.

    Raises:
        ValueError: the model has no item vectors (Popularity).

    Example:
        >>> from kerasrec import EASE, generate
        >>> from kerasrec.inference.item_vectors import item_vectors
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASE(table.n_items, reg=20.0)
        >>> _ = model.fit(table, verbose=0)
        >>> item_vectors(model, table).shape
        (50, 50)
    """
    vectors: FloatArray = model.item_vectors(train)
    return vectors


def write_projector(model: Any, train: Interactions, folder: str | os.PathLike[str]) -> None:
    """Writes the items' vectors and titles as files for TensorBoard's projector.

    Args:
        model: a trained model.
        train: the table that the model was trained on.
        folder: TensorBoard's log folder. It is created if it does not exist.

    Raises:
        ValueError: the model has no item vectors (Popularity).
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "item_vectors.tsv", item_vectors(model, train), fmt="%.6g", delimiter="\t")
    titles = train.item_ids if train.item_titles is None else train.item_titles
    with open(folder / "items.tsv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(("title", "item", "users"))
        writer.writerows(zip(titles.tolist(), train.item_ids.tolist(), train.item_counts.tolist(), strict=True))
    (folder / "projector_config.pbtxt").write_text(
        'embeddings {\n  tensor_name: "items"\n  tensor_path: "item_vectors.tsv"\n  metadata_path: "items.tsv"\n}\n'
    )


class ProjectorCallback(keras.callbacks.Callback):
    """Writes the items' vectors and titles for TensorBoard's projector when training ends.

    Args:
        train: the training table.
        folder: the log folder that `keras.callbacks.TensorBoard` gets.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from kerasrec import MultVAE, generate
        >>> from kerasrec.inference.item_vectors import ProjectorCallback
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
        >>> model.compile()
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = model.fit(table, epochs=1, callbacks=[ProjectorCallback(table, folder)], verbose=0)
        >>> sorted(path.name for path in folder.iterdir())
        ['item_vectors.tsv', 'items.tsv', 'projector_config.pbtxt']
    """

    def __init__(self, train: Interactions, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self.train = train
        self.folder = Path(folder)

    def on_train_end(self, logs: Any = None) -> None:
        write_projector(self.model, self.train, self.folder)
