"""What the framework itself does when the operator is called once: measured by watching the dispatcher. Judge only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from akgflow.verification.shared import op_classes
from akgflow.verification.shared.element_counter import counter
from akgflow.verification.shared.op_policy import SHARE, Work

_elements = counter()


class _Watch(TorchDispatchMode):  # type: ignore[misc]
    """Counts elements for each group of operators, and floating-point operations of those that multiply."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0.0
        self.elements: Counter[str] = Counter()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Where torch's compiler is told to skip this mode, torch imports all of the compiler for it.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.name()
        touched = max(_elements((*args, *(kwargs or {}).values())), _elements(_several(result)))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.flops += float(count(*args, **(kwargs or {}), out_val=result))
        elif op_classes.is_multiplication(name):
            self.flops += touched
        elif not func.is_view and op_classes.base(name) not in op_classes.FREE:
            self.elements[op_classes.group(name)] += touched
        return result


def _several(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, (list, tuple)) else (result,)


def measure(call: Callable[[], Any]) -> Work:
    """The work of one ``call``, made under a watch that sees every operator but the compositions of them."""
    with _Watch() as watch:
        call()
    computed = {name: n for name, n in watch.elements.items() if name not in op_classes.MOVES}
    # Host code copies, pads and joins: that is held against it only where the operator does nothing else.
    done: Mapping[str, int] = computed if computed or watch.flops else dict(watch.elements)
    total = sum(done.values())
    # A counter that moves by one is not what an operator is made of.
    return Work(watch.flops + total, {name: n for name, n in done.items() if n > SHARE * total})
