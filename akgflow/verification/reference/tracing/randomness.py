"""Operators that draw random numbers in ``forward``: what to change so that they can be judged."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from akgflow.verification.reference.tracing.op_count import Tracer
from akgflow.verification.shared import dtypes, memory

MOST_NAMED = 3


class Runs(Protocol):
    """Something that calls a model."""

    model: Any
    draws: bool
    """Whether a forward has drawn random numbers."""

    def outcome(self, made: Any) -> list[torch.Tensor]: ...


def alike(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    """True when two outcomes on the same inputs differ by no more than float64 rounds."""
    return len(one) == len(other) and all(map(_near, one, other))


def _near(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.shape != b.shape:
        return False
    one, other = dtypes.as_float64(a), dtypes.as_float64(b)
    return bool(torch.allclose(one, other, rtol=1e-6, atol=1e-9, equal_nan=True))


def remedy(runner: Runs, made: Any) -> str:
    """What to change where two forwards on the inputs ``made`` do not agree."""
    modules = [(name, one) for name, one in runner.model.named_modules() if one.training and name]
    random = [f"{name} ({type(one).__name__})" for name, one in modules if "Drop" in type(one).__name__]
    if _agrees_in_eval(runner, made):
        which = f" in training mode: {_listed(random)}" if random else " in training mode"
        return f"it is random{which}; judge it with 'mode: eval' in the task or --mode eval, or give p = 0"
    drawn = _Drawn(type(runner.model).forward.__code__.co_filename)
    with drawn:
        runner.outcome(memory.copied(made))
    if not drawn.names and not runner.draws:
        return "it depends on something other than its inputs and parameters (a counter, a clock, what it kept before)"
    names = f" ({_listed(sorted(drawn.names))})" if drawn.names else ""
    line = f" at {drawn.file}:{drawn.line}" if drawn.line else ""
    return f"it draws random numbers{names}{line}; draw them in get_inputs and give them as an argument, or give p = 0"


def _agrees_in_eval(runner: Runs, made: Any) -> bool:
    """True when it is random in training mode only."""
    trained = [one for one in runner.model.modules() if one.training]
    runner.model.eval()
    try:
        return bool(trained) and alike(runner.outcome(memory.copied(made)), runner.outcome(memory.copied(made)))
    finally:
        for one in trained:
            one.training = True


class _Drawn(Tracer):
    """Names the operators that draw from a generator, and the first line of a file that does."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.file, self.line = file, 0

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:  # noqa: ARG002
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return
        self.names.add(func.overloadpacket.__name__)
        frames = (frame for frame, _ in traceback.walk_stack(None) if frame.f_code.co_filename == self.file)
        self.line = self.line or next((frame.f_lineno for frame in frames), 0)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
