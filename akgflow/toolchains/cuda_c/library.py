"""A CUDA C++ text as a library that Python calls."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.cuda_c.backends import Backend, Source
from akgflow.toolchains.cuda_c.text import source

_C_TYPES: dict[str, Any] = {
    "*": ctypes.c_void_p,
    "bool": ctypes.c_bool,
    "char": ctypes.c_char,
    "short": ctypes.c_short,
    "int": ctypes.c_int,
    "unsigned": ctypes.c_uint,
    "unsigned int": ctypes.c_uint,
    "long": ctypes.c_long,
    "long int": ctypes.c_long,
    "unsigned long": ctypes.c_ulong,
    "long long": ctypes.c_longlong,
    "long long int": ctypes.c_longlong,
    "unsigned long long": ctypes.c_ulonglong,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "cudaStream_t": ctypes.c_void_p,
    **{f"int{n}_t": getattr(ctypes, f"c_int{n}") for n in (8, 16, 32, 64)},
    **{f"uint{n}_t": getattr(ctypes, f"c_uint{n}") for n in (8, 16, 32, 64)},
}


class Library:
    """The ``extern "C"`` functions of a source as attributes. Tensors pass as pointers, numbers as what C takes."""

    def __init__(self, text: str, file: str, backend: Backend) -> None:
        self._functions = source.host_functions(text)
        if not self._functions:
            raise CompileFailure(f'{file} defines no host function: write one as extern "C" void name(…) {{…}}')
        self._built = backend.build([Source(text, file)])

    def __getattr__(self, name: str) -> Callable[..., None]:
        function = self.__dict__.get("_functions", {}).get(name)
        if function is None:
            known = ", ".join(self.__dict__.get("_functions", {}))
            raise AttributeError(f"the CUDA C++ source has no host function {name!r}; it has {known}")
        built = self._built

        def invoke(args: Sequence[Any]) -> None:
            entry = getattr(built.library, name)
            entry.restype = None
            entry(*(_c_value(kind, value, name) for kind, value in zip(function.parameters, args, strict=True)))

        def call(*args: Any) -> None:
            if len(args) != len(function.parameters):
                raise TypeError(f"{name} takes {len(function.parameters)} arguments and got {len(args)}")
            built.run(name, args, invoke)

        self.__dict__[name] = call
        return call


def _c_value(kind: str, value: Any, name: str) -> Any:
    """``value`` as the C type ``kind``; tensors give their address."""
    c_type = _C_TYPES.get(kind)
    if c_type is None:
        known = ", ".join(sorted(k for k in _C_TYPES if k != "*"))
        raise CompileFailure(f"{name} has a parameter of type {kind!r}: host functions take pointers and {known}")
    if kind == "*":
        if value is not None and not hasattr(value, "data_ptr"):
            raise TypeError(f"{name} expects a tensor where it got {value!r}")
        return ctypes.c_void_p(value.data_ptr() if value is not None else None)
    return c_type(value)
