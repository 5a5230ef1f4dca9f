"""What one call of an operator takes, from shapes alone: nothing of its size is allocated to find out. Judge only."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from akgflow.operators.arguments import split
from akgflow.verification.reference.operator import Case
from akgflow.verification.reference.tracing.from_shapes.without_memory import without_memory
from akgflow.verification.reference.tracing.op_count import Counting, results_of
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.op_policy import Work

MOST_OPERATIONS = 8_000
"""A recurrence is traced step by step, some seconds long; what it shows until then has to do."""
SMALL = 1 << 20
"""Bytes of inputs and state below which the forward is not followed."""
UNKNOWN = 4
"""Times the inputs: what is taken for an operator's results where nothing shows them. Outputs count as once."""


@dataclass(frozen=True)
class Footprint:
    """What one case takes; all but ``elements`` and ``work`` in bytes."""

    inputs: int
    outputs: int
    state: int
    """Of parameters and buffers."""
    between: int
    """The most that one forward's results take at once, outputs included."""
    columns: int
    """What a convolution in float64 unrolls its input to, on a CPU."""
    elements: int
    """Of inputs and outputs."""
    work: Work | None
    """None where the forward was not followed to its end."""


def footprint_of(case: Case) -> Footprint:
    """The footprint of a case; raises `OperatorError` where nothing shows it."""
    return without_memory(case, _traced)


def _traced(case: Case, model: Any, inputs: Any) -> Footprint:
    differentiated = case.backward is not None

    def leaf(tensor: torch.Tensor) -> torch.Tensor:
        found = _cast(tensor, case.dtype).detach()
        return found.requires_grad_(differentiated and found.dtype in dtypes.COMPUTED)

    state = {name: leaf(tensor) for name, tensor in model.state_dict().items()}
    given = memory.map_tensors(tuple(inputs), leaf)
    taken = list(memory.tensors(given))

    def call() -> Any:
        with torch.set_grad_enabled(differentiated):
            result = torch.func.functional_call(model, state, *split(given))
        return _with_gradients(result, [*taken, *state.values()]) if differentiated else result

    inputs, kept = _bytes(taken), _bytes(state.values())
    if inputs + kept < SMALL:
        return Footprint(inputs, inputs, kept, UNKNOWN * inputs, 0, sum(t.numel() for t in taken), None)
    seen = _Follower()
    try:
        with seen:
            made = list(memory.tensors(call()))
    except _TooLong:
        between = max(seen.most, UNKNOWN * inputs)
        return Footprint(inputs, inputs, kept, between, seen.columns, sum(t.numel() for t in taken), None)
    elements = sum(t.numel() for t in (*taken, *made))
    most = max(seen.most, _bytes(made))
    return Footprint(inputs, _bytes(made), kept, most, seen.columns, elements, seen.work)


def _with_gradients(result: Any, leaves: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Outputs, upstream gradients for them, and the gradients of leaves."""
    outputs = list(memory.tensors(result))
    ends = [one for one in outputs if one.requires_grad]
    upstream, starts = [torch.empty_like(one) for one in ends], [one for one in leaves if one.requires_grad]
    found = torch.autograd.grad(ends, starts, upstream, allow_unused=True) if ends else ()
    return [*outputs, *upstream, *(one for one in found if one is not None)]


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _cast(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    return tensor.to(dtype) if dtype is not None and tensor.dtype in dtypes.COMPUTED else tensor


class TakesMore(Exception):
    """Results of a forward take more than they may."""


@contextlib.contextmanager
def within(most: int) -> Iterator[None]:
    """Raise `TakesMore` as soon as results of the forward that is run take more than ``most`` bytes at once."""
    with _Follower(most):
        yield


class _TooLong(Exception):
    """The forward has too many operations to follow all of them."""


class _Follower(Counting):
    """Counts the work, and follows which results are alive at once.

    With ``allowed`` bytes it raises `TakesMore` where they take more, and follows the first operations alone.
    """

    def __init__(self, allowed: float = math.inf) -> None:
        super().__init__()
        self.most = self.columns = 0
        self._allowed = allowed
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._operations = 0

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            if self._allowed < math.inf:
                return
            raise _TooLong
        super().note(func, args, kwargs, result)
        for tensor in _tensors(results_of(result)):
            storage = tensor.untyped_storage()
            self._alive.setdefault(storage._cdata, (StorageWeakRef(storage), storage.nbytes()))
        self._alive = {key: one for key, one in self._alive.items() if not one[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._alive.values()))
        if self.most > self._allowed:
            raise TakesMore(f"{self.most} bytes")
        if func.overloadpacket is torch.ops.aten.convolution:
            self.columns = max(self.columns, _columns(args[0], args[1], result))


def _columns(given: torch.Tensor, weight: torch.Tensor, result: torch.Tensor) -> int:
    """Bytes of a convolution's unrolled input in float64 (``finput`` of ATen's ConvolutionMM2d and slow_conv3d)."""
    kernel = weight.shape[2:].numel()
    places = min(given.shape[2:].numel(), result.shape[2:].numel())
    return 8 * given.shape[0] * int(weight.shape[1]) * kernel * places if kernel > 1 else 0


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    return (one for one in memory.tensors(list(values)))
