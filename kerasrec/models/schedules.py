"""Schedules of one run: what changes over a run begins again with the next run."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.types import Tensor
from kerasrec.validation import check_at_least


class RunSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Base of the learning rates that change over one run. `Recommender.fit` moves them to the next run.

    Args:
        learning_rate: rate at the start.
        steps: optimizer steps of the run.
        start: optimizer step at which the run begins.
    """

    def __init__(self, learning_rate: float, steps: int, start: int = 0) -> None:
        check_at_least(1, steps=steps)
        check_at_least(0, learning_rate=learning_rate)
        self.learning_rate = learning_rate
        self.steps = steps
        self.start = start

    def done(self, step: Tensor) -> Tensor:
        """The steps of the run before `step`, float32; outside of the run below 0 or above `steps`."""
        return ops.cast(step, "float32") - float(self.start)

    def for_run(self, steps: int, start: int) -> RunSchedule:
        """The same schedule for another run."""
        schedule: RunSchedule = type(self).from_config({**self.get_config(), "steps": steps, "start": start})
        return schedule

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"learning_rate": self.learning_rate, "steps": self.steps, "start": self.start}


@public
class CosineDecay(RunSchedule):
    """A learning rate that falls to 0 over one run and can begin at any optimizer step.

        rate(t) = learning_rate · ½ (1 + cos(π · min(max(t - start, 0), steps) / steps))

    `Recommender.fit` replaces the schedule of a finished run by that of the next run.

    Args:
        learning_rate: rate at the start.
        steps: optimizer steps of the run.
        start: optimizer step at which the run begins.

    Example:
        >>> from kerasrec.models.schedules import CosineDecay
        >>> decay = CosineDecay(0.1, steps=10)
        >>> [round(float(decay(step)), 3) for step in (0, 5, 10)]
        [0.1, 0.05, 0.0]

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017.
    """

    def __call__(self, step: Tensor) -> Tensor:
        return self.learning_rate * 0.5 * (1.0 + ops.cos(math.pi * ops.clip(self.done(step) / self.steps, 0.0, 1.0)))


@public
class HalvingDecay(RunSchedule):
    """A learning rate that is halved at given shares of one run.

    Args:
        learning_rate: rate at the start.
        steps: optimizer steps of the run.
        start: optimizer step at which the run begins.
        shares: shares of the run after which the rate is halved.

    Example:
        >>> from kerasrec.models.schedules import HalvingDecay
        >>> decay = HalvingDecay(0.8, steps=10, shares=(0.5, 0.7))
        >>> [round(float(decay(step)), 3) for step in (0, 5, 6, 8)]
        [0.8, 0.8, 0.4, 0.2]
    """

    def __init__(self, learning_rate: float, steps: int, start: int = 0, shares: tuple[float, ...] = (0.5,)) -> None:
        super().__init__(learning_rate, steps, start)
        self.shares = tuple(shares)

    def __call__(self, step: Tensor) -> Tensor:
        done = self.done(step)
        rate = ops.full_like(done, self.learning_rate)
        for share in self.shares:
            rate = ops.where(done > round(share * self.steps), 0.5 * rate, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "shares": self.shares}


