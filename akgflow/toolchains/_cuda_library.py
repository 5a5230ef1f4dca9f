"""A CUDA C++ text as a library that Python calls: on fibers of the CPU, compiled only, or on the device."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from akgflow.toolchains import _cuda_source, _nvidia
from akgflow.toolchains._diagnostics import first_errors
from akgflow.toolchains._installed import cxx
from akgflow.toolchains._workdir import artifacts_dir, cache_dir, cpu_tag, digest
from akgflow.toolchains.base import CompileFailure

HEADERS = Path(__file__).with_name("include") / "cuda_on_cpu"
CPU_FLAGS = (
    *("-std=c++17", "-O2", "-march=native", "-fopenmp", "-shared", "-fPIC", "-w"),
    *("-fno-strict-aliasing", "-fdiagnostics-color=never"),
    # Function-local statics of templates would otherwise be one object for all libraries of the process.
    "-fno-gnu-unique",
)
NVCC_FLAGS = ("-std=c++17", "-O3", "--expt-relaxed-constexpr")

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


class Backend(Protocol):
    """What a session does with a source: how it is built, and what a call of one of its functions is."""

    device: str

    def build(self, text: str, file: str) -> Callable[[_cuda_source.HostFunction, Sequence[Any]], None]:
        """Build ``text`` (its lines are those of ``file``); what calls a host function. May raise `CompileFailure`."""
        ...

    def kernels(self) -> Sequence[str]:
        """Names of the kernels that were launched (compiled only: built) so far."""
        ...


class Library:
    """The ``extern "C"`` functions of a source as attributes. Tensors pass as pointers, numbers as what C takes."""

    def __init__(self, text: str, file: str, backend: Backend) -> None:
        self._functions = _cuda_source.host_functions(text)
        if not self._functions:
            raise CompileFailure(f'{file} defines no host function: write one as extern "C" void name(…) {{…}}')
        self._call = backend.build(text, file)

    def __getattr__(self, name: str) -> Callable[..., None]:
        function = self.__dict__.get("_functions", {}).get(name)
        if function is None:
            known = ", ".join(self.__dict__.get("_functions", {}))
            raise AttributeError(f"the CUDA C++ source has no host function {name!r}; it has {known}")

        def call(*args: Any) -> None:
            if len(args) != len(function.parameters):
                raise TypeError(f"{name} takes {len(function.parameters)} arguments and got {len(args)}")
            self._call(function, args)

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


def _invoke(library: ctypes.CDLL, function: _cuda_source.HostFunction, args: Iterable[Any]) -> None:
    values = [_c_value(kind, value, function.name) for kind, value in zip(function.parameters, args, strict=True)]
    entry = getattr(library, function.name)
    entry.restype = None
    entry(*values)


def _run(command: Sequence[str], text: str, what: str) -> None:
    """Run a compiler on ``text`` as standard input; raises `CompileFailure` with its first errors."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise CompileFailure(first_errors(done.stderr + done.stdout) or f"{what} failed with {done.returncode}")


def _placed(text: str, file: str) -> str:
    return f'#line 1 "{file}"\n{text}\n'


