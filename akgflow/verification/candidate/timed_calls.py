"""The candidate's end of timing: answers the questions in shared memory, and says where the answers are.

The judge reads the answers itself, from this process's own memory, so that the candidate cannot save any of that work.
What is said here about places need not be believed: only the bytes that the judge finds count.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from akgflow.operators.arguments import invoke
from akgflow.verification.candidate.stream_order import StreamOrder
from akgflow.verification.shared import memory
from akgflow.verification.shared.protocol import Answered, Done, PrepareWindows, WarmUp, Window

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4

Answer = list[torch.Tensor]


class Answerer:
    """The views of all slots, made once, and the answers to the last window.

    ``out`` is memory of the judge's for those answers that it cannot fetch; None where it fetches them.
    """

    def __init__(
        self,
        request: PrepareWindows,
        region: memory.Region,
        out: memory.Region | None,
        device: str,
        order: StreamOrder,
    ) -> None:
        _keep_heap_warm()
        self.device, self.order = device, order
        self.slots = [memory.rebuild(request.inputs, region, i * request.pitch) for i in range(request.count)]
        self.places = [
            [_place(out, spec, i * request.out_pitch) for spec in request.outs]
            for i in range(request.count if out is not None else 0)
        ]
        self.answers: list[Answer] = []
        self.reply = Answered()

    def warm_up(self, model: Callable[..., Any], request: WarmUp) -> Done:
        """Answer the slots as often as was asked; nobody takes these answers."""
        with torch.no_grad():
            for _ in range(request.times):
                for inputs in self.slots[request.first : request.first + request.n]:
                    invoke(model, inputs)
        self.order.resume()
        self.order.wait_for_device()
        return Done()

    def window(self, model: Callable[..., Any], request: Window) -> Answered:
        """Answer the slots of a window.

        The judge reads as soon as the stream that was current has done its work, and synchronises no device before.
        """
        first, n = request.first, request.n
        resume, settle = self.order.resume, self.order.settle
        self.answers = []
        with torch.no_grad():
            self.answers = [list(memory.tensors(invoke(model, inputs))) for inputs in self.slots[first : first + n]]
        resume()
        self.reply = self._copied(first) if self.places else self._placed()
        settle()
        return self.reply

    def release(self) -> None:
        """Hold no answers, and no memory that nothing uses."""
        self.answers, self.reply = [], Answered()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        else:
            ctypes.CDLL(None).malloc_trim(0)

    def again(self) -> Answered:
        """Say again what the last window said, with nothing computed: the judge measures its overhead.

        A GPU takes time to switch from the judge's context to this process's, however little there is to do.
        """
        self.order.settle()
        return self.reply

    def _copied(self, first: int) -> Answered:
        """All answers in one fused copy: a launch for each would be timed as if it were the kernel's own."""
        places = [place for places in self.places[first : first + len(self.answers)] for place in places]
        if places:
            torch._foreach_copy_(places, [tensor for answer in self.answers for tensor in answer])
        return Answered()

    def _placed(self) -> Answered:
        columns = [_column(list(outputs)) for outputs in zip(*self.answers, strict=True)]
        self.answers = [list(answer) for answer in zip(*(tensors for tensors, _ in columns), strict=True)]
        strides = [strides for _, strides in columns]
        return Answered(self._addresses(), strides) if self.device == "cpu" else self._with_segments(strides)

    def _addresses(self) -> list[list[int]]:
        return [[tensor.data_ptr() for tensor in tensors] for tensors in zip(*self.answers, strict=True)]

    def _with_segments(self, strides: list[list[int]]) -> Answered:
        """The allocations that hold the answers, where this process may share them."""
        at = self._addresses()
        found = _segments(at)
        if found is None:
            # An answer that is an input (in-place operators) is in memory that this process cannot share.
            self.answers = [[torch.empty_like(tensor).copy_(tensor) for tensor in answer] for answer in self.answers]
            at = self._addresses()
            found = _segments(at)
        return Answered(at, strides, found)


def _segments(at: list[list[int]]) -> list[tuple[int, int, str]] | None:
    from akgflow.verification.shared import cuda_ipc

    with contextlib.suppress(RuntimeError):
        return cuda_ipc.segments([address for column in at for address in column])
    return None


def _place(out: memory.Region | None, spec: Mapping[str, Any], base: int) -> torch.Tensor:
    assert out is not None, "asked for only where there is one"
    shape = tuple(spec["shape"])
    stride = tuple(torch.empty(shape, device="meta").stride())
    return memory.view(out, shape, stride, memory.dtype_of(spec["dtype"]), spec["offset"] + base)


def _column(tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[int]]:
    """One output of all slots with the strides that they share; packed where it has gaps or they do not agree."""
    strides = tensors[0].stride()
    if memory.span(tensors[0]) == tensors[0].numel() and all(tensor.stride() == strides for tensor in tensors):
        return list(tensors), list(strides)
    packed = [tensor.contiguous() for tensor in tensors]
    return packed, list(packed[0].stride())


def _keep_heap_warm() -> None:
    """Keep freed memory in the process (mallopt(3)): page faults of the answers are no part of a kernel."""
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    libc.mallopt(_M_TOP_PAD, 16 << 20)
