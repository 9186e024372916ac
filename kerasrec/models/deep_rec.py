"""DeepRec: a deep autoencoder of rating vectors, trained with dense re-feeding. https://arxiv.org/abs/1708.01715."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.layers import RowDense
from kerasrec.losses import MaskedMeanSquaredError
from kerasrec.models.base import Recommender
from kerasrec.models.catalogue_weights import Axes
from kerasrec.models.dense_stack import (
    build_in_sequence,
    hidden_widths,
    input_axes,
    output_axes,
    output_vectors,
)
from kerasrec.models.entry_losses import EntryLosses, squared_error
from kerasrec.models.precision import product_dtype
from kerasrec.models.schedules import HalvingDecay
from kerasrec.models.search_space import Choice, Range
from kerasrec.optimizers import Adam
from kerasrec.types import FloatArray, IntArray, Tensor
from kerasrec.validation import check_at_least


@public
class DeepRec(Recommender):
    """Deep autoencoder that predicts a user's missing ratings and also trains on its own outputs (dense re-feeding).

        minimise  Σ_u Σ_{i observed} (r_ui - f(r_u)_i)² / number of observed entries

    f has SELU on every layer, the output layer included, and dropout on its code. After the update on a batch r comes
    dense re-feeding: x' = f(r), computed before that update and without a gradient, is a new batch in which every
    entry is observed, and the model is updated towards f(x') = x'. An ideal f maps its own outputs to themselves.

    Needs ratings.

    Args:
        n_items: size of the catalogue.
        hidden_dims: widths of the encoder; the decoder has them in reverse (paper: (512, 512, 1024)).
        activation: of all layers (paper: SELU).
        dropout: share of the code that is dropped in training (paper: 0.8).
        refeeds: number of re-feeding updates per batch (paper: 1; 0 for none). `for_interactions` sets 0, which is
            better with the default optimizer.
        value_range: lowest and highest rating, to which metrics clip predictions.
        seed: seed of weights and dropout.

    Shapes:
        In: a batch of `kerasrec.data.batches`, or dense `(batch, n_items)`, 0 where not observed.
        Out: predicted ratings `(batch, n_items)`, float32.

    Raises:
        ValueError: `refeeds` is negative, or `hidden_dims` is empty.

    On several replicas each divides by its own number of observed entries. If these differ, the mean over the replicas
    differs slightly from the loss of the whole batch.

    Differs from the paper in: the optimizer, unless compiled with `compile(model.paper_optimizer())`. The paper's SGD
    had 370,000 batches of Netflix; an epoch of MovieLens 1M has 47, and there only Adam with weight decay is better
    than a shallow autoencoder. Re-feeding improves the paper's optimizer there and costs accuracy with Adam: RMSE .88
    instead of .86 (zoo/refeeding.md).
    Not to be confused with the serving framework of the same name.

    Source: Kuchaiev and Ginsburg, Training Deep AutoEncoders for Collaborative Filtering, 2017.
    """

    feedback = "ratings"
    serving_inputs = ("history", "ratings")
    loss_mean = "entries"
    default_batch_size = 128
    default_epochs = 30
    search_space = {
        "hidden_dims": Choice(((512,), (256, 128), (512, 512, 1024))),
        "dropout": Range(0.0, 0.9),
        "learning_rate": Range(1e-4, 2e-2, log=True),
    }

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
        check_at_least(0, refeeds=refeeds)
        self.n_items = n_items
        self.hidden_dims = hidden_widths(hidden_dims)
        self.activation = activation
        self.dropout = dropout
        self.refeeds = refeeds
        self.value_range = None if value_range is None else (value_range[0], value_range[1])

        first, *others = self.hidden_dims
        self.encoder = [self._dense(first, "encoder_0", RowDense, product_dtype=product_dtype(self.product_dtype))]
        self.encoder += [self._dense(units, f"encoder_{i}") for i, units in enumerate(others, 1)]
        self.drop = keras.layers.Dropout(dropout, seed=self.seed_for("dropout"), name="drop")
        self.decoder = [self._dense(units, f"decoder_{i}") for i, units in enumerate(reversed(self.hidden_dims[:-1]))]
        # The output is compared with ratings and ranked: float32 under any policy.
        self.ratings = self._dense(n_items, "ratings", dtype="float32")
        self.squared_error = MaskedMeanSquaredError(per="entry")

    def _dense(self, units: int, name: str, layer: Any = keras.layers.Dense, **kwargs: Any) -> keras.layers.Layer:
        initializer = keras.initializers.GlorotUniform(self.seed_for(name))
        arguments = {"dtype": self.dtype_policy, **kwargs}
        return layer(units, self.activation, kernel_initializer=initializer, name=name, **arguments)

    def build(self, input_shape: Any = None) -> None:
        build_in_sequence([*self.encoder, *self.decoder, self.ratings], self.n_items)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        first, *others = self.encoder
        hidden = first(self.observed(inputs), training=training)
        for layer in others:
            hidden = layer(hidden)
        hidden = self.drop(hidden, training=training)
        for layer in self.decoder:
            hidden = layer(hidden)
        return self.ratings(hidden)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        return self.squared_error(self.observed(x if y is None else y), y_pred, sample_weight)

    # ---- dense re-feeding -----------------------------------------------------------------------

    def train_step(self, *args: Any) -> Any:
        """An update on the batch, then one on each re-fed output. The logs contain the loss of the batch."""
        *state, data = args
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(self.with_sparse_rows(data))
        ratings = self.observed(x if y is None else y)
        if keras.backend.backend() == "jax":
            return self._train_step_on_jax(state[0], x, y, ratings, sample_weight)
        loss, output = self._update(x, ratings, sample_weight)
        refed = output
        for _ in range(self.refeeds):
            refed = ops.stop_gradient(refed)
            _, refed = self._update(refed, refed, sample_weight)  # a dense target: every entry is observed
        return self._log(loss, x, y, output, sample_weight)

    def _update(self, inputs: Any, targets: Any, sample_weight: Any) -> tuple[Tensor, Tensor]:
        """One update towards f(inputs) = targets: the loss and f(inputs) before it."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            output = self(inputs, training=True)
            loss = self.squared_error(targets, output, sample_weight)
            scaled_loss = self.optimizer.scale_loss(loss)
        weights = self.trainable_variables
        if weights:  # a frozen model has none
            self.optimizer.apply_gradients(zip(tape.gradient(scaled_loss, weights), weights, strict=True))
        return loss * tf.distribute.get_strategy().num_replicas_in_sync, output  # Keras divides losses by it

    def _train_step_on_jax(self, state: Any, x: Any, y: Any, ratings: Any, sample_weight: Any) -> Any:
        import jax

        weights, other_variables, optimizer_variables, metrics_variables = state

        def loss_of(weights: Any, other_variables: Any, inputs: Any, targets: Any) -> Any:
            output, other_variables = self.stateless_call(weights, other_variables, inputs, training=True)
            with keras.StatelessScope(state_mapping=zip(self.optimizer.variables, optimizer_variables, strict=True)):
                loss = self.squared_error(targets, output, sample_weight)
                return self.optimizer.scale_loss(loss), (loss, output, other_variables)

        inputs, targets = x, ratings
        first: Any = None
        for _ in range(1 + self.refeeds):
            gradients, (loss, output, other_variables) = jax.grad(loss_of, has_aux=True)(
                weights, other_variables, inputs, targets
            )
            if weights:  # a frozen model has none
                weights, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, gradients, weights)
            first = first or (loss, output)
            inputs = jax.lax.stop_gradient(output)
            # `keras.distribution` needs batches padded with empty rows, which no mean may include.
            targets = ops.where(ops.expand_dims(ratings.counts > 0, 1), inputs, float("nan"))
        with keras.StatelessScope(state_mapping=zip(self.metrics_variables, metrics_variables, strict=True)) as scope:
            logs = self._log(first[0], x, y, first[1], sample_weight)
            metrics_variables = [scope.get_current_value(variable) for variable in self.metrics_variables]
        return logs, (weights, other_variables, optimizer_variables, metrics_variables)

    def _log(self, loss: Tensor, x: Any, y: Any, output: Tensor, sample_weight: Any) -> Any:
        tracker = next(metric for metric in self.metrics if metric.name == "loss")
        tracker.update_state(loss, sample_weight=ops.shape(output)[0])
        return self.compute_metrics(x, y, output, sample_weight)

    # ---- optimizers -----------------------------------------------------------------------------

    @property
    def updates_per_batch(self) -> int:
        return 1 + self.refeeds

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """Adam at 0.001 with decoupled weight decay of 1. In a planned run the rate falls to 0 as a cosine."""
        return Adam(0.001 if self.planned_steps is None else self.cosine_decay(0.001), weight_decay=1.0)

    def paper_optimizer(self, rate: float | None = None) -> keras.optimizers.Optimizer:
        """The paper's optimizer, for `compile`: SGD with momentum 0.9.

        In a planned run, the rate is halved after 24, 36, 48, 66 and 72 % of it, as in the authors' code after as
        many of 100 epochs.

        Args:
            rate: the initial rate. Default: 0.005 with re-feeding and 0.001 without, as in the paper, for which 0.005
                without re-feeding diverged on Netflix.
        """
        schedule: Any = rate or (0.005 if self.refeeds else 0.001)
        if self.planned_steps is not None:
            steps, start = (n * self.updates_per_batch for n in (self.planned_steps, self.run_start))
            schedule = HalvingDecay(schedule, steps, start, shares=(0.24, 0.36, 0.48, 0.66, 0.72))
        return keras.optimizers.SGD(schedule, momentum=0.9)

    # ---- interface ------------------------------------------------------------------------------

    @classmethod
    def sizes_for(cls, train: Interactions, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"n_items": train.n_items, "value_range": (float(train.values.min()), float(train.values.max()))}

    @classmethod
    def defaults_for(
        cls, train: Interactions, validation: HeldOut | None, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"refeeds": 0}

    @classmethod
    def batch_size_for(cls, n_rows: int) -> int:
        return cls.default_batch_size  # the weight decay was chosen with it

    def weight_axes(self) -> list[tuple[keras.Variable, Axes]]:
        return [*input_axes(self.encoder[0]), *output_axes(self.ratings)]

    def item_vectors(self, train: Interactions) -> FloatArray:
        return output_vectors(self.ratings)

    @property
    def code_layer(self) -> str | None:
        """The last layer of the encoder."""
        return self.encoder[-1].name

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        return squared_error(scores, columns, values)
