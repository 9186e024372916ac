"""Answers of a variational autoencoder that vary as its codes do."""

from __future__ import annotations

from typing import Any

from kerasrec.layers import GaussianSampling
from kerasrec.models.base import Recommender
from kerasrec.types import Tensor


class Sampled(Recommender):
    """A variational autoencoder whose answers vary as q(z | x) does.

    Args:
        model: one with `posterior` and `decode`.
        seed: seeds z.
    """

    def __init__(self, model: Recommender, seed: int) -> None:
        super().__init__(model.n_columns, seed, name=f"{model.name}_sampled")
        if not model.built:
            model.build()
        self.model = model
        self.draw = GaussianSampling(seed, name="draw")
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        return self.model.decode(self.draw(*self.model.posterior(inputs), training=True))
