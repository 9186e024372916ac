"""Models that are built when they are constructed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from kerasrec.models.arguments import check_arguments, without_numpy


def once(build: Callable[..., None]) -> Callable[..., None]:
    """A `build` that does nothing if the model is built."""

    @wraps(build)
    def buildonce(self: Any, input_shape: Any = None) -> None:
        if not self.built:
            build(self, input_shape)

    return buildonce


def then_build(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` that checks its arguments, and builds the model, so that it has weights before the first batch."""
    signature = inspect.signature(init)
    is_of_library = init.__module__.startswith("kerasrec.")  # annotations of other code may mean something else

    @wraps(init)
    def init_and_build(self: Any, *args: Any, **kwargs: Any) -> None:
        if is_of_library:
            args = tuple(map(without_numpy, args))
            kwargs = {name: without_numpy(value) for name, value in kwargs.items()}
            check_arguments(signature, (self, *args), kwargs, trained=not self.closed_form)
        init(self, *args, **kwargs)
        is_outermost = type(self).__init__ is init_and_build  # not called by the `__init__` of a subclass
        if is_outermost:
            self.passed_on = _passed_on(type(self), args, kwargs)
        if is_outermost and self.builds_at_construction and not self.built:
            self.build()

    init_and_build.__signature__ = signature  # type: ignore[attr-defined]
    return init_and_build


def _passed_on(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
    """Names of the arguments that the `__init__` of a class passes on, in its `*args` and `**kwargs`."""
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][1:]  # not `self`
    names = [name for name in kwargs if name not in {p.name for p in parameters}]
    if len(args) > len(named):  # the arguments of the base class, in its order
        base = next(base for base in cls.__mro__[1:] if "__init__" in base.__dict__)
        expected = list(inspect.signature(base.__init__).parameters)[1:]  # type: ignore[misc]
        names = [*expected[: len(args) - len(named)], *names]
    return tuple(names)
