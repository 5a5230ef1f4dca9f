"""What the framework may do in a candidate's process, on a page that the judge writes and the candidate only reads.

The page is a memfd. Once the judge has mapped it, ``F_SEAL_FUTURE_WRITE`` (Linux 5.1) allows no other writable mapping:
a process that opens it again can map it for reading alone. Both sides count elements by the same `counter`.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

SIZE = 1 << 16
F_SEAL_FUTURE_WRITE = 0x10
"""Of the uapi header linux/fcntl.h; Python's `fcntl` lacks it."""
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL
_HEAD = struct.Struct("<QQ")
SHARE = 0.05
"""Of the operator's work, what the framework may do in one call: sums of partial results, scales, flags."""
LEAST = 1024
"""Elements that it may always touch in one call, so that tiny cases leave room for the same host code."""
FIRST_CALL = 1 << 22
"""Elements more in the first call of a model, where tuning looks at its times. Later calls show what was kept."""

PREPARING = 32.0
"""Elements that it may touch for each of a model's weights while these are prepared: scales, rounding, packing."""
PREPARE = "prepare"
"""The request that prepares weights: none of a library of kernels, as in a call."""
CALLING = ("call", "window", "warm_up")
"""Requests that call the model."""

Current = Callable[[], tuple[int, Mapping[str, Any]]]
"""The number of the request that is being answered and its policy; number 0 while it is being written."""


@dataclass(frozen=True)
class Work:
    """What the framework does in one call of the operator."""

    total: float
    """Elements touched, and floating-point operations where operators multiply matrices."""
    own: Mapping[str, int]
    """Elements for each group of operators that the operator itself consists of."""

    @property
    def too_small(self) -> bool:
        """True when what is always allowed is as much as the operator's own work."""
        return self.total <= LEAST


class PolicyPage:
    """The judge's end of the policy."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("akgflow-policy", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, SIZE)
        self._map = mmap.mmap(self.fd, SIZE)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)
        self._number = 0
        self._work: Work | None = None
        self._calls = 0
        self._first = self._preparing = 0.0
        self._share, self._least = SHARE, float(LEAST)

    def expect(self, work: Work, state_elements: int, tunes: bool) -> None:
        """A new model is built for a case with this work; its parameters have ``state_elements``.

        Where it ``tunes``, its first call may compute with times that it measured.
        """
        self._work, self._calls = work, 0
        self._first = (FIRST_CALL if tunes else 0.0) + 8.0 * state_elements
        self._preparing = LEAST + PREPARING * state_elements

    def forbid(self) -> None:
        """From the next request on the framework may touch no element in a call."""
        self._work, self._first, self._preparing = None, 0.0, 0.0
        self._share = self._least = 0.0

    def begin(self, op: str, calls: int) -> None:
        """Write the policy for the next request, of ``calls`` calls of the model."""
        # A module and a constructor know of no question: a basis or a twiddle factor may come from the framework.
        policy: dict[str, Any] = {"free": True, "alone": op in ("load", "build")}
        if op == PREPARE:
            policy = {"free": False, "budget": self._preparing}
        if op in CALLING:
            work = self._work or Work(0.0, {})
            extra = self._first if self._calls == 0 else 0.0
            budget = calls * max(self._share * work.total, self._least) + extra
            own = {name: calls * count / 2 + extra for name, count in work.own.items()}
            policy = {"free": False, "budget": budget, "own": own}
            self._calls += calls
        self._write(policy)

    def rest(self) -> None:
        """Until the next request the framework may touch nothing: a thread may go on."""
        self._write({"free": False})

    def _write(self, policy: Mapping[str, Any]) -> None:
        data = json.dumps(policy).encode()
        self._number += 1
        self._map[: _HEAD.size] = _HEAD.pack(0, 0)
        self._map[_HEAD.size : _HEAD.size + len(data)] = data
        self._map[: _HEAD.size] = _HEAD.pack(self._number, len(data))

    def __del__(self) -> None:
        os.close(self.fd)


def reader(fd: int) -> Current:
    """The candidate's end: a function that looks at the page; takes over ``fd``."""
    page = mmap.mmap(fd, SIZE, prot=mmap.PROT_READ)
    os.close(fd)
    seen: tuple[int, Mapping[str, Any]] = (0, {})

    def current() -> tuple[int, Mapping[str, Any]]:
        nonlocal seen
        number, length = _HEAD.unpack_from(page)
        if number != seen[0]:
            seen = (number, json.loads(page[_HEAD.size : _HEAD.size + length]) if number else {})
        return seen

    return current


def counter() -> Callable[[Sequence[Any]], int]:
    """Makes the function that gives the largest number of elements among tensors; lists of tensors count as one.

    A subclass may redefine each method and attribute: only C functions are called.
    """
    tensor, numel, unhooked = torch._C.TensorBase, torch._C.TensorBase.numel, torch._C.DisableTorchFunction
    is_a, kind, lists, size = isinstance, type, (list, tuple), len

    def count(values: Sequence[Any]) -> int:
        most = 0
        with unhooked():
            for value in values:
                if is_a(value, tensor):
                    found = numel(value)
                elif kind(value) in lists and size(value):
                    found = 0
                    for one in value:
                        found += numel(one) if is_a(one, tensor) else 0
                else:
                    continue
                most = found if found > most else most
        return most

    return count
