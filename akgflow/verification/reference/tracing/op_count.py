"""Tracing what the framework dispatches, and what it does itself when the operator is called once. Judge only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from akgflow.verification.shared import op_classes
from akgflow.verification.shared.op_policy import SHARE, Work, counter

_elements = counter()


class Tracer(TorchDispatchMode):  # type: ignore[misc]
    """Sees every operator that is dispatched while it is entered: a subclass says what it notes of each."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler (more than a second) to tell it not to look in here.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.dispatched(func, args, kwargs or {})

    def dispatched(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call an operator, and note it; the result."""
        result = func(*args, **kwargs)
        self.note(func, args, kwargs, result)
        return result

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Note one operator that was called."""
        raise NotImplementedError


def flops_of(func: Any, args: Any, kwargs: Any, result: Any) -> float | None:
    """Floating-point operations of a contraction, as torch counts them; None for an operator that it does not count."""
    count = flop_registry.get(func.overloadpacket)
    return None if count is None else float(count(*args, **kwargs, out_val=result))


class Counting(Tracer):
    """Counts elements for each group of operators, and floating-point operations of those that multiply."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0.0
        self.elements: Counter[str] = Counter()

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        name, flops = func.name(), flops_of(func, args, kwargs, result)
        touched = max(_elements((*args, *kwargs.values())), _elements(results_of(result)))
        if flops is not None:
            self.flops += flops
        elif op_classes.is_multiplication(name):
            self.flops += touched
        elif not func.is_view and op_classes.base(name) not in op_classes.FREE:
            self.elements[op_classes.group(name)] += touched

    @property
    def work(self) -> Work:
        """All that was counted."""
        computed = {name: n for name, n in self.elements.items() if name not in op_classes.MOVES}
        # Host code copies, pads and joins: that counts only where the operator does nothing else.
        done: Mapping[str, int] = computed if computed or self.flops else dict(self.elements)
        total = sum(done.values())
        # A counter that moves by one is not what an operator is made of.
        return Work(self.flops + total, {name: n for name, n in done.items() if n > SHARE * total})


def results_of(result: Any) -> tuple[Any, ...]:
    """What an operator returned, one by one."""
    return tuple(result) if isinstance(result, (list, tuple)) else (result,)


def arguments_of(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """An operator's arguments by name, defaults included."""
    named = {a.name: a.default_value for a in func._schema.arguments if a.has_default_value()}
    named.update({a.name: value for a, value in zip(func._schema.arguments, args, strict=False)})
    named.update(kwargs)
    return named


def measure(call: Callable[[], Any]) -> Work:
    """The work of one ``call``, counted on every operator except compositions of others."""
    seen = Counting()
    with seen:
        call()
    return seen.work
