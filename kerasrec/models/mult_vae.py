"""Mult-VAE: a variational autoencoder with a multinomial likelihood. https://arxiv.org/abs/1802.05814."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.layers import GaussianSampling, ends, xavier_dense
from kerasrec.losses import LIKELIHOODS, gaussian_kl
from kerasrec.models.base import Recommender, widths
from kerasrec.models.sampled import Sampled
from kerasrec.ops.sparse_rows import l2_normalize_rows, observed_rows, padded_ids
from kerasrec.optimizers import Adam
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


@public
class MultVAE(Recommender):
    """Variational autoencoder for likes.

    Minimises, averaged over users,

        -Σ_i x_ui log softmax(f(z_u))_i + β · KL(q(z_u | x_u) ‖ N(0, I)) + reg · Σ W²
        β = min(beta, step / anneal_steps)

    where q = N(μ, diag σ²) comes from an encoder of the L2-normalised row under dropout, and z is
    drawn from it in training and is μ otherwise.

    Needs likes and a history only: a user never seen in training is answered as well.

    Args:
        n_items: size of the catalogue.
        hidden_dims: widths of the encoder's hidden layers; the decoder has them in reverse (paper: (600,)).
        latent_dim: width of z (paper: 200).
        activation: of the hidden layers (paper: tanh).
        dropout: share of the input that is dropped in training (paper: 0.5).
        likelihood: `"multinomial"`, `"gaussian"` or `"logistic"` (the paper's Mult-, Gauss- and
            Logistic-VAE).
        beta: the highest weight of the KL term (paper: 0.2).
        anneal_steps: updates over which β would climb to 1 (paper: 200,000, which suits ML-20M).
            `for_interactions(train, epochs=…)` scales it to a run, as on a small data set β would
            never get near its cap.
        reg: weight of the decay of kernels, not of biases (paper: none for its VAE; `MultDAE` has it).
        n_sampled: for large catalogues, how many items are sampled for each training batch in place of
            all (paper: all): see `kerasrec.layers.SampledLogits`. A training step then costs the same
            for any size of the catalogue on TensorFlow's CPU. With the multinomial likelihood only.
        seed: seeds weights, dropout and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits
        `(batch, n_items)`, float32.

    Example:
        >>> from kerasrec import MultVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(32,), latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Raises:
        ValueError: `likelihood` is unknown, `beta` is below 0 or `anneal_steps` below 1, or `n_sampled` is below 2 or
            given with another likelihood or a `reg`.

    Differs from the paper in: nothing known. Also known as Multi-VAE.

    Source: Liang, Krishnan, Hoffman and Jebara, Variational Autoencoders for Collaborative
    Filtering, WWW 2018.
    """

    default_epochs = 200

    def __init__(
        self,
        n_items: int,
        hidden_dims: tuple[int, ...] = (600,),
        latent_dim: int = 200,
        activation: str = "tanh",
        dropout: float = 0.5,
        likelihood: str = "multinomial",
        beta: float = 0.2,
        anneal_steps: int = 200_000,
        reg: float = 0.0,
        n_sampled: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"`likelihood` must be one of {', '.join(LIKELIHOODS)}, not {likelihood!r}")
        if n_sampled is not None and likelihood != "multinomial":
            raise ValueError(
                f"`n_sampled` estimates a softmax, which the {likelihood} likelihood has none of: leave it out"
            )
        if n_sampled is not None and reg:
            raise ValueError(
                "`reg` reads every weight at every step, which `n_sampled` is there to avoid: leave one out"
            )
        check_at_least(0, beta=beta)
        check_at_least(1, anneal_steps=anneal_steps)
        self.n_items = n_items
        self.hidden_dims = widths(hidden_dims)
        self.latent_dim = latent_dim
        self.activation = activation
        self.dropout = dropout
        self.likelihood = likelihood
        self.beta = beta
        self.anneal_steps = anneal_steps
        self.reg = reg
        self.n_sampled = n_sampled

        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        rows, logits = ends(n_sampled, self.seed_for("sample"))
        first, *others = self.hidden_dims
        self.encoder = [self._dense(first, activation, "encoder_0", kind=rows)]
        self.encoder += [self._dense(d, activation, f"encoder_{i}") for i, d in enumerate(others, 1)]
        self.mean = self._dense(latent_dim, None, "mean")
        self.log_var = self._dense(latent_dim, None, "log_var")
        self.sampling = GaussianSampling(self.seed_for("sampling"), name="sampling")
        self.decoder = [self._dense(d, activation, f"decoder_{i}") for i, d in enumerate(reversed(self.hidden_dims))]
        self.logits = self._dense(n_items, None, "logits", kind=logits)
        self.nll = LIKELIHOODS[likelihood]()

    def _dense(self, units: int, activation: str | None, name: str, **kwargs: Any) -> keras.layers.Layer:
        if self.reg:
            kwargs["kernel_regularizer"] = keras.regularizers.L2(self.reg)
        return xavier_dense(units, activation, self.seed_for(name), name, **kwargs)

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        # The paper's own run on ML-20M: the cap of 0.2 reached at update 40,000, when 6/7 of 200 epochs are done.
        cap = arguments.get("beta", 0.2)
        anneal = {} if steps is None or cap <= 0 else {"anneal_steps": max(1, round(steps * 6 / 7 / cap))}
        return {"n_items": train.n_items, **anneal, **arguments}

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.001, or where items are sampled lazy and at 0.002, which makes up for a noisier gradient."""
        return Adam(1e-3) if self.n_sampled is None else Adam(2e-3, lazy=True)

    def build(self, input_shape: Any = None) -> None:
        width = self.n_items
        for layer in self.encoder:
            layer.build((None, width))
            width = layer.units
        self.mean.build((None, width))
        self.log_var.build((None, width))
        width = self.latent_dim
        for layer in [*self.decoder, self.logits]:
            layer.build((None, width))
            width = layer.units
        # A weight, so that a run that is resumed goes on annealing where it stopped.
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")

    def encode(self, inputs: Any, training: bool = False) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the code, each `(batch, latent_dim)`."""
        row = l2_normalize_rows(observed_rows(inputs))
        first, *others = self.encoder
        hidden = first(row.with_values(self.drop(row.values, training=training)))
        for layer in others:
            hidden = layer(hidden)
        return self.mean(hidden), self.log_var(hidden)

    def posterior(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """μ and log σ² of a history's code, each `(batch, latent_dim)`, as answers are made from it."""
        return self.encode(inputs)

    def decode(self, code: Tensor, training: bool = False) -> Tensor:
        """Logits `(batch, n_items)` of a code `(batch, latent_dim)`."""
        return self.logits(self.hidden(code), training=training)

    def hidden(self, code: Tensor) -> Tensor:
        """The decoder's last hidden layer, from a code `(batch, latent_dim)`; the logits are linear in it."""
        for layer in self.decoder:
            code = layer(code)
        return code

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        mean, log_var = self.encode(inputs, training)
        kl = ops.mean(gaussian_kl(mean, log_var))
        if training:
            self.step.assign_add(1)
        self.add_loss(self.current_beta() * kl)
        code = self.sampling(mean, log_var, training=training)
        if training and self.n_sampled is not None:
            hidden, ids = self.hidden(code), padded_ids(inputs)
            self.add_loss(ops.mean(self.logits(hidden, ids, self.logits.draw(ids))))
            return hidden
        return self.decode(code, training)

    def current_beta(self) -> Tensor:
        """β at the current step."""
        return ops.minimum(self.beta, ops.cast(self.step, "float32") / self.anneal_steps)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        if training and self.n_sampled is not None:
            return self.loss_from_call(y, sample_weight)
        truth = self.observed_entries if self.likelihood == "multinomial" else self.targets
        return self.nll(truth(x if y is None else y), y_pred, sample_weight) + self.regularization_losses()

    def sampled(self, seed: int) -> Recommender:
        """The same model, answering with a z drawn from q(z | x) instead of its mean: other lists for other seeds.

        Args:
            seed: seeds z; the same seed gives the same first answer.

        Example:
            >>> from kerasrec import MultVAE, generate
            >>> table = generate(n_users=100, n_items=50, seed=1)
            >>> model = MultVAE(table.n_items, hidden_dims=(32,), latent_dim=8, seed=1)
            >>> lists = [model.sampled(seed).recommend(table, k=5).item_ids for seed in (1, 1, 2)]
            >>> bool((lists[0] == lists[1]).all()), bool((lists[0] == lists[2]).all())
            (True, False)
        """
        return Sampled(self, seed)

    def get_config(self) -> dict[str, Any]:
        network = ("n_items", "hidden_dims", "latent_dim", "activation", "dropout")
        loss = ("likelihood", "beta", "anneal_steps", "reg", "n_sampled")
        return {**super().get_config(), **{name: getattr(self, name) for name in (*network, *loss)}}
