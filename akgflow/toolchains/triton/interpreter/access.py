"""Loads, stores and atomics of an interpreted kernel: each address is looked up, each access is watched for races."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter

from akgflow.toolchains.base import KernelFault
from akgflow.toolchains.common.patching import Changes
from akgflow.toolchains.triton.interpreter.arithmetic import narrow, widen
from akgflow.toolchains.triton.interpreter.faults import Waiting
from akgflow.toolchains.triton.interpreter.memory import Memory, Spot
from akgflow.toolchains.triton.interpreter.races import Conflict, Watch

_SPINS = 300
_PLAIN_SPINS = 50_000
"""A program that gets the same number so often from an atomic operation, or a plain load, waits for another one."""


class Launch:
    """What the accesses of one launch are checked against, and the program that is running."""

    def __init__(self, kernel: str, files: frozenset[str], memory: Memory, watch: Watch) -> None:
        self.kernel, self.memory, self.watch = kernel, memory, watch
        self.index = (0, 0, 0)
        self.files = files
        self._spun: tuple[int, Any] = (0, None)
        self._spins = 0

    def where(self) -> str:
        """``kernel NAME, line N of the module``: the innermost line of the candidate's that is running."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename in self.files:
                return f"kernel {self.kernel}, line {frame.f_lineno} of the module"
            frame = frame.f_back
        return f"kernel {self.kernel}"

    def locate(self, addresses: Any, mask: Any, item: int, what: str) -> Spot:
        """`Memory.locate`, whose refusals say where."""
        if np.size(addresses) > 1:
            self._spins = 0
        try:
            return self.memory.locate(addresses, mask, item, what)
        except KernelFault as fault:
            raise KernelFault(f"{self.where()}: program {self.index} {fault}") from None

    def watched(self, access: Callable[..., None], spot: Spot, item: int, *more: Any) -> None:
        """Tell the watch about an access; raises `KernelFault` for a race."""
        try:
            access(spot, item, *more)
        except Conflict as race:
            real = race.segment.real + race.offset
            names = [one for one in race.segment.names if one[0] <= real] or race.segment.names
            begin, name, form = max(names) if names else (race.segment.real, "a tensor", "")
            element = f"element {(real - begin) // item} of {name}" + (f" ({form})" if form else "")
            raise KernelFault(
                f"{self.where()}: programs race. Program {self.index} {race.did} {element}, which another program "
                f"(number {race.program} of the grid) {race.other}, and nothing orders the two: on a device either may "
                "come first. Use atomics, or give each program elements of its own"
            ) from None

    def spins(self, address: int, value: Any, most: int = _SPINS) -> None:
        """Raise `Waiting` when a program asks for one number again and again."""
        same = self._spun == (address, value)
        self._spins = self._spins + 1 if same else 0
        self._spun = address, value
        if self._spins > most:
            raise Waiting


class Access:
    """The memory operations of the interpreter's builder; ``launch`` is the one that is running."""

    def __init__(self) -> None:
        self.launch: Launch | None = None

    def current(self) -> Launch:
        """The launch that is running."""
        assert self.launch is not None, "a kernel accesses memory only while it is launched"
        return self.launch

    def changes(self) -> Changes:
        """What replaces the builder's own operations."""
        builder = interpreter.InterpreterBuilder
        return [
            (builder, "create_masked_load", _masked_load(self)),
            (builder, "create_masked_store", _masked_store(self)),
            (builder, "create_atomic_rmw", _atomic_rmw(self)),
            (builder, "create_atomic_cas", _atomic_cas(self)),
        ]


def _masked_load(access: Access) -> Callable[..., Any]:
    def create_masked_load(_: Any, ptrs: Any, mask: Any, other: Any, *policy: Any, **named: Any) -> Any:
        launch = access.current()
        kind = ptrs.get_element_ty()
        numpy_kind = interpreter._get_np_dtype(kind)
        lanes = np.asarray(mask.data if hasattr(mask, "data") else mask, dtype=bool)
        fill = np.zeros_like(ptrs.data, dtype=numpy_kind) if other is None else other.data
        spot = launch.locate(ptrs.data, lanes, numpy_kind.itemsize, "reads")
        # The last argument says that the load is volatile: as it spins on a flag, it orders programs like an atomic.
        volatile = named.get("is_volatile", policy[-1] if policy else False)
        if volatile is True and spot.real.size == 1:
            launch.watch.synchronise(int(spot.real.item()), acquires=True, releases=False)
        else:
            launch.watched(launch.watch.reads, spot, numpy_kind.itemsize)
        lanes = np.broadcast_to(lanes, np.shape(spot.real))
        found = interpreter._interpreter.load(spot.real, lanes, fill, numpy_kind)
        if found.size == 1:
            launch.spins(int(spot.real.item()), found.tobytes(), _SPINS if volatile else _PLAIN_SPINS)
        return interpreter.TensorHandle(found, kind)

    return create_masked_load