def _built(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The library of that key from the build cache; it is made beside its place, so that no half one is seen."""
    path = cache_dir(kind) / f"{key}.so"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        make(unfinished)
        unfinished.replace(path)
    return path


@cache
def _headers() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(HEADERS.glob("*.h")))


def _both_orders(
    library: ctypes.CDLL, function: _cuda_source.HostFunction, args: Sequence[Any], tolerant: bool
) -> None:
    """Call forwards on the tensors and in reverse on copies of them; where the results differ, threads race."""
    copies = _copies(args)
    for reverse, given in ((0, args), (1, copies)):
        library.cuda_on_cpu_begin(reverse)
        _invoke(library, function, given)
        problem = library.cuda_on_cpu_error().decode()
        if problem:
            raise RuntimeError(f"{function.name}: {problem}")
    import torch

    # Without torch's function modes the comparison itself calls the operators, as `trusted` says.
    with torch._C.DisableTorchFunction():
        for place, (one, other) in enumerate(zip(args, copies, strict=True), start=1):
            if hasattr(one, "data_ptr"):
                _compare(function.name, place, one, other, tolerant)


def _copies(args: Sequence[Any]) -> list[Any]:
    """Copies of the tensors among ``args``, storage by storage, so that views stay views of one memory."""
    import torch

    storages: dict[int, Any] = {}

    def copy(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        storage = value.untyped_storage()
        mine = storages.setdefault(storage.data_ptr(), storage.clone())
        return torch.empty(0, dtype=value.dtype).set_(mine, value.storage_offset(), value.shape, value.stride())

    return [copy(value) for value in args]


def _compare(name: str, place: int, one: Any, other: Any, tolerant: bool) -> None:
    """Raise where forward and reverse order gave different values; atomics on floats may differ by rounding."""
    import torch

    one, other = one.detach(), other.detach()
    same = (one == other) | ((one != one) & (other != other))
    if tolerant and one.is_floating_point():
        scale = one.double().nan_to_num(0.0, 0.0, 0.0).abs().max() if one.numel() else torch.zeros(())
        same |= (one.double() - other.double()).abs() <= 1e-4 * scale
    if bool(same.all()):
        return
    wrong = (~same).nonzero()
    at = tuple(int(i) for i in wrong[0])
    raise RuntimeError(
        f"{name}: threads race. Run in forward and in reverse order they leave different values in {len(wrong)} of "
        f"{one.numel()} elements of argument {place}, first at {list(at)}: {one[at].item():g}, {other[at].item():g}; "
        "a __syncthreads or __syncwarp is missing, or two threads write one element"
    )


class OnCpu:
    """Interprets: each call runs twice, with the threads in forward and in reverse order."""

    device = "cpu"
    trusted = (_compare.__code__,)
    """What looks at whole tensors with the framework's operators, and is not the candidate's."""

    def __init__(self) -> None:
        self._libraries: list[ctypes.CDLL] = []

    def build(self, text: str, file: str) -> Callable[[_cuda_source.HostFunction, Sequence[Any]], None]:
        _cuda_source.refuse_uninterpretable(text)
        rewritten = f'#include "cuda_on_cpu.h"\n{_placed(_cuda_source.for_cpu(text), file)}'
        compiler = cxx() or "g++"
        key = digest(rewritten, _headers(), compiler, *CPU_FLAGS)

        def make(path: Path) -> None:
            command = [compiler, *CPU_FLAGS, f"-I{HEADERS}", "-x", "c++", "-", "-o", str(path)]
            _run(command, rewritten, "the C++ compiler")

        library = ctypes.CDLL(str(_built(f"cuda-on-cpu-{cpu_tag()}", key, make)))
        library.cuda_on_cpu_error.restype = library.cuda_on_cpu_launched.restype = ctypes.c_char_p
        self._libraries.append(library)
        tolerant = "atomic" in _cuda_source.masked(text)
        return lambda function, args: _both_orders(library, function, args, tolerant)

    def kernels(self) -> Sequence[str]:
        names = [name for lib in self._libraries for name in lib.cuda_on_cpu_launched().decode().split()]
        return tuple(dict.fromkeys(names))


class CompileOnly:
    """Compiles for an architecture and keeps PTX and cubin; calls do nothing."""

    device = "meta"

    def __init__(self, arch: str, scratch: Path) -> None:
        self._arch = arch
        self._folder = artifacts_dir(scratch)
        self._kernels: dict[str, None] = {}

    def build(self, text: str, file: str) -> Callable[[_cuda_source.HostFunction, Sequence[Any]], None]:
        compiler = _nvidia.nvcc()
        assert compiler is not None, "missing() answers for nvcc"
        stem = self._folder / digest(text)
        ptx, cubin = stem.with_suffix(".ptx"), stem.with_suffix(".cubin")
        command = [str(compiler), *NVCC_FLAGS, f"-arch={self._arch}", "-ptx", "-x", "cu", "-", "-o", str(ptx)]
        _run(command, _placed(text, file), "nvcc")
        try:
            usages = _nvidia.assemble(_nvidia.ptxas_beside(compiler), ptx, self._arch, cubin)
        except subprocess.CalledProcessError as error:
            raise CompileFailure(first_errors(str(error.stderr) + str(error.stdout))) from None
        self._kernels.update(dict.fromkeys(_nvidia.plain_name(usage.kernel) for usage in usages))
        return lambda function, args: None  # noqa: ARG005

    def kernels(self) -> Sequence[str]:
        return tuple(self._kernels)


_LAST_ERROR = """
extern "C" const char* akgflow_last_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}
"""


class OnDevice:
    """Builds with nvcc and launches on the NVIDIA device."""

    device = "cuda"

    def __init__(self, arch: str) -> None:
        self._arch = arch
        self._kernels: dict[str, None] = {}

    def build(self, text: str, file: str) -> Callable[[_cuda_source.HostFunction, Sequence[Any]], None]:
        compiler = _nvidia.nvcc()
        assert compiler is not None, "missing() answers for nvcc"
        whole = f"#include <cuda_runtime.h>\n{_placed(text, file)}{_LAST_ERROR}"
        key = digest(whole, self._arch, str(compiler), *NVCC_FLAGS)

        def make(path: Path) -> None:
            command = [str(compiler), *NVCC_FLAGS, f"-arch={self._arch}", "-shared", "-Xcompiler", "-fPIC"]
            _run([*command, "-x", "cu", "-", "-o", str(path)], whole, "nvcc")

        library = ctypes.CDLL(str(_built("cuda", key, make)))
        library.akgflow_last_error.restype = ctypes.c_char_p
        names = _cuda_source.kernels_in(text)

        def call(function: _cuda_source.HostFunction, args: Sequence[Any]) -> None:
            _invoke(library, function, args)
            problem = library.akgflow_last_error()
            if problem:
                raise RuntimeError(f"{function.name}: {problem.decode()}")
            self._kernels.update(dict.fromkeys(names))

        return call

    def kernels(self) -> Sequence[str]:
        return tuple(self._kernels)


def default_backend() -> Backend:
    """For candidates that run outside a session: the local device where there is one, else the interpreter."""
    import torch

    if torch.cuda.is_available() and _nvidia.nvcc() is not None and shutil.which("nvidia-smi"):
        major, minor = torch.cuda.get_device_capability()
        return OnDevice(f"sm_{major}{minor}")
    return OnCpu()
