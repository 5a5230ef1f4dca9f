"""Triton kernels interpreted: as the compiler means them, with every address checked and programs in changing order.

Triton's own interpreter computes (tensors of numpy); this package decides which program runs when, what a kernel's
Python statements mean, and what its memory is. Triton 3.6 to 3.9 were tried.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from triton.runtime import interpreter
from triton.runtime.jit import JITFunction

from akgflow.toolchains.base import KernelFault, Unsupported
from akgflow.toolchains.common.patching import Changes, patched
from akgflow.toolchains.triton.interpreter import arithmetic, libdevice, reductions
from akgflow.toolchains.triton.interpreter.access import Access, Launch
from akgflow.toolchains.triton.interpreter.arguments import Arguments, Spans
from akgflow.toolchains.triton.interpreter.faults import Waiting
from akgflow.toolchains.triton.interpreter.language import Language
from akgflow.toolchains.triton.interpreter.memory import Memory
from akgflow.toolchains.triton.interpreter.races import Watch

__all__ = ["Interpreter", "KernelFault", "Task"]

_PATIENCE = 20.0
"""Seconds after which a launch is asked how long it will take."""
_LONGEST = 150.0
"""Seconds that one launch may take by that estimate."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One launch: a kernel, the host's arguments and their types by name, the grid, and what the compiler saw."""

    kernel: Any
    values: dict[str, Any]
    types: dict[str, Any]
    grid: tuple[int, int, int]
    debug: bool
    atomics: bool
    """Whether the kernel has atomic operations, by which programs may wait for each other."""
    num_warps: int


class Interpreter:
    """Interprets launches in this process; ``options`` are the precisions that the target's dots have."""

    def __init__(self, options: dict[str, Any], rounding: bool) -> None:
        self._options, self._rounding = options, rounding
        self._language, self._access = Language(), Access()
        self._launches: Counter[Any] = Counter()
        self._random = np.random.default_rng()
        self.spans: Spans = []
        """See `arguments.extent`."""
        self.addresses: Callable[[], Sequence[tuple[int, int]]] = lambda: ()
        """First address and bytes of storages whose addresses host code has asked for."""

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Patch Triton's interpreter for the time of a session."""
        with patched(*self._changes()):
            yield

    def _changes(self) -> Changes:
        called = JITFunction.__call__

        def call(function: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._language.active:
                return called(function, *args, **kwargs)
            return self._language.function(function)(*args, **kwargs)

        def get(function: Any, owner: Any, _: Any = None) -> Any:
            """A function of the language is also a method of tensors; a kernel in a class stays what it is."""
            import triton.language as tl

            if not self._language.active or not isinstance(owner, tl.tensor):
                return function
            return lambda *args, **kwargs: call(function, owner, *args, **kwargs)

        return [
            *arithmetic.changes(self._rounding),
            *libdevice.changes(),
            *reductions.changes(lambda function: lambda *args: self._language.call(function, *args)),
            *self._access.changes(),
            *_checks(self._access),
            (JITFunction, "__call__", call),
            (JITFunction, "__get__", get),
        ]

    def run(self, task: Task) -> None:
        """Run every program of a launch.

        Raises `KernelFault` for what the kernel does wrong, and `Unsupported` for what the interpreter cannot do.
        """
        number = self._launches[task.kernel.fn]
        self._launches[task.kernel.fn] += 1
        total = task.grid[0] * task.grid[1] * task.grid[2]
        order = self._order(number, total)
        try:
            self._run_in(order, task, undo=task.atomics)
        except Waiting:
            # In the order of their numbers, as devices start them, none waits for a later one.
            try:
                self._run_in(range(total), task, undo=False)
            except Waiting:
                reason = "its programs wait for each other, and the interpreter runs one after another"
                raise Unsupported(f"kernel {task.kernel.__name__} cannot be interpreted: {reason}") from None

    def _order(self, number: int, total: int) -> Sequence[int]:
        if number % 3 == 0:
            return range(total)
        return range(total - 1, -1, -1) if number % 3 == 1 else self._random.permutation(total).tolist()

    def _run_in(self, order: Sequence[int], task: Task, undo: bool) -> None:
        memory = Memory()
        memory.undo = undo
        launch = Launch(task.kernel.__name__, _files(task.kernel), memory, Watch(len(order), task.atomics))
        options = dataclasses.replace(interpreter.interpreter_builder.options, **self._options, debug=task.debug)
        object.__setattr__(options, "num_warps", task.num_warps)
        before, self._access.launch = self._access.launch, launch
        builder = patched((interpreter.interpreter_builder, "options", options))
        with builder, np.errstate(all="ignore"):
            self._language.enter()
            try:
                values = Arguments(memory, self.spans).all(task.values, task.types)
                for start, size in self.addresses():
                    memory.alias(start, size)
                self._programs(order, task, launch, values)
            except (KernelFault, Unsupported):
                raise
            except Waiting:
                memory.restore()
                raise
            except Exception as error:
                raise _not_interpreted(launch, error) from error
            finally:
                self._language.leave()
                self._access.launch = before

    def _programs(self, order: Sequence[int], task: Task, launch: Launch, values: dict[str, Any]) -> None:
        body = self._language.function(task.kernel)
        columns, rows, _ = task.grid
        interpreter.interpreter_builder.set_grid_dim(*task.grid)
        started = time.monotonic()
        for done, number in enumerate(order):
            index = (number % columns, number // columns % rows, number // (columns * rows))
            interpreter.interpreter_builder.set_grid_idx(*index)
            launch.index = index
            launch.watch.begin(number)
            body(**values)
            taken = time.monotonic() - started
            if taken > _PATIENCE and taken / (done + 1) * len(order) > _LONGEST:
                raise Unsupported(
                    f"kernel {task.kernel.__name__}: its {len(order)} programs would take "
                    f"{taken / (done + 1) * len(order):.0f} s in the interpreter: judge it at smaller sizes"
                )


def _files(kernel: Any) -> frozenset[str]:
    return frozenset({kernel.fn.__code__.co_filename})


def _not_interpreted(launch: Launch, error: Exception) -> Unsupported:
    """The compiler's front end took the kernel: what fails after it is the interpreter."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    frame, line = error.__traceback__, ""
    while frame is not None:
        if frame.tb_frame.f_code.co_filename in launch.files:
            line = f", line {frame.tb_lineno} of the module"
        frame = frame.tb_next
    text = f"{type(inner).__name__}: {inner}"[:500]
    return Unsupported(f"Triton's interpreter cannot run kernel {launch.kernel}{line}: {text}")


def _checks(access: Access) -> Changes:
    """What a debug build checks, and what the descriptors of TMA demand."""

    def create_assert(_: Any, condition: Any, message: Any) -> None:
        if not np.all(condition.data):
            raise KernelFault(f"{access.current().where()}: device_assert failed: {message}")

    def create_assume(_: Any, condition: Any) -> None:
        if not np.all(condition.data):
            raise KernelFault(f"{access.current().where()}: a condition of tl.assume does not hold")

    changes: Changes = [
        (interpreter.InterpreterBuilder, "create_assert", create_assert),
        (interpreter.InterpreterBuilder, "create_assume", create_assume),
    ]
    described = getattr(interpreter, "TensorDescHandle", None)
    if described is not None and hasattr(described, "validate"):
        original = described.validate

        def validate(self: Any) -> None:
            try:
                original(self)
            except AssertionError as error:
                where = access.current().where()
                raise KernelFault(f"{where}: a tensor descriptor is not as TMA demands: {error}") from None

        changes.append((described, "validate", validate))
    return changes
