"""Answers are taken in the order of the current stream: on a simulated device here, on a GPU by the corpus."""

from collections import deque

import pytest
import torch

from akgflow.verification.candidate import stream_order
from akgflow.verification.candidate.stream_order import HOLD_CYCLES, MOST_CYCLES, STAGED_BYTES, Queue


class Device:
    """Streams that run as badly for a careless kernel as a device may run them.

    Work on other streams runs as soon as it may while the main one is held, and after the main one's otherwise. A
    stream holds functions; one that gives False has to wait.
    """

    def __init__(self):
        self.main, self.side = deque(), deque()
        self.current = self.main
        self.held = list[int]()
        self.synchronised = 0
        self.queue = Queue(
            hold=self.hold,
            idle=lambda: not self.main,
            resume=lambda: setattr(self, "current", self.main),
            wait=self.wait,
            wait_for_device=self.wait_for_device,
            copy=lambda to, of: self.launch(lambda: to.copy_(of)),
            zero=lambda tensor: self.launch(tensor.zero_),
        )

    def launch(self, work):
        self.current.append(work)

    def hold(self, cycles):
        self.held.append(cycles)
        # While the stream is held, the others go on as far as they can.
        self.launch(lambda: self.run(self.side) or True)

    def record(self, stream):
        """An event: a list that holds something once all that is queued on the stream so far has run."""
        event = []
        stream.append(lambda: event.append(True))
        return event

    def join(self, stream, event):
        stream.append(lambda: bool(event))

    def run(self, stream):
        while stream and stream[0]() is not False:
            stream.popleft()

    def wait(self):
        for _ in range(100):
            self.run(self.main)
            if not self.main:
                return
            self.run(self.side)
        raise AssertionError("the streams wait for each other")

    def wait_for_device(self):
        self.wait()
        self.run(self.side)
        self.synchronised += 1


def kernel(x, out):
    return lambda: torch.mul(x, 2, out=out)


def joined(device, x, out):
    device.join(device.side, device.record(device.main))
    device.side.append(kernel(x, out))
    device.join(device.main, device.record(device.side))


def unjoined(device, x, out):
    device.join(device.side, device.record(device.main))
    device.side.append(kernel(x, out))


def no_wait_for_inputs(device, x, out):
    device.side.append(kernel(x, out))
    device.join(device.main, device.record(device.side))


def other_stream_left_current(device, x, out):
    device.join(device.side, device.record(device.main))
    device.current = device.side
    device.launch(kernel(x, out))


def other_stream_left_current_and_joined(device, x, out):
    other_stream_left_current(device, x, out)
    device.join(device.main, device.record(device.side))


def waits_for_the_device(device, x, out):
    device.launch(kernel(x, out))
    device.wait_for_device()


def plain(device, x, out):
    device.launch(kernel(x, out))


RIGHT = (plain, joined, other_stream_left_current_and_joined, waits_for_the_device)
WRONG = (unjoined, no_wait_for_inputs, other_stream_left_current)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("candidate", [*RIGHT, *WRONG])
def test_an_answer_is_what_the_next_operation_on_the_stream_sees(candidate, in_place):
    device = Device()
    order = stream_order.bind(device.queue)
    shared = torch.arange(1.0, 9.0).view(torch.uint8)
    x, taken = shared.view(torch.float32), torch.full((8,), -1.0)
    wanted, out = x * 2, x if in_place else torch.full((8,), -1.0)
    order.begin(shared)
    before = device.synchronised
    candidate(device, x, out)
    order.resume()
    device.queue.copy(taken, out)
    assert device.synchronised == before + (candidate is waits_for_the_device)
    order.keep([x] if in_place else [])
    order.finish()
    right = candidate in RIGHT
    assert torch.equal(taken, wanted) == right
    if in_place:
        # The judge reads it after the device was synchronised, and sees what the stream saw.
        assert torch.equal(x, wanted) == right
    else:
        assert torch.equal(x, torch.arange(1.0, 9.0))


def test_what_is_written_after_the_answer_stays_to_be_seen():
    device = Device()
    order = stream_order.bind(device.queue)
    shared = torch.arange(8, dtype=torch.uint8)
    order.begin(shared)
    device.join(device.side, device.record(device.main))
    device.side.append(lambda: shared.fill_(7))
    order.resume()
    order.keep([])
    order.finish()
    assert shared.unique().tolist() == [7]


def test_the_stream_is_held_longer_where_the_launches_of_a_call_took_longer():
    device = Device()
    order = stream_order.bind(device.queue)
    for _ in range(4):
        order.begin(None)
        device.wait()
        order.resume()
        order.finish()
    assert device.held == [HOLD_CYCLES, 2 * HOLD_CYCLES, MOST_CYCLES, MOST_CYCLES]
    order.begin(None)
    order.resume()
    order.finish()
    order.begin(None)
    assert device.held[-2:] == [MOST_CYCLES, MOST_CYCLES]


def test_inputs_and_changes_too_large_for_copies_are_left_where_they_are():
    large = torch.empty(STAGED_BYTES + 1, dtype=torch.uint8, device="meta")
    device = Device()
    order = stream_order.bind(device.queue)
    order.begin(large)
    order.keep([large])
    assert len(device.main) == 1, "it is held, and nothing is copied"


def test_a_window_waits_for_the_stream_alone():
    device = Device()
    order = stream_order.bind(device.queue)
    x, out = torch.ones(4), torch.zeros(4)
    unjoined(device, x, out)
    order.resume()
    order.settle()
    assert device.synchronised == 0
    assert not device.main


def test_without_streams_there_is_nothing_to_do():
    order = stream_order.bind(None)
    inputs = torch.ones(4)
    order.begin(inputs)
    order.resume()
    order.keep([inputs])
    order.finish()
    order.settle()
    assert torch.equal(inputs, torch.ones(4))
