"""DeepRec: a deep autoencoder of rating vectors, trained with dense re-feeding. https://arxiv.org/abs/1708.01715."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.layers import RowDense
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender, widths
from kerasrec.ops.gradients import released
from kerasrec.optimizers import Adam
from kerasrec.types import Tensor


@public
class DeepRec(Recommender):
    """Deep autoencoder that fills in a user's ratings, and learns from its own answers as well.

        minimise  Σ_u Σ_{i observed} (r_ui - f(r_u)_i)² / number of observed entries

    f has SELU on every layer, the last included, and dropout on its code. After the update on a
    batch r comes dense re-feeding: x' = f(r), as that update saw it, is a new batch in which every
    entry is observed, and f(x') ≈ x' has an update of its own, with no gradient through x'. A right
    f leaves its own answers as they are.

    Needs ratings.

    Args:
        n_items: size of the catalogue.
        hidden_dims: widths of the encoder; the decoder has them in reverse (paper: (512, 512, 1024)).
        activation: of all layers (paper: SELU).
        dropout: share of the code that is dropped in training (paper: 0.8).
        refeeds: how often the output is fed again, each an update (paper: 1; 0 for none).
        value_range: lowest and highest rating, to which predictions are clipped when measured.
        seed: seeds weights and dropout.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`, 0 where not observed.
        Out: predicted ratings `(batch, n_items)`, float32.

    On several replicas each divides by its own number of observed entries: where these differ, the
    mean over the replicas is not quite what one would learn from the whole batch.

    Differs from the paper in: its optimizer, unless `compile(model.paper_optimizer())`. Stochastic gradient descent had
    370,000 batches of Netflix to learn from; of MovieLens 1M an epoch has 47, and only Adam with weight decay gets
    below a shallow autoencoder. Re-feeding helps the paper's optimizer there, and costs accuracy with Adam, an RMSE of
    .88 in place of .86 (zoo/refeeding.md): try `refeeds=0` on a data set of that size.
    Not to be confused with the serving framework of that name.

    Source: Kuchaiev and Ginsburg, Training Deep AutoEncoders for Collaborative Filtering, 2017.
    """

    feedback = "ratings"
    serving_inputs = ("history", "ratings")
    default_batch_size = 128
    default_epochs = 30

    def __init__(
        self,
        n_items: int,
        hidden_dims: tuple[int, ...] = (512, 512, 1024),
        activation: str = "selu",
        dropout: float = 0.8,
        refeeds: int = 1,
        value_range: tuple[float, float] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_items, seed=seed, **kwargs)
        if refeeds < 0:
            raise ValueError(f"`refeeds` must be 0 or more, not {refeeds}")
        self.n_items = n_items
        self.hidden_dims = widths(hidden_dims)
        self.activation = activation
        self.dropout = dropout
        self.refeeds = refeeds
        self.value_range = None if value_range is None else tuple(value_range)

        first, *others = self.hidden_dims
        self.encoder = [self._dense(first, "encoder_0", kind=RowDense)]
        self.encoder += [self._dense(d, f"encoder_{i}") for i, d in enumerate(others, 1)]
        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        self.decoder = [self._dense(d, f"decoder_{i}") for i, d in enumerate(reversed(self.hidden_dims[:-1]))]
        # The output is compared with ratings and ranked: float32 under any policy.
        self.ratings = self._dense(n_items, "ratings", dtype="float32")
        self.squared_error = MaskedMeanSquaredError(per="entry")

    def _dense(self, units: int, name: str, kind: type = keras.layers.Dense, **kwargs: Any) -> keras.layers.Dense:
        initializer = keras.initializers.GlorotUniform(self.seed_for(name))
        return kind(units, self.activation, kernel_initializer=initializer, name=name, **kwargs)

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        value_range = (float(train.values.min()), float(train.values.max()))
        return {"n_items": train.n_items, "value_range": value_range, **arguments}

    @property
    def updates_per_batch(self) -> int:
        return 1 + self.refeeds

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam with decoupled weight decay of 1, its rate 0.001, falling to 0 where a run was planned."""
        return Adam(0.001 if self.planned_steps is None else self.cosine_decay(0.001), weight_decay=1.0)

    def paper_optimizer(self, rate: float | None = None) -> keras.optimizers.Optimizer:
        """The paper's, for `compile`: stochastic gradient descent with momentum 0.9.

        Where a run was planned, the rate is halved after 24, 36, 48, 66 and 72 % of it, as in the
        authors' code after as many of 100 epochs.

        Args:
            rate: to start from; 0.005 with re-feeding and 0.001 without where absent, as in the paper, for which
                0.005 without diverged on Netflix.
        """
        falling: Any = rate or (0.005 if self.refeeds else 0.001)
        if self.planned_steps is not None:
            updates = self.planned_steps * self.updates_per_batch
            halved = [round(updates * share) for share in (0.24, 0.36, 0.48, 0.66, 0.72)]
            rates = [falling / 2**times for times in range(len(halved) + 1)]
            falling = keras.optimizers.schedules.PiecewiseConstantDecay(halved, rates)
        return keras.optimizers.SGD(falling, momentum=0.9)

    def build(self, input_shape: Any = None) -> None:
        width = self.n_items
        for layer in [*self.encoder, *self.decoder, self.ratings]:
            layer.build((None, width))
            width = layer.units

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        first, *others = self.encoder
        hidden = first(inputs)
        for layer in others:
            hidden = layer(hidden)
        hidden = self.drop(hidden, training=training)
        for layer in self.decoder:
            hidden = layer(hidden)
        return self.ratings(hidden)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        return (
            self.squared_error(self.observed_entries(x if y is None else y), y_pred, sample_weight)
            + self.regularization_losses()
        )

    # ---- dense re-feeding -----------------------------------------------------------------------

    def compute_metrics(self, x: Any, y: Any, y_pred: Tensor, sample_weight: Any = None) -> dict[str, Tensor]:
        self.untracked.output = y_pred  # Keras' training step hands f(x) to nobody else
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def train_step(self, *args: Any) -> Any:
        """Keras' step on the batch, then one on each re-fed output; the loss reported is the batch's."""
        refeed = self._refeed_on_jax if keras.backend.backend() == "jax" else self._refeed_on_tensorflow
        done = super().train_step(*args)
        output = self.untracked.output
        for _ in range(self.refeeds):
            done, output = refeed(done, output)
        return done

    def _refed_loss(self, output: Tensor, answer: Tensor) -> Tensor:
        return self.optimizer.scale_loss(self.squared_error(output, answer))

    def _refeed_on_tensorflow(self, logs: Any, output: Tensor) -> tuple[Any, Tensor]:
        import tensorflow as tf

        weights = self.trainable_variables
        with tf.GradientTape() as tape:
            answer = self(output, training=True)
            loss = self._refed_loss(output, answer)
        with released():
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return logs, answer

    def _refeed_on_jax(self, done: Any, output: Tensor) -> tuple[Any, Tensor]:
        import jax

        logs, (weights, others, optimizer, metrics) = done

        def loss_of(weights: Any) -> Any:
            answer, changed = self.stateless_call(weights, others, output, training=True)
            with keras.StatelessScope(state_mapping=zip(self.optimizer.variables, optimizer, strict=True)):
                return self._refed_loss(output, answer), (answer, changed)

        gradients, (answer, others) = jax.grad(loss_of, has_aux=True)(weights)
        weights, optimizer = self.optimizer.stateless_apply(optimizer, gradients, weights)
        return (logs, (weights, others, optimizer, metrics)), answer

    def get_config(self) -> dict[str, Any]:
        names = ("n_items", "hidden_dims", "activation", "dropout", "refeeds", "value_range")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
