"""The order of a GPU's current stream, kept in the candidate's process.

A user's next operation is queued behind the call, on the stream that was current before it, and nothing is synchronised
in between. Answers are therefore copied by work that is queued there, and only then the device is synchronised. So that
work on other streams cannot be in time by luck:

1. The stream is kept busy until the call, and what follows it, is queued.
2. Until then the inputs are zero; the stream puts them in place behind that. Work that does not wait for the stream
   reads zeros.
3. Then the call's work and the copy of its answers become ready together. Work that the stream does not wait for is
   still under way when the copy runs.
4. What the operator changes in place is copied along with the answers, and put back when the device is idle: the judge
   reads it as the stream saw it. All else that shared memory holds is read as it is by then.

As in `akgflow.verification.shared.trusted_io`, these functions are made before a candidate is loaded, from C functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

HOLD_CYCLES, MOST_CYCLES = 8_000_000, 32_000_000
"""Of the GPU's clock: some 5 ms for the launches of a call; up to four times as many where they take longer."""
STAGED_BYTES = 256 << 20
"""Inputs larger than this are in place from the start, and changes of more are read when the device is idle."""
MAX_EXPLAINED_BYTES = 1 << 20
"""Of an answer larger than this it is not said that it came late."""

Copy = Callable[[torch.Tensor, torch.Tensor], Any]


class Queue(NamedTuple):
    """What can be done on the stream that was current when this was made, and with its device."""

    hold: Callable[[int], Any]
    """Keeps the current stream busy for so many cycles."""
    idle: Callable[[], bool]
    resume: Callable[[], Any]
    """Makes the stream the current one again."""
    wait: Callable[[], Any]
    """For all that is queued on the stream."""
    wait_for_device: Callable[[], Any]
    copy: Copy
    """Copies the second tensor to the first, on the current stream."""
    zero: Callable[[torch.Tensor], Any]


class StreamOrder(NamedTuple):
    """The steps around a call, in this order; each does nothing where there are no streams."""

    begin: Callable[[torch.Tensor | None], None]
    """Before the call; takes the bytes of the inputs."""
    resume: Callable[[], None]
    """Directly behind the call: what follows is queued on the stream that was current before it."""
    keep: Callable[[Sequence[torch.Tensor]], None]
    """Copies what the operator changes."""
    finish: Callable[[], None]
    """Waits for the device, and puts back what was kept."""
    settle: Callable[[], None]
    """Waits for the stream alone, as far as the next operation on it would."""
    wait_for_device: Callable[[], None]


def cuda_queue() -> Queue:
    """The current stream of this process's GPU."""
    torch.cuda.init()
    stream, base, core = torch.cuda.current_stream(), torch._C.TensorBase, vars(torch._C)
    kind: Any = core["_CudaStreamBase"]
    query, wait, choose = kind.query, kind.synchronize, core["_cuda_setStream"]
    number, index, device = stream.stream_id, stream.device_index, stream.device_type
    return Queue(
        hold=core["_cuda_sleep"],
        idle=lambda: query(stream),
        resume=lambda: choose(stream_id=number, device_index=index, device_type=device),
        wait=lambda: wait(stream),
        wait_for_device=core["_cuda_synchronize"],
        copy=base.copy_,
        zero=base.zero_,
    )


def bind(queue: Queue | None) -> StreamOrder:
    """The steps on a queue; None for a device without streams."""
    if queue is None:
        return StreamOrder(_nothing, _nothing, _nothing, _nothing, _nothing, _nothing)
    begin, resume = _held_back(queue)
    keep, finish = _as_the_stream_saw_it(queue)
    hold, wait = queue.hold, queue.wait

    def settle() -> None:
        # An operation on the default stream waits for other streams; waiting for that stream does not.
        hold(1)
        wait()

    return StreamOrder(begin, resume, keep, finish, settle, queue.wait_for_device)


def _held_back(queue: Queue) -> tuple[Callable[[torch.Tensor | None], None], Callable[[], None]]:
    """`StreamOrder.begin` and `StreamOrder.resume`."""
    hold, idle, back, _, wait_for_device, copy, zero = queue
    cycles, staged = HOLD_CYCLES, torch.empty(0)
    room, size, least = torch.empty_like, torch._C.TensorBase.numel, min

    def begin(inputs: torch.Tensor | None) -> None:
        nonlocal staged
        back()
        if inputs is None or size(inputs) > STAGED_BYTES:
            wait_for_device()
            hold(cycles)
            return
        # Kept from call to call: freed, it would be what the model's own allocations get.
        staged = staged if size(staged) == size(inputs) else room(inputs)
        copy(staged, inputs)
        zero(inputs)
        wait_for_device()
        hold(cycles)
        copy(inputs, staged)

    def resume() -> None:
        nonlocal cycles
        if idle():
            # The launches took longer, or the call waited for the device.
            cycles = least(2 * cycles, MOST_CYCLES)
        back()

    return begin, resume


def _as_the_stream_saw_it(queue: Queue) -> tuple[Callable[[Sequence[torch.Tensor]], None], Callable[[], None]]:
    """`StreamOrder.keep` and `StreamOrder.finish`."""
    copy, wait_for_device = queue.copy, queue.wait_for_device
    room, size = torch.empty_like, torch._C.TensorBase.numel
    kept = list[tuple[torch.Tensor, torch.Tensor]]()

    def keep(changed: Sequence[torch.Tensor]) -> None:
        left = STAGED_BYTES
        for tensor in changed:
            left -= size(tensor) * tensor.element_size()
            if left >= 0:
                copy(copied := room(tensor), tensor)
                kept.append((tensor, copied))

    def finish() -> None:
        wait_for_device()
        for tensor, copied in kept:
            copy(tensor, copied)
        kept.clear()
        wait_for_device()

    return keep, finish


def _nothing(*_: Any) -> None:
    pass


def came_late(places: Sequence[torch.Tensor], found: Sequence[torch.Tensor]) -> bool:
    """True when an answer, on an idle device, is another one than was copied. Only explains what the judge finds."""
    for place, tensor in zip(places, found, strict=False):
        fits = (place.shape, place.dtype, place.device) == (tensor.shape, tensor.dtype, tensor.device)
        if fits and place.nbytes <= MAX_EXPLAINED_BYTES and _bytes(place) != _bytes(tensor):
            return True
    return False


def _bytes(tensor: torch.Tensor) -> bytes:
    # Compared by Python: torch may only copy here.
    return bytes(tensor.cpu().reshape(-1).view(torch.uint8).numpy())