class PlannedRuns(keras.Model):
    """The part of `Recommender` that scales schedules to a run.

    Attributes:
        planned_steps: training steps of the current run, or None if no run was planned.
        run_start: training step at which it began.
        warm_started: whether the next run is the first after `warm_start`.
    """

    default_batch_size: int
    planned_steps: int | None
    run_start: int
    warm_started: bool

    @classmethod
    def steps_for(cls, n_rows: int, epochs: int, batch_size: int | None = None) -> int:
        """The number of training steps of `fit`: epochs · ⌈rows / batch size⌉."""
        return epochs * -(-n_rows // (batch_size or cls.default_batch_size))

    @classmethod
    def schedule_for(cls, steps: int | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Constructor arguments that depend on the number of steps of a run; override it to scale schedules."""
        return {}

    @property
    def updates_per_batch(self) -> int:
        """How often the optimizer updates the weights for one batch of `fit`."""
        return 1

    def cosine_decay(self, rate: float) -> CosineDecay:
        """A learning rate that falls from `rate` to 0 over the planned run.

        Raises:
            ValueError: no run was planned.
        """
        if self.planned_steps is None:
            raise ValueError(
                "no run is planned, so the length of the decay is unknown. Fix: "
                f"`{type(self).__name__}.for_interactions(train, epochs=…, batch_size=…)`"
            )
        return CosineDecay(rate, self.planned_steps * self.updates_per_batch, self.run_start * self.updates_per_batch)

    def plan_run(self, steps: int) -> None:
        """Prepares the schedules for a `fit` of `steps` steps.

        If the steps fit into the rest of the planned run, the run continues. Otherwise, or if the optimizer has made
        no step since `compile`, a new run begins: learning rate and annealing start again, scaled to `steps`. Nothing
        changes if no run was planned, or if there is no step.

        In the first run after `warm_start`, annealed values keep their ends: annealing serves an untrained posterior,
        and repeating it would undo much of what the model has learned.
        """
        optimizer = inner_optimizer(self.optimizer)
        done = int(as_number(optimizer.iterations)) // self.updates_per_batch
        if self.planned_steps is not None and steps > 0:
            if self.warm_started:
                self._begin_run(steps, done, annealed_steps=steps)
            else:
                self._plan_run(self.planned_steps, steps, done)
        self.warn_if_rate_is_zero()

    def _plan_run(self, planned_steps: int, steps: int, done: int) -> None:
        """Continues the planned run if `steps` fit into its rest, or begins a new one."""
        if done == 0:  # a model that was compiled again has the annealing and the `run_start` of an earlier run
            self._begin_run(planned_steps, 0)
        left = self.run_start + planned_steps - done
        if steps > left:
            self._begin_run(steps, done)
        elif steps < left and done == self.run_start:
            warnings.warn(
                f"this run has {steps:,} steps and the model was planned for {planned_steps:,}, so its "
                "schedules will not end with it. Fix: pass the epochs and the batch size of `fit` to "
                "`for_interactions`",
                stacklevel=4,
            )

    def _begin_run(self, steps: int, done: int, annealed_steps: int = 0) -> None:
        """Begins a run of `steps` steps at step `done`."""
        self.reset_schedules(annealed_steps)
        self.continue_run(steps, done)

    def warn_if_rate_is_zero(self) -> None:
        """Warns if a schedule of the learning rate has ended at 0."""
        optimizer = inner_optimizer(self.optimizer)
        iterations, rate = (as_number(value) for value in (optimizer.iterations, optimizer.learning_rate))
        if iterations and rate == 0.0:
            warnings.warn("the learning rate is 0: `fit` changes no weight. Fix: compile again", stacklevel=4)

    def run_plan(self) -> dict[str, Any]:
        """The current run: `planned_steps` and `run_start`."""
        return {"planned_steps": self.planned_steps, "run_start": self.run_start}

    def continue_run(self, planned_steps: int | None, run_start: int) -> None:
        """Scales all schedules to a run of `planned_steps` steps that began at step `run_start`.

        Schedules that the constructor was given (`anneal_steps`, `refresh_steps`) stay as they are.
        `Checkpoints.restore` calls it, so that a resumed run has the schedules of the interrupted one.
        """
        self.warm_started = False
        if (planned_steps, run_start) == (self.planned_steps, self.run_start):
            return
        config = self.get_config()
        previous = self.schedule_for(self.planned_steps, config)
        self.planned_steps, self.run_start = planned_steps, run_start
        for name, value in self.schedule_for(planned_steps, config).items():
            if config[name] == previous.get(name, config[name]):
                setattr(self, name, value)
        if not self.compiled:
            return
        optimizer = inner_optimizer(self.optimizer)
        schedule = optimizer._learning_rate  # the public property evaluates it
        if isinstance(schedule, RunSchedule) and planned_steps is not None:
            optimizer.learning_rate = schedule.for_run(
                *(n * self.updates_per_batch for n in (planned_steps, run_start))
            )
        self.train_function = None  # schedules are constants of the compiled training step

    def reset_schedules(self, annealed_steps: int = 0) -> None:
        """Sets the weights that count the steps of a run to 0; override it if the model has one.

        Args:
            annealed_steps: if positive, the model is annealed already: the count of an annealed value stays, or becomes
                this number of steps if that is higher.
        """

    def annealed_values(self) -> dict[str, float]:
        """The present values of what is annealed over a run, for example `{"beta": 0.1}`."""
        return {}


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside Keras' `LossScaleOptimizer`, which mixed_float16 adds; any other optimizer itself."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.inner_optimizer
    return optimizer


def as_number(value: Any) -> float:
    """A scalar variable or tensor as a number, also under a distribution strategy, where a variable is mirrored."""
    # The sum with 0 reads a mirrored variable. Keras' own conversions return it as it is.
    return float((value.value if isinstance(value, keras.Variable) else value) + 0)