def _bits(values: Any) -> Any:
    """The bytes of an array of numbers as integers, lane by lane."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.view(f"u{flat.dtype.itemsize}") if flat.dtype != np.bool_ else flat.view(np.uint8)


def _masked_store(access: Access) -> Callable[..., Any]:
    def create_masked_store(_: Any, ptrs: Any, value: Any, mask: Any, *__: Any, **___: Any) -> None:
        launch = access.current()
        numpy_kind = interpreter._get_np_dtype(ptrs.get_element_ty())
        item = numpy_kind.itemsize
        lanes = np.asarray(mask.data if hasattr(mask, "data") else mask, dtype=bool)
        spot = launch.locate(ptrs.data, lanes, item, "writes")
        lanes = np.ascontiguousarray(np.broadcast_to(lanes, np.shape(spot.real)))
        data = np.ascontiguousarray(np.broadcast_to(value.data, np.shape(spot.real))).astype(numpy_kind, copy=False)
        old = interpreter._interpreter.load(spot.real, lanes, data, numpy_kind)
        changed = _bits(old) != _bits(data)
        launch.watched(launch.watch.writes, spot, item, changed)
        launch.memory.keep(spot)
        interpreter._interpreter.store(spot.real, data, lanes)
        left = interpreter._interpreter.load(spot.real, lanes, data, numpy_kind)
        twice = _bits(left) != _bits(data)
        if twice.any():
            raise KernelFault(
                f"{launch.where()}: program {launch.index} writes different values to one element in one store, "
                f"{int(twice.sum())} of them in vain: on a device any of them may be left"
            )

    return create_masked_store


def _orders(sem: Any) -> tuple[bool, bool]:
    """Whether an atomic operation acquires and releases, from the name of its memory semantic."""
    name = str(sem).upper()
    both = "ACQUIRE_RELEASE" in name or "ACQ_REL" in name
    return both or "ACQUIRE" in name, both or name.endswith("RELEASE")


def _atomic(access: Access, addresses: Any, mask: Any, item: int, sem: Any) -> tuple[Launch, Spot]:
    launch = access.current()
    spot = launch.locate(addresses, mask, item, "changes atomically")
    if spot.parts and spot.real.size == 1:
        launch.watch.synchronise(int(spot.real.item()), *_orders(sem))
    launch.watched(launch.watch.updates, spot, item)
    launch.memory.keep(spot)
    return launch, spot


def _atomic_rmw(access: Access) -> Callable[..., Any]:
    original = interpreter.InterpreterBuilder.create_atomic_rmw

    def create_atomic_rmw(self: Any, op: Any, ptr: Any, value: Any, mask: Any, sem: Any, scope: Any) -> Any:
        item = interpreter._get_np_dtype(ptr.get_element_ty()).itemsize
        lanes = np.ascontiguousarray(np.broadcast_to(np.asarray(mask.data, dtype=bool), np.shape(ptr.data)))
        launch, spot = _atomic(access, ptr.data, lanes, item, sem)
        mask = interpreter.TensorHandle(lanes, tl.int1)
        if value.dtype.scalar == tl.bfloat16:
            return _on_bf16(op, spot.real, value, lanes)
        real = interpreter.TensorHandle(spot.real, ptr.dtype)
        data = np.ascontiguousarray(np.broadcast_to(value.data, np.shape(spot.real)))
        found = original(self, op, real, interpreter.TensorHandle(data, value.dtype), mask, sem, scope)
        if found.data.size == 1:
            launch.spins(int(spot.real.item()), found.data.tobytes())
        return found

    return create_atomic_rmw


def _atomic_cas(access: Access) -> Callable[..., Any]:
    original = interpreter.InterpreterBuilder.create_atomic_cas

    def create_atomic_cas(self: Any, ptr: Any, cmp: Any, value: Any, sem: Any, scope: Any) -> Any:
        item = interpreter._get_np_dtype(ptr.get_element_ty()).itemsize
        launch, spot = _atomic(access, ptr.data, np.ones(np.shape(ptr.data), dtype=bool), item, sem)
        found = original(self, interpreter.TensorHandle(spot.real, ptr.dtype), cmp, value, sem, scope)
        if found.data.size == 1:
            launch.spins(int(spot.real.item()), found.data.tobytes())
        return found

    return create_atomic_cas


_BF16_OPS: dict[str, Callable[..., Any]] = {"FADD": np.add, "MAX": np.fmax, "MIN": np.fmin, "XCHG": lambda _, new: new}


def _on_bf16(op: Any, real: Any, value: Any, lanes: Any) -> Any:
    """An atomic operation on bf16 numbers, one lane after another: lanes may share an element."""
    compute = _BF16_OPS[str(op).rsplit(".", 1)[-1]]
    flat, new = real.reshape(-1), np.broadcast_to(value.data, np.shape(real)).reshape(-1)
    olds = np.zeros_like(flat, dtype=np.uint16)
    one, nothing = np.ones(1, dtype=bool), np.zeros(1, dtype=np.uint16)
    for lane in np.flatnonzero(lanes.reshape(-1)):
        here = flat[lane : lane + 1]
        olds[lane] = interpreter._interpreter.load(here, one, nothing, np.dtype(np.uint16))[0]
        left = narrow(compute(widen(olds[lane : lane + 1]), widen(new[lane : lane + 1])))
        interpreter._interpreter.store(here, left, one)
    return interpreter.TensorHandle(olds.reshape(np.shape(real)), tl.bfloat16)
