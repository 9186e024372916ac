"""Variational autoencoders: the posterior of the code, draws from it, and KL annealing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasrec.layers import GaussianSampling
from kerasrec.models.base import Recommender
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


class VariationalRecommender(Recommender):
    """Base of the variational autoencoders. A subclass implements `posterior` and `decode`."""

    variational = True

    def posterior(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z | x), each `(batch, latent_dim)`, at inference."""
        raise NotImplementedError

    def decode(self, code: Tensor, training: bool = False) -> Tensor:
        """Logits `(batch, n_items)` of codes `(batch, latent_dim)`."""
        raise NotImplementedError

    def with_drawn_codes(self, seed: int, temperature: float = 1.0, draws: int = 1) -> Recommender:
        """The same model with z drawn from q(z | x) at inference instead of its mean: other lists for other seeds.

        Args:
            seed: seed of z. The first prediction depends on the seed alone.
            temperature: factor of the standard deviation of z. With 0, z is the mean.
            draws: number of codes of each row; the scores are the mean of theirs.

        Example:
            >>> from kerasrec import MultVAE, generate
            >>> table = generate(n_users=100, n_items=50, seed=1)
            >>> model = MultVAE(table.n_items, hidden_dims=(32,), latent_dim=8, seed=1)
            >>> lists = [model.with_drawn_codes(seed).recommend(table, k=5).item_ids for seed in (1, 1, 2)]
            >>> bool((lists[0] == lists[1]).all()), bool((lists[0] == lists[2]).all())
            (True, False)
        """
        return _WithDrawnCodes(self, seed, temperature, draws)

    @property
    def code_layer(self) -> str | None:
        """The layer of μ."""
        return "mean"


class AnnealedVAE(VariationalRecommender):
    """Base of the variational autoencoders whose KL weight β is annealed: β = min(beta, step / anneal_steps).

    Attributes:
        beta: the highest β.
        anneal_steps: number of steps in which β would rise from 0 to 1, without the limit `beta`.
        step: training steps of the current run. A weight, so that a resumed run continues annealing.
    """

    beta: float
    anneal_steps: int
    default_beta: float

    def set_annealing(self, beta: float, anneal_steps: int) -> None:
        """Stores the annealing of the constructor.

        Raises:
            ValueError: `beta` is negative, or `anneal_steps` is below 1.
        """
        check_at_least(0, beta=beta)
        check_at_least(1, anneal_steps=anneal_steps)
        self.beta = beta
        self.anneal_steps = anneal_steps

    @classmethod
    def schedule_for(cls, steps: int | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
        # The paper's run on ML-20M reaches the cap of 0.2 at step 40,000, after 6/7 of 200 epochs.
        cap = arguments.get("beta", cls.default_beta)
        return {} if steps is None or cap <= 0 else {"anneal_steps": max(1, round(steps * 6 / 7 / cap))}

    def build(self, input_shape: Any = None) -> None:
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")

    def current_beta(self) -> Tensor:
        """β at the current step."""
        return ops.minimum(self.beta, ops.cast(self.step, "float32") / self.anneal_steps)

    def reset_schedules(self, annealed_steps: int = 0) -> None:
        self.step.assign(ops.maximum(self.step, annealed_steps) if annealed_steps else 0)

    def annealed_values(self) -> dict[str, float]:
        return {"beta": float(self.current_beta())}


class _WithDrawnCodes(Recommender):
    """A variational autoencoder that draws its code at inference."""

    def __init__(self, model: VariationalRecommender, seed: int, temperature: float, draws: int) -> None:
        super().__init__(model.n_columns, seed, columns_digest=model.columns_digest, name=f"{model.name}_drawn")
        check_at_least(0, temperature=temperature)
        check_at_least(1, draws=draws)
        self.model = model
        self.temperature = temperature
        self.draws = draws
        self.sampling = GaussianSampling(seed, name="sampling")
        self.ordered = model.ordered
        self.default_batch_size = model.default_batch_size
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        mean, log_var = self.model.posterior(inputs)
        if self.temperature == 0:
            return self.model.decode(mean)
        log_var = log_var + 2.0 * math.log(self.temperature)
        scores = [self.model.decode(self.sampling(mean, log_var, training=True)) for _ in range(self.draws)]
        return sum(scores[1:], scores[0]) / self.draws
