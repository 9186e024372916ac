"""Mult-VAE: a variational autoencoder with a multinomial likelihood. https://arxiv.org/abs/1802.05814."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np

from kerasrec._registry import public
from kerasrec.layers import GaussianSampling, Logits, RowDense, SampledLogits, xavier_dense
from kerasrec.losses import NegativeELBO, RowMean, gaussian_kl
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import (
    build_in_sequence,
    hidden_widths,
    input_axes,
    output_axes,
    output_vectors,
)
from kerasrec.models.entry_losses import EntryLosses, negative_log_softmax
from kerasrec.models.latent import AnnealedVAE
from kerasrec.models.precision import product_dtype
from kerasrec.models.search_space import Choice, Range
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, l2_normalize_rows
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor


@public
class MultVAE(AnnealedVAE):
    """Variational autoencoder of a user's likes.

    Minimises, averaged over users, the negative evidence lower bound (`kerasrec.losses.NegativeELBO`)

        -Σ_i x_ui log softmax(f(z_u))_i + β · KL(q(z_u | x_u) ‖ N(0, I)) + reg · Σ W²
        β = min(beta, step / anneal_steps)

    q = N(μ, diag σ²) is the output of an encoder of the L2-normalised row under dropout. z is drawn from q in
    training and is μ otherwise.

    Needs likes and a history only: users that were not in training are scored as well.

    Args:
        n_items: size of the catalogue.
        hidden_dims: widths of the encoder's hidden layers; the decoder has them in reverse (paper: (600,)).
        latent_dim: width of z (paper: 200).
        activation: of the hidden layers (paper: tanh).
        dropout: share of the input that is dropped in training (paper: 0.5).
        likelihood: `"multinomial"`, `"gaussian"` or `"logistic"` (the paper's Mult-, Gauss- and Logistic-VAE).
        observed_weight: weight of the likes in the Gaussian likelihood, see `kerasrec.losses.GaussianNLL` (default 1).
        beta: the highest weight of the KL term (paper: 0.2).
        anneal_steps: number of steps in which β would rise from 0 to 1 without the limit `beta` (paper: 200,000, for
            ML-20M).
            `for_interactions(train, epochs=…)` scales it to the run, because on a small data set β would stay far
            below its cap.
        reg: weight decay of kernels, not of biases (paper: none for its VAE; `MultDAE` has it).
        n_sampled: for large catalogues, the number of items to sample for each training batch instead of using all
            (paper: all), see `kerasrec.layers.SampledLogits`. On TensorFlow's CPU the cost of a training step then
            does not depend on the size of the catalogue. With the multinomial likelihood only.
        seed: seed of weights, dropout and z.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`. Out: logits `(batch, n_items)`, float32.

    Raises:
        ValueError: `likelihood` is unknown, `beta` is negative, `anneal_steps` is below 1, or `n_sampled` is below 2
            or combined with another likelihood or with `reg`.

    Example:
        >>> from kerasrec import MultVAE, generate
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(32,), latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=1, batch_size=50, verbose=0)
        >>> model.recommend(table, k=5).item_ids.shape
        (100, 5)

    Differs from the paper in: nothing known. Also known as Multi-VAE.

    Source: Liang, Krishnan, Hoffman and Jebara, Variational Autoencoders for Collaborative Filtering, WWW 2018.
    """

    default_epochs = 200
    default_learning_rate = 4e-3
    default_beta = 0.2
    search_space = {
        "latent_dim": Range(50, 400, log=True),
        "hidden_dims": Choice(((200,), (600,), (600, 400))),
        "dropout": Range(0.2, 0.8),
        "beta": Range(0.05, 1.0, log=True),
        "learning_rate": Range(5e-4, 2e-2, log=True),
    }

    def __init__(
        self,
        n_items: int,
        hidden_dims: tuple[int, ...] = (600,),
        latent_dim: int = 200,
        activation: str = "tanh",
        dropout: float = 0.5,
        likelihood: str = "multinomial",
        observed_weight: float = 1.0,
        beta: float = 0.2,
        anneal_steps: int = 200_000,
        reg: float = 0.0,
        n_sampled: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if n_sampled is not None and likelihood != "multinomial":
            raise ValueError(
                f"`n_sampled`: expected None with the {likelihood} likelihood, got {n_sampled}. It estimates the "
                "softmax of the multinomial likelihood"
            )
        if n_sampled is not None and reg:
            raise ValueError(
                f"`reg`: expected 0 with `n_sampled`, got {reg:g}, because it reads all weights in every step"
            )
        self.set_annealing(beta, anneal_steps)
        self.n_items = n_items
        self.hidden_dims = hidden_widths(hidden_dims)
        self.latent_dim = latent_dim
        self.activation = activation
        self.dropout = dropout
        self.likelihood = likelihood
        self.observed_weight = observed_weight
        self.reg = reg
        self.n_sampled = n_sampled

        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        first, *others = self.hidden_dims
        self.encoder = [self._dense(first, activation, "encoder_0", layer=RowDense, sparse=n_sampled is not None)]
        self.encoder += [self._dense(units, activation, f"encoder_{i}") for i, units in enumerate(others, 1)]
        self.mean = self._dense(latent_dim, None, "mean")
        self.log_var = self._dense(latent_dim, None, "log_var")
        self.sampling = GaussianSampling(self.seed_for("sampling"), name="sampling")
        decoder = enumerate(reversed(self.hidden_dims))
        self.decoder = [self._dense(units, activation, f"decoder_{i}") for i, units in decoder]
        if n_sampled is None:
            self.logits = self._dense(n_items, None, "logits", layer=Logits, dtype="float32")
        else:
            sampled = partial(SampledLogits, n_sampled=n_sampled, seed=self.seed_for("sample"))
            self.logits = xavier_dense(n_items, None, self.seed_for("logits"), "logits", layer=sampled)
        self.elbo = NegativeELBO(likelihood, beta, observed_weight)

    def _dense(self, units: int, activation: str | None, name: str, **kwargs: Any) -> keras.layers.Layer:
        decay = keras.regularizers.L2(self.reg) if self.reg else None
        arguments = {"dtype": self.dtype_policy, "product_dtype": product_dtype(self.product_dtype), **kwargs}
        return xavier_dense(units, activation, self.seed_for(name), name, kernel_regularizer=decay, **arguments)

    def build(self, input_shape: Any = None) -> None:
        width = build_in_sequence(self.encoder, self.n_items)
        self.mean.build((None, width))
        self.log_var.build((None, width))
        build_in_sequence([*self.decoder, self.logits], self.latent_dim)
        super().build(input_shape)

    def first_hidden(self, row: SparseRows | DenseRows, training: bool = False) -> Tensor:
        """The first hidden layer, from a corrupted row."""
        return self.encoder[0](row, training=training)

    def encode(self, inputs: Any, training: bool = False) -> tuple[Tensor, Tensor]:
        """μ and log σ² of the code, each `(batch, latent_dim)`."""
        row = l2_normalize_rows(self.observed(inputs))
        hidden = self.first_hidden(row.with_values(self.drop(row.values, training=training)), training)
        for layer in self.encoder[1:]:
            hidden = layer(hidden, training=training)
        return self.mean(hidden, training=training), self.log_var(hidden, training=training)

    def hidden(self, code: Tensor, training: bool = False) -> Tensor:
        """The last hidden layer of the decoder, from a code `(batch, latent_dim)`; the logits are linear in it."""
        for layer in self.decoder:
            code = layer(code, training=training)
        return code

    def output_logits(self, hidden: Tensor, training: bool = False) -> Tensor:
        """The logits of the last hidden layer, `(batch, n_items)`."""
        return self.logits(hidden, training=training)

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_var = self.encode(inputs, training)
        if not training:
            return self.decode(mean)
        self.step.assign_add(1)
        hidden = self.hidden(self.sampling(mean, log_var, training=True), training=True)
        code = {"mean": mean, "log_var": log_var, "beta": self.current_beta()}
        if self.n_sampled is None:
            return {"logits": self.output_logits(hidden, training=True), **code}
        return {"hidden": hidden, **code}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        likes = self.observed(x if y is None else y)
        targets = likes if self.elbo.accepts_sparse_rows else self.dense_targets(x if y is None else y)
        if not training:
            return self.elbo.nll(targets, y_pred, sample_weight) + self.regularization_losses()
        if self.n_sampled is None:
            return self.elbo(targets, y_pred, sample_weight) + self.regularization_losses()
        kl = y_pred["beta"] * gaussian_kl(y_pred["mean"], y_pred["log_var"])
        rows = self.logits.nll(y_pred["hidden"], likes) + kl
        return RowMean()(rows, rows, sample_weight)

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.001; with `n_sampled` lazy Adam at 0.002, which compensates for the noisier gradient."""
        return Adam(1e-3) if self.n_sampled is None else Adam(2e-3, lazy=True)

    def posterior(self, inputs: Any) -> tuple[Tensor, Tensor]:
        return self.encode(inputs)

    def decode(self, code: Tensor, training: bool = False) -> Tensor:
        return self.output_logits(self.hidden(code, training))

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [*input_axes(self.encoder[0]), *output_axes(self.logits)]

    def item_vectors(self, train: Any) -> FloatArray:
        return output_vectors(self.logits)

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        f = scores[columns]
        if self.likelihood == "gaussian":
            return EntryLosses("half squared error", 0.5 * self.observed_weight * np.square(1.0 - f))
        if self.likelihood == "logistic":
            return EntryLosses("-log sigmoid", np.logaddexp(0.0, -f))
        return negative_log_softmax(scores, columns)
