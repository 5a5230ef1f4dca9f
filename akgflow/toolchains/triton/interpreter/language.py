"""What rewritten kernels call: Triton's meaning of calls, assignments and truth, on the interpreter's tensors."""

from __future__ import annotations

import builtins
import functools
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import triton.language as tl
from triton.language.core import _unwrap_if_constexpr, is_builtin
from triton.runtime import interpreter
from triton.runtime.jit import JITFunction

from akgflow.toolchains.triton.interpreter.rewriting import RUNTIME, rewritten

_LIBDEVICE = "triton.language.extra.libdevice"
_NVIDIA_LIBDEVICE = "triton.language.extra.cuda.libdevice"
_NUMBERS = (bool, int, float, tl.constexpr)


class Language:
    """Calls of kernels' functions while a kernel is interpreted; one for each process."""

    def __init__(self) -> None:
        self._functions: dict[Any, Callable[..., Any]] = {}
        self._scope: Any = None
        # By identity: a kernel's hash is that of its source, which takes long.
        self._replaced: dict[int, Callable[..., Any]] = {}
        self.active = False

    def enter(self) -> None:
        """Make Triton's language that of the interpreter, until `leave`."""
        # Taken once for all functions of a kernel: Triton looks through the whole language for each of them.
        home = type("Home", (), {"__globals__": {"tl": tl, "core": tl.core}})
        self._scope = interpreter._patch_lang(home)
        own = {
            "range": self._range,
            "static_range": _static_range,
            "static_assert": _nothing,
            "static_print": _nothing,
            "map_elementwise": self._map_elementwise,
        }
        for owner in (tl, tl.core):
            for name, value in own.items():
                if hasattr(owner, name):
                    self._scope.set_attr(owner, name, value)
        self._replaced = {
            id(builtins.range): self._range,
            id(builtins.print): tl.device_print,
            id(builtins.min): _with_tensors(builtins.min, tl.minimum),
            id(builtins.max): _with_tensors(builtins.max, tl.maximum),
        }
        # The compiler's builtins under other names (``exp = tl.exp``) mean what their own names mean now.
        for owner, name, original in self._scope._changes:
            if isinstance(owner, ModuleType) and callable(original):
                self._replaced[id(original)] = vars(owner)[name]
        self.active = True

    def leave(self) -> None:
        """Give the language back to the compiler."""
        self.active = False
        self._scope.restore()

    def function(self, jit: Any) -> Callable[..., Any]:
        """The rewritten form of a kernel, or of a function that kernels call."""
        found = self._functions.get(jit.fn)
        if found is None:
            found = self._functions[jit.fn] = rewritten(jit)
            found.__globals__[RUNTIME] = self
        return found

    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """``function(*args, **kwargs)`` as a kernel means it."""
        if isinstance(function, JITFunction):
            return self.function(function)(*args, **kwargs)
        found = self._replaced.get(id(function))
        if found is not None:
            return found(*args, **kwargs)
        if getattr(function, "__module__", None) == _LIBDEVICE:
            function = getattr(importlib.import_module(_NVIDIA_LIBDEVICE), function.__name__)
        if is_builtin(function) and not hasattr(function, "__self__"):
            return function(*args, **kwargs, _semantic=interpreter.interpreter_semantic)
        return function(*args, **kwargs)

    def assigned(self, value: Any) -> Any:
        """A number that gets a name becomes a tensor; so do those in a tuple."""
        if isinstance(value, tuple):
            parts = [self.assigned(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        if isinstance(value, _NUMBERS):
            return interpreter.interpreter_semantic.to_tensor(value, False)
        return value

    def constant(self, value: Any) -> Any:
        """What ``name: tl.constexpr = value`` binds."""
        return _unwrap_if_constexpr(value)

    def value(self, owner: Any) -> Any:
        """``owner.value``, where ``owner`` may be a constant that the interpreter does not wrap."""
        return owner if isinstance(owner, (bool, int, float, str, tl.tensor, tl.dtype)) else owner.value

    def all_of(self, *operands: Callable[[], Any]) -> Any:
        """``and``: constants decide at once, tensors are combined."""
        return self._combined(operands, False, interpreter.interpreter_semantic.logical_and)

    def any_of(self, *operands: Callable[[], Any]) -> Any:
        """``or``, likewise."""
        return self._combined(operands, True, interpreter.interpreter_semantic.logical_or)

    def _combined(self, operands: tuple[Callable[[], Any], ...], decides: bool, combine: Callable[..., Any]) -> Any:
        tensors: list[Any] = []
        last: Any = None
        for operand in operands:
            last = operand()
            if isinstance(last, tl.tensor):
                tensors.append(last)
            elif bool(last) is decides:
                return last
        return functools.reduce(combine, tensors) if tensors else last

    def negated(self, value: Any) -> Any:
        """``not``."""
        return interpreter.interpreter_semantic.not_(value) if isinstance(value, tl.tensor) else not value

    def assertion(self, condition: Any, message: Any = "") -> None:
        """``assert``: only a debug build checks it."""
        semantic = interpreter.interpreter_semantic
        semantic.device_assert(semantic.to_tensor(condition), message, None)

    def _range(self, *bounds: Any, **options: Any) -> Iterator[Any]:
        """The counter of a loop is a tensor, as wide as the widest bound."""
        named = [options[name] for name in ("arg1", "arg2", "step") if options.get(name) is not None]
        given = [*bounds, *named]
        wide = any(isinstance(one, tl.tensor) and one.dtype.primitive_bitwidth == 64 for one in given)
        kind, numpy_kind = (tl.int64, np.int64) if wide else (tl.int32, np.int32)
        for i in range(*(_integer(one) for one in given)):
            yield tl.tensor(interpreter.TensorHandle(np.array([i], dtype=numpy_kind), kind), kind)

    def _map_elementwise(self, function: Any, *args: Any, pack: int = 1, **_: Any) -> Any:
        del pack
        return self.call(function, *args)


def _static_range(*bounds: Any, **options: Any) -> range:
    named = [options[name] for name in ("arg1", "arg2", "step") if options.get(name) is not None]
    return range(*(_integer(one) for one in (*bounds, *named)))


def _integer(value: Any) -> int:
    value = _unwrap_if_constexpr(value)
    return int(value.handle.data.item()) if isinstance(value, tl.tensor) else int(value)


def _nothing(*_: Any, **__: Any) -> None: ...


def _with_tensors(python: Callable[..., Any], triton: Callable[..., Any]) -> Callable[..., Any]:
    def chosen(*args: Any) -> Any:
        if any(isinstance(arg, tl.tensor) for arg in args):
            return functools.reduce(triton, args)
        return python(*map(_unwrap_if_constexpr, args))

    return chosen
