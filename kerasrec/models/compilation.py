"""Compilation: the optimizer and the metrics of a model, also as a stored configuration."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras

from kerasrec import metrics as kerasrec_metrics
from kerasrec.models.fit_arguments import as_list, check_compile_arguments, check_metric
from kerasrec.models.schedules import PlannedRuns
from kerasrec.optimizers import Adam


class Compilation(PlannedRuns):
    """The part of `Recommender` that is compiled: the optimizer and the metrics of the paper are the defaults."""

    feedback: str
    value_range: tuple[float, float] | None
    n_columns: int
    untracked: SimpleNamespace

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the paper, or that of the recipe in `zoo/` if the two differ."""
        return Adam(1e-3)

    def decaying_optimizer(self, rate: float) -> keras.optimizers.Optimizer:
        """The default optimizer with a learning rate that falls from `rate` to 0 over the planned run.

        Raises:
            ValueError: no run was planned (`for_interactions(train, epochs=…)`).
        """
        default = self.default_optimizer()
        optimizer: keras.optimizers.Optimizer = type(default).from_config(
            {**default.get_config(), "learning_rate": self.cosine_decay(rate)}
        )
        return optimizer

    def default_metrics(self) -> list[str]:
        """Names of the metrics that `compile` uses if none are given."""
        return ["rmse"] if self.feedback == "ratings" else ["recall_20", "recall_50", "ndcg_100"]

    @property
    def monitor(self) -> str:
        """The validation metric that chooses the best epoch."""
        return "val_rmse" if self.feedback == "ratings" else "val_ndcg_100"

    def metrics_for(self, metrics: str | Sequence[Any] | None) -> list[Any]:
        """Metrics from names or metrics, the model's own for `None`. RMSE and MAE by name clip to `value_range`.

        Raises:
            ValueError: a name is unknown, or a metric of Keras is given to a rating model.
        """
        names = self.default_metrics() if metrics is None else as_list(metrics)
        result = [kerasrec_metrics.get(name) for name in names]
        for name, metric in zip(names, result, strict=True):
            if isinstance(name, str) and isinstance(metric, kerasrec_metrics.RatingMetric):
                metric.value_range = self.value_range
            check_metric(metric, self.feedback, self.n_columns)
        return result

    def compile(self, optimizer: Any = None, metrics: str | Sequence[Any] | None = None, **kwargs: Any) -> None:
        """Configures the model for `fit` and `evaluate`.

        Args:
            optimizer: a Keras optimizer or its name. Default: `default_optimizer()`, the paper's.
            metrics: names (`"ndcg_100"`, `"recall_20"`, `"rmse"`, …) or metrics, computed on validation and test data;
                see `kerasrec.metrics.get`. Default: `default_metrics()`.
            **kwargs: `jit_compile`, `run_eagerly`, `steps_per_execution`, … as in Keras.

        Raises:
            ValueError: `loss`, `loss_weights` or `weighted_metrics` is given, or a name is unknown.
        """
        check_compile_arguments(kwargs, type(self).__name__)
        self.untracked.metrics = self.metrics_for(metrics)
        super().compile(optimizer=self.default_optimizer() if optimizer is None else optimizer, **kwargs)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and the compiled metrics."""
        return [*super().metrics, *self.untracked.metrics]

    def get_compile_config(self) -> dict[str, Any] | None:
        config: dict[str, Any] | None = super().get_compile_config()
        if config:  # empty for a model that was not compiled
            metrics = [keras.saving.serialize_keras_object(m) for m in self.untracked.metrics]
            config |= {"metrics": metrics, "optimizer_is_built": self.optimizer.built}
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        arguments = keras.saving.deserialize_keras_object(config)
        optimizer_is_built = arguments.pop("optimizer_is_built", True)
        self.compile(**arguments)
        if self.built and optimizer_is_built:  # otherwise no state is stored, and Keras would warn that it is missing
            self.optimizer.build(self.trainable_variables)
