"""The signatures of an export as functions of this process, without writing the export."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasrec.data import Interactions
from kerasrec.models import Recommender
from kerasrec.saved_model.export import signatures_of, similarity_vectors
from kerasrec.saved_model.vocabulary import check_ids
from kerasrec.saved_model.weights import ExportedWeights
from kerasrec.types import Array


class LiveSignatures:
    """Runs the functions that `export_saved_model` writes. Each is traced when it is first called.

    A model is ready sooner than through an export that is written and loaded: only the signatures that are called
    cost time.

    Args:
        model: a fitted model.
        train: the training table.
        top_k: length of the lists of all signatures but `recommend`.

    Attributes:
        inputs: signature → names of its inputs; see `kerasrec.saved_model.signatures`.

    Example:
        >>> from kerasrec import EASE, Interactions
        >>> from kerasrec.saved_model.live_signatures import LiveSignatures
        >>> table = Interactions.from_arrays(["ann", "bob", "bob"], ["tea", "tea", "jam"])
        >>> model = EASE(table.n_items, reg=1.0)
        >>> _ = model.fit(table, verbose=0)
        >>> live = LiveSignatures(model, table, top_k=2)
        >>> live.run("serving_default", {"history": [["", "tea"]]})["item_ids"]
        array([[b'jam', b'']], dtype=object)
    """

    def __init__(self, model: Recommender, train: Interactions, top_k: int) -> None:
        model.check_fitted()
        user_model = model.as_user_model(train).as_served_model()
        with tempfile.TemporaryDirectory(prefix="kerasrec-") as folder:  # lookup tables read their files at once
            self._signatures = signatures_of(
                user_model,
                ExportedWeights(user_model, "float32"),
                check_ids(train.item_ids, "item"),
                train,
                similarity_vectors(model, train),
                top_k,
                Path(folder),
            )
        self.inputs = {name: tuple(inputs) for name, inputs in self._signatures.inputs.items()}
        self._functions: dict[str, Any] = {}

    def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of a signature.

        Args:
            signature: its name.
            inputs: its inputs.
        """
        expected = self._signatures.inputs[signature]
        if signature not in self._functions:
            function = tf.function(self._signatures.functions[signature], autograph=False)
            self._functions[signature] = function.get_concrete_function(**expected)
        tensors = {name: tf.constant(inputs[name], spec.dtype) for name, spec in expected.items()}
        return {name: tensor.numpy() for name, tensor in self._functions[signature](**tensors).items()}
