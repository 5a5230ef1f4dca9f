"""Where the framework's own time goes in a call of an operator: what a kernel is to beat. It decides nothing.

A clock reading before and after each operator that is dispatched, on a GPU an event; there, work that nobody needs
goes ahead, so that the operators are in the queue by the time that they run.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from typing import Any

import torch

from akgflow.verdict import OperatorShare
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.tracing.op_count import Tracer
from akgflow.verification.reference.tracing.runner import Runner
from akgflow.verification.shared import memory

PASSES = 4
"""Calls that are looked at; the first one, which loads and allocates, does not count."""
MOST_SECONDS = 1.0
"""A call that takes longer is not looked at again."""
AHEAD_CYCLES = 4_000_000
"""Of a GPU's clock, some milliseconds: longer than it takes to launch what an operator consists of."""


def spending(runner: Runner, made: Any, device: str) -> tuple[OperatorShare, ...]:
    """The share of each operator in the time of all, the largest first; nothing where no call shows it.

    ``made`` are inputs of a call; they are copied.
    """
    passes = []
    try:
        for _ in range(PASSES):
            copied, seen = memory.copied(made), _Spending(device)
            started = time.monotonic()
            runner.run(copied, trace=seen)
            passes.append(seen.seconds())
            if time.monotonic() - started > MOST_SECONDS:
                break
    except (OperatorError, RuntimeError):
        return ()
    return _shares(passes[1:] or passes)


def _shares(passes: list[dict[str, list[float]]]) -> tuple[OperatorShare, ...]:
    """From the seconds of each operator's calls, pass by pass."""
    names = dict.fromkeys(name for one in passes for name in one)
    middle = {name: statistics.median(sum(one.get(name, ())) for one in passes) for name in names}
    calls = {name: max(len(one.get(name, ())) for one in passes) for name in names}
    total = sum(middle.values())
    if total <= 0:
        return ()
    order = sorted(names, key=lambda name: middle[name], reverse=True)
    return tuple(OperatorShare(name, calls[name], middle[name] / total) for name in order)


class _Spending(Tracer):
    def __init__(self, device: str) -> None:
        super().__init__()
        self._on_gpu = device == "cuda"
        self._marked: list[tuple[str, Any, Any]] = []
        """Each operator with the marks before and after it."""
        if self._on_gpu:
            torch.cuda._sleep(AHEAD_CYCLES)

    def dispatched(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func.is_view:
            return func(*args, **kwargs)
        begun = self._mark()
        result = func(*args, **kwargs)
        self._marked.append((func.overloadpacket.__name__.lstrip("_"), begun, self._mark()))
        return result

    def _mark(self) -> Any:
        """An event of a GPU that was recorded now; seconds on a CPU."""
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self) -> dict[str, list[float]]:
        """Seconds of each operator's calls."""
        if self._on_gpu:
            torch.cuda.synchronize()
        found: dict[str, list[float]] = defaultdict(list)
        for name, begun, ended in self._marked:
            found[name].append(begun.elapsed_time(ended) / 1e3 if self._on_gpu else ended - begun)
        return dict(found)
