"""Candidates in KernelBench's form, built with torch's ``load_inline``, where there is no device: a stand-in for the
part of PyTorch's C++ interface that host code uses lets them be interpreted and compiled in a second or two."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, NoReturn

from akgflow.toolchains.base import CompileFailure, Unsupported
from akgflow.toolchains.cuda_c.backends import Backend

MOST_RESULTS = 64
_ARCH_FLAG = re.compile(r"-arch\b|-gencode\b|--gpu-|arch=|code=")
_NOT_HERE = re.compile(
    r"is not a member of .(torch|at|c10|pybind11)\b|class .?(at::)?Tensor.? has no member|no member named|"
    r"namespace .(torch|at|c10|pybind11)\S* has no member|cannot open source file|No such file or directory"
)


class Info(ctypes.Structure):
    """``akgflow::Info`` of the header: a tensor's memory and shape; strides count elements."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("handle", ctypes.c_int64),
        ("dims", ctypes.c_int64),
        ("sizes", ctypes.c_int64 * 12),
        ("strides", ctypes.c_int64 * 12),
        ("type", ctypes.c_int32),
    )


class Value(ctypes.Structure):
    """``akgflow::Value`` of the header."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("integer", ctypes.c_int64),
        ("real", ctypes.c_double),
        ("tensor", Info),
    )


_Asked = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.POINTER(Info), ctypes.POINTER(Info), ctypes.c_double)


class _Tensors:
    """The tensors that C++ knows by handle during one call."""

    def __init__(self, device: str) -> None:
        import torch

        self.device = device
        self.types = {
            0: torch.uint8, 1: torch.int8, 2: torch.int16, 3: torch.int32, 4: torch.int64, 5: torch.float16,
            6: torch.float32, 7: torch.float64, 11: torch.bool, 15: torch.bfloat16,
        }  # fmt: skip
        self._numbers = {dtype: number for number, dtype in self.types.items()}
        self._known: dict[int, Any] = {}
        self._handles = count(1)
        self.failed: BaseException | None = None

    def describe(self, tensor: Any, info: Info) -> None:
        handle = next(self._handles)
        self._known[handle] = tensor
        info.data, info.handle, info.dims = tensor.data_ptr(), handle, tensor.dim()
        info.type = self._numbers.get(tensor.dtype, -1)
        for i, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
            info.sizes[i], info.strides[i] = size, stride

    def resolve(self, info: Info) -> Any:
        """The tensor that C++ means: one that it was given or asked for, or a view of such a one."""
        if info.dims < 0:
            return None
        base = self._known[info.handle]
        sizes, strides = tuple(info.sizes[: info.dims]), tuple(info.strides[: info.dims])
        if tuple(base.shape) == sizes and (info.data or 0) == base.data_ptr() and base.stride() == strides:
            return base
        moved = ((info.data or 0) - base.data_ptr()) // base.element_size()
        return base.as_strided(sizes, strides, base.storage_offset() + moved)

    def ask(self, what: int, of: Any, result: Any, value: float) -> None:
        """Do what C++ asks: 0 empty, 1 full, 2 contiguous, 3 clone, 4 convert, 5 fill. It never raises into C++."""
        import torch

        try:
            info = of.contents
            if what in (0, 1):
                options = {"dtype": self.types[info.type], "device": self.device}
                sizes = tuple(info.sizes[: info.dims])
                made = torch.empty(sizes, **options) if what == 0 else torch.full(sizes, value, **options)
            else:
                tensor = self.resolve(info)
                made = {
                    2: tensor.contiguous,
                    3: tensor.clone,
                    4: lambda: tensor.to(self.types[info.type]),
                    5: lambda: tensor.fill_(value),
                }[what]()
            self.describe(made, result.contents)
        except BaseException as error:
            self.failed = error
            result.contents.dims = -1


class Extension:
    """The functions of an extension as attributes: tensors and numbers in, tensors (or lists of them) out."""

    def __init__(self, text: str, file: str, backend: Backend, flags: Sequence[str] = ()) -> None:
        try:
            self._built = backend.build(text, file, flags)
        except CompileFailure as error:
            _without_stand_in(error)
        self._device = backend.device
        library = self._built.library
        if library is None:
            raise Unsupported("the host code calls functions of the CUDA runtime that need a device")
        library.akgflow_function.restype = ctypes.c_char_p
        self._names: dict[str, int] = {}
        while (name := library.akgflow_function(len(self._names))) is not None:
            self._names[name.decode()] = len(self._names)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        place = self.__dict__.get("_names", {}).get(name)
        if place is None:
            known = ", ".join(self.__dict__.get("_names", {}))
            raise AttributeError(f"the extension has no function {name!r}; it has {known}")

        def call(*args: Any) -> Any:
            return self._built.run(name, args, lambda given: self._invoke(place, name, given))

        self.__dict__[name] = call
        return call

    def _invoke(self, place: int, name: str, args: Sequence[Any]) -> Any:
        library = self._built.library
        assert library is not None, "the constructor refuses to be without one"
        tensors = _Tensors(self._device)
        values = (Value * max(len(args), 1))()
        for value, given in zip(values, args, strict=False):
            _into(value, given, tensors, name)
        asked = _Asked(tensors.ask)
        library.akgflow_python(asked)
        results, error = (Value * MOST_RESULTS)(), ctypes.create_string_buffer(2000)
        returned = library.akgflow_call(place, values, len(args), results, MOST_RESULTS, error, len(error))
        if tensors.failed is not None:
            raise tensors.failed
        if returned < 0:
            raise RuntimeError(f"{name}: {error.value.decode(errors='replace')}")
        found = iter(results[:returned])
        return _out_of(next(found), found, tensors) if returned else None


def _into(value: Value, given: Any, tensors: _Tensors, name: str) -> None:
    if given is None:
        value.kind = ord("n")
    elif isinstance(given, bool | int):
        value.kind, value.integer = ord("b" if isinstance(given, bool) else "i"), int(given)
    elif isinstance(given, float):
        value.kind, value.real = ord("d"), given
    elif hasattr(given, "data_ptr"):
        value.kind = ord("t")
        tensors.describe(given, value.tensor)
    else:
        raise TypeError(f"{name} takes tensors and numbers, and got {type(given).__name__}")


def _out_of(value: Value, rest: Any, tensors: _Tensors) -> Any:
    kind = chr(value.kind)
    if kind in "lu":
        inner = [_out_of(next(rest), rest, tensors) for _ in range(value.integer)]
        return inner if kind == "l" else tuple(inner)
    if kind == "t":
        return tensors.resolve(value.tensor)
    return {"i": value.integer, "b": bool(value.integer), "d": value.real}.get(kind)


def _without_stand_in(error: CompileFailure) -> NoReturn:
    """What the stand-in lacks is no fault of the candidate: only that evidence is absent."""
    lacking = next((line for line in str(error).splitlines() if _NOT_HERE.search(line)), None)
    if lacking is None or isinstance(error, Unsupported):
        raise error
    raise Unsupported(
        "without a device, host code is built against a part of PyTorch's C++ interface (shapes and memory of tensors, "
        f"empty, zeros and the like, dispatch macros), and this uses more: {lacking.strip()[:300]}"
    ) from None


def inline_text(cpp: Any, cuda: Any, functions: Any, line_of: Callable[[str], int], file: str) -> str:
    """One text of what ``load_inline`` is given, each source with the line numbers of ``file``.

    ``functions`` are the names to bind (text, a list, or names with their docstrings); None where the sources bind
    them themselves.
    """
    parts = ["#include <torch/extension.h>"]
    for source in (*_listed(cuda), *_listed(cpp)):
        parts += [f'#line {line_of(source)} "{file}"', source]
    if functions is not None:
        names = [functions] if isinstance(functions, str) else list(functions)
        bound = " ".join(f'm.def("{name}", &{name});' for name in names)
        parts.append(f"PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {{ {bound} }}")
    return "\n".join(parts)


def _listed(value: Any) -> list[str]:
    if value is None or isinstance(value, Mapping):
        return []
    return [value] if isinstance(value, str) else list(value)


def nvcc_flags(given: Any) -> list[str]:
    """Those of a candidate's own flags for nvcc that do not choose the architecture, which is the target's."""
    flags, skip = [], False
    for flag in _listed(given):
        if not skip and not _ARCH_FLAG.search(flag):
            flags.append(flag)
        skip = flag in ("-gencode", "-arch", "--generate-code", "--gpu-architecture")
    return flags
