"""Running a model: the state that each of its forwards starts from, and what a forward is known to change."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from akgflow.operators.arguments import invoke
from akgflow.verification.reference.index_outputs import Trace
from akgflow.verification.reference.operator import OperatorError, generator_states
from akgflow.verification.reference.tracing.randomness import alike, remedy
from akgflow.verification.shared import memory
from akgflow.verification.shared.gradients import Differentiated, Wanted

State = Mapping[str, torch.Tensor]
Conditions = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True)
class Effects:
    """Side effects of a forward: the inputs (by number) and buffers (by name) that it changes."""

    inputs: tuple[int, ...] = ()
    buffers: tuple[str, ...] = ()


class Runner:
    """A model, the state that each of its forwards starts from, and what a forward is known to change.

    ``conditions`` gives what each forward is run under; where gradients are ``wanted``, backward is part of it.
    """

    def __init__(
        self,
        model: Any,
        state: State,
        where: str,
        conditions: Conditions = contextlib.nullcontext,
        wanted: Wanted | None = None,
    ) -> None:
        self.model, self.state, self.where, self.conditions = model, state, where, conditions
        self.wanted, self.call = wanted, model if wanted is None else Differentiated(model, wanted)
        self.effects = Effects()
        self.slowest = 0.0
        """Seconds of the longest forward on a processor; what a device is asked for does not count."""
        self.draws = False
        """Whether a forward has drawn random numbers."""

    def outcome(self, made: Any, state: State | None = None, trace: Trace | None = None) -> list[torch.Tensor]:
        """The tensors of a forward's result, then what has become of the inputs and buffers that it changes."""
        return self.own_tensors(self.run(made, state, trace)) + self.changed(made)

    def own_tensors(self, result: Any) -> list[torch.Tensor]:
        """The tensors of a result, copied where the next forward would overwrite them."""
        own = memory.storages(self.model.state_dict())
        return [t.clone() if memory.storages(t) & own else t for t in memory.tensors(result)]

    def changed(self, made: Any) -> list[torch.Tensor]:
        """The inputs and buffers that a forward on ``made`` has just changed."""
        given, buffers = list(memory.tensors(made)), self.model.state_dict()
        after = [given[i] for i in self.effects.inputs] + [buffers[name] for name in self.effects.buffers]
        return [tensor.clone() for tensor in after]

    def run(self, made: Any, state: State | None = None, trace: Trace | None = None) -> Any:
        """One forward on ``made`` itself, not on a copy; raises `OperatorError` where it fails."""
        restore(self.model, self.state if state is None else state)
        started, before = time.monotonic(), generator_states()
        try:
            with torch.no_grad(), self.conditions(), contextlib.nullcontext() if trace is None else trace:
                return invoke(self.call, made)
        except Exception as error:
            raise OperatorError(f"forward fails {self.where}: {type(error).__name__}: {error}") from error
        finally:
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.draws = self.draws or generator_states() != before

    def require_same(self, first: Sequence[torch.Tensor], again: Sequence[torch.Tensor], made: Any) -> None:
        """Raise `OperatorError` where two forwards on ``made`` gave different results."""
        if not alike(first, again):
            what = f"forward {self.where} gives another result on the same inputs"
            raise OperatorError(f"{what}: {remedy(self, made)}")

    def found_effects(self, before: Sequence[torch.Tensor], given: Sequence[torch.Tensor]) -> Effects:
        """What the forward just run on ``given``, which was ``before``, has changed, or any forward before it."""
        known, state = self.effects, self.model.state_dict()
        changes = [
            # A change that leaves the values as they were (a relu of what is positive) shows in the version only.
            i in known.inputs or tensor._version > 0 or not memory.same_bits(was, tensor)
            for i, (was, tensor) in enumerate(zip(before, given, strict=True))
        ]
        moved = [n for n, was in self.state.items() if n in known.buffers or not memory.same_bits(was, state[n])]
        return Effects(tuple(i for i, changed in enumerate(changes) if changed), tuple(moved))


def restore(model: Any, state: State) -> None:
    """A forward in training mode may move buffers: every call starts from the drawn state."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(state[name])
