"""Which operands an operator broadcasts, from shapes alone. Judge only.

A size of 1 fits every other one: a reference may run on shapes that are no case of its operator, as a rotary embedding
of width 3 does, whose halves have two elements and one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from akgflow.operators.arguments import invoke
from akgflow.verification.reference.operator import Case, OperatorError
from akgflow.verification.reference.tracing.from_shapes.without_memory import without_memory
from akgflow.verification.reference.tracing.op_count import Tracer, arguments_of

MOST_CALLS = 8_000
"""A recurrence is followed step by step; what it shows until then has to do."""


class Call(NamedTuple):
    """One elementwise operator, or one expansion: the shapes of its operands by the names of its arguments."""

    name: str
    operands: dict[str, tuple[int, ...]]

    def repeated(self) -> set[tuple[str, int]]:
        """The operands of one element that stand beside more, with the dimension, counted from the last."""
        whole = [*self.operands.values()]
        return {(one, at) for one, at in self.single() if any(len(other) >= -at and other[at] > 1 for other in whole)}

    def single(self) -> set[tuple[str, int]]:
        """The operands of one element, with the dimension, counted from the last."""
        return {(one, at) for one, shape in self.operands.items() for at in range(-len(shape), 0) if shape[at] == 1}


def calls_of(case: Case) -> list[Call]:
    """The calls of a case's forward in which shapes have to fit; none where it cannot be followed."""
    try:
        return without_memory(case, _followed)
    except OperatorError:
        return []


def by_accident(usual: list[Call], other: list[Call]) -> bool:
    """Whether the calls ``other``, at other sizes, repeat an operand that the ``usual`` ones take whole."""
    if [one.name for one in usual] == [one.name for one in other]:
        pairs = zip(usual, other, strict=True)
        return any(bool(now.repeated() - before.single()) for before, now in pairs)
    known = {(one.name, *place) for one in usual for place in one.single()}
    return any((one.name, *place) not in known for one in other for place in one.repeated())


def _followed(_: Case, model: Any, inputs: Any) -> list[Call]:
    seen = _Broadcasts()
    with seen:
        invoke(model, inputs)
    return seen.calls


class _Broadcasts(Tracer):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        if len(self.calls) >= MOST_CALLS:
            return
        expands = func.overloadpacket is torch.ops.aten.expand
        if not (expands or torch.Tag.pointwise in func.tags):
            return
        given = arguments_of(func, args, kwargs)
        operands = {name: tuple(one.shape) for name, one in given.items() if isinstance(one, torch.Tensor)}
        if expands:
            operands["size"] = tuple(result.shape)
        if len(operands) > 1:
            self.calls.append(Call(func.name(), operands))
