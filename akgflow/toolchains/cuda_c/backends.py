"""What a session does with a CUDA C++ text: interpret it on fibers of the CPU, compile it, or run it on a device."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.diagnostics import first_errors
from akgflow.toolchains.common.installed import cxx
from akgflow.toolchains.common.workdir import artifacts_dir, cache_dir, cpu_tag, digest
from akgflow.toolchains.cuda_c import source
from akgflow.toolchains.cuda_c.races import both_orders, compare

INCLUDE = Path(__file__).with_name("include")
ON_CPU, NO_DEVICE, TORCH = INCLUDE / "cuda_on_cpu", INCLUDE / "no_device", INCLUDE / "torch_stand_in"
CPU_FLAGS = (
    *("-std=c++17", "-O2", "-march=native", "-fopenmp", "-shared", "-fPIC", "-w"),
    *("-fno-strict-aliasing", "-fdiagnostics-color=never"),
    # Function-local statics of templates would otherwise be one object for all libraries of the process.
    "-fno-gnu-unique",
)
NVCC_FLAGS = ("-std=c++17", "-O3", "--expt-relaxed-constexpr")
LAUNCHES = ".launches.json"
"""Ending of the file beside a PTX that holds, for each kernel's symbol, its most threads and dynamic shared bytes."""

_STATIC = (
    f"\na block declares at most {nvidia.MOST_STATIC_SHARED} bytes of shared memory on any NVIDIA device; more must "
    "be dynamic: extern __shared__, its size given at the launch"
)

Result = TypeVar("Result")
Invoke = Callable[[Sequence[Any]], Result]


class Built(Protocol):
    """A text that was built. ``library`` is None where its host code cannot run here; then `run` calls nothing."""

    @property
    def library(self) -> ctypes.CDLL | None: ...

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        """What ``invoke`` returns for ``args``, and all that the backend can say about that call of ``name``."""
        ...


class Backend(Protocol):
    """How texts are built and called; ``device`` is where the tensors live."""

    device: str

    def build(self, text: str, file: str, flags: Sequence[str] = ()) -> Built:
        """Build ``text`` (its lines are those of ``file``); ``flags`` are for nvcc. May raise `CompileFailure`."""
        ...

    def kernels(self) -> Sequence[str]:
        """Names of the kernels that were launched so far; compiled only, those that would have been."""
        ...


def run_compiler(command: Sequence[str], text: str | None, what: str) -> None:
    """Run a compiler, with ``text`` as standard input; raises `CompileFailure` with its first errors."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise CompileFailure(first_errors(done.stderr + done.stdout) or f"{what} failed with {done.returncode}")


def _placed(text: str, file: str) -> str:
    return f'#line 1 "{file}"\n{text}\n'


def _made(path: Path, make: Callable[[Path], None]) -> Path:
    """``path`` in the build cache; it is made beside its place, so that no half one is seen."""
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}{path.suffix}")
        make(unfinished)
        unfinished.replace(path)
    return path


@cache
def _headers(*folders: Path) -> str:
    found = (path for folder in folders for path in sorted(folder.rglob("*.h")))
    return "".join(path.read_text(encoding="utf-8") for path in found)


class _OnCpu:
    """A library on which each call runs twice, with the threads in forward and in reverse order."""

    def __init__(self, library: ctypes.CDLL, tolerant: bool) -> None:
        self.library = library
        self._tolerant = tolerant

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        library = self.library

        def once(reverse: bool, given: Sequence[Any]) -> Result:
            library.cuda_on_cpu_begin(int(reverse))
            result = invoke(given)
            problem = library.cuda_on_cpu_error().decode()
            if problem:
                raise RuntimeError(f"{name}: {problem}")
            return result

        return both_orders(name, args, once, self._tolerant)


class OnCpu:
    """Interprets for ``target``: its shared memory and its number of multiprocessors are those of the facts."""

    device = "cpu"
    trusted = (compare.__code__,)
    """What looks at whole tensors with the framework's operators, and is not the candidate's."""

    def __init__(self, target: Target | None = None) -> None:
        self._target = target
        self._libraries: list[ctypes.CDLL] = []

    def build(self, text: str, file: str, flags: Sequence[str] = ()) -> Built:  # noqa: ARG002
        source.refuse_uninterpretable(text)
        rewritten = f'#include "cuda_on_cpu.h"\n{_placed(source.for_cpu(text), file)}'
        compiler = cxx() or "g++"
        key = digest(rewritten, _headers(ON_CPU, TORCH), compiler, *CPU_FLAGS)

        def make(path: Path) -> None:
            command = [compiler, *CPU_FLAGS, f"-I{ON_CPU}", f"-I{TORCH}", "-x", "c++", "-", "-o", str(path)]
            run_compiler(command, rewritten, "the C++ compiler")

        library = ctypes.CDLL(str(_made(cache_dir(f"cuda-on-cpu-{cpu_tag()}") / f"{key}.so", make)))
        library.cuda_on_cpu_error.restype = library.cuda_on_cpu_launched.restype = ctypes.c_char_p
        if self._target is not None and (limit := architecture.shared_limit(self._target)):
            cited = architecture.cited(self._target, "smem_kib")
            library.cuda_on_cpu_device(architecture.multiprocessors(self._target), limit, cited.encode())
        self._libraries.append(library)
        return _OnCpu(library, tolerant="atomic" in source.masked(text))

    def kernels(self) -> Sequence[str]:
        names = [name for lib in self._libraries for name in lib.cuda_on_cpu_launched().decode().split()]
        return tuple(dict.fromkeys(names))


class _Unlaunched:
    """A library whose launches are written down, not done. Without one (``library`` None) nothing is called."""

    def __init__(self, library: ctypes.CDLL | None, symbols: Sequence[str], launches: Path) -> None:
        self.library = library
        self.launched = [] if library is not None else list(symbols)
        self._launches = launches

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        library = self.library
        if library is None:
            return None
        library.akgflow_begin()
        result = invoke(args)
        problem = library.akgflow_problem().decode()
        if problem:
            symbol, _, words = problem.partition(": ")
            raise CompileFailure(f"{name} launches {nvidia.plain_name(symbol)} in vain: {words}")
        seen = self._seen(library)
        self.launched = list(seen)
        self._launches.write_text(json.dumps(seen), encoding="utf-8")
        return result

    @staticmethod
    def _seen(library: ctypes.CDLL) -> dict[str, list[int]]:
        symbol, threads, dynamic = ctypes.c_char_p(), ctypes.c_uint(), ctypes.c_ulonglong()
        places = ctypes.byref(symbol), ctypes.byref(threads), ctypes.byref(dynamic)
        seen, place = {}, 0
        while library.akgflow_kernel(place, *places):
            if threads.value:
                seen[(symbol.value or b"").decode()] = [threads.value, dynamic.value]
            place += 1
        return seen


class CompileOnly:
    """Compiles for a target and keeps the PTX. Host code runs against a runtime that launches nothing."""

    device = "meta"

    def __init__(self, target: Target, scratch: Path) -> None:
        self._target = target
        self._folder = artifacts_dir(scratch)
        self._built: list[_Unlaunched] = []

    def build(self, text: str, file: str, flags: Sequence[str] = ()) -> Built:
        compiler = nvidia.nvcc()
        assert compiler is not None, "missing() answers for nvcc"
        stem = self._folder / digest(text, *flags)
        work = stem.with_suffix(".d")
        work.mkdir(exist_ok=True)
        (work / "text.cu").write_text(_placed(text, file), encoding="utf-8")
        library = work / "text.so"
        arch = self._target.arch
        # Not -arch: that makes PTX for the plain architecture as well.
        command = [
            str(compiler),
            *NVCC_FLAGS,
            *flags,
            "-gencode",
            f"arch={arch.replace('sm_', 'compute_')},code={arch}",
        ]
        command += [f"-I{TORCH}", "-shared"]
        command += ["-Xcompiler", "-fPIC,-fno-gnu-unique,-w", "-cudart", "none", "-Xlinker", "-Bsymbolic"]
        command += ["-keep", "-keep-dir", str(work), str(work / "text.cu"), str(_no_device(compiler))]
        try:
            run_compiler([*command, "-o", str(library)], None, "nvcc")
        except CompileFailure as error:
            raise CompileFailure(f"{error}{_STATIC if 'too much shared data' in str(error) else ''}") from None
        ptx = (work / "text.ptx").replace(stem.with_suffix(".ptx"))
        (work / "text.cubin").replace(stem.with_suffix(".cubin"))
        symbols = nvidia.kernels_of_ptx(ptx.read_text(encoding="utf-8", errors="replace"))
        built = _Unlaunched(self._load(library), symbols, stem.with_suffix(LAUNCHES))
        self._built.append(built)
        shutil.rmtree(work, ignore_errors=True)
        return built

    def _load(self, path: Path) -> ctypes.CDLL | None:
        """The library; None where its host code needs more of the CUDA runtime than there is without a device."""
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            return None
        library.akgflow_problem.restype = ctypes.c_char_p
        limit = architecture.shared_limit(self._target)
        library.akgflow_device(architecture.multiprocessors(self._target), limit or 227 * 1024)
        return library

    def kernels(self) -> Sequence[str]:
        names = (nvidia.plain_name(symbol) for built in self._built for symbol in built.launched)
        return tuple(dict.fromkeys(names))


def _no_device(compiler: Path) -> Path:
    """The object file of the CUDA runtime that stands in for libcudart."""
    source = NO_DEVICE / "runtime.cpp"
    key = digest(source.read_text(encoding="utf-8"), str(compiler), str(compiler.stat().st_mtime_ns))

    def make(path: Path) -> None:
        command = [str(compiler), "-std=c++17", "-O1", "-Xcompiler", "-fPIC", "-c", str(source), "-o", str(path)]
        run_compiler(command, None, "nvcc")

    return _made(cache_dir("cuda-no-device") / f"{key}.o", make)


_LAST_ERROR = """
extern "C" const char* akgflow_last_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}
"""


class _OnDevice:
    """A library whose calls launch on the device."""

    def __init__(self, library: ctypes.CDLL, names: Sequence[str], launched: dict[str, None]) -> None:
        self.library = library
        self._names, self._launched = dict.fromkeys(names), launched

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        result = invoke(args)
        problem = self.library.akgflow_last_error()
        if problem:
            raise RuntimeError(f"{name}: {problem.decode()}")
        self._launched.update(self._names)
        return result


class OnDevice:
    """Builds with nvcc and launches on the NVIDIA device."""

    device = "cuda"

    def __init__(self, arch: str) -> None:
        self._arch = arch
        self.launched: dict[str, None] = {}

    def build(self, text: str, file: str, flags: Sequence[str] = ()) -> Built:
        compiler = nvidia.nvcc()
        assert compiler is not None, "missing() answers for nvcc"
        whole = f"#include <cuda_runtime.h>\n{_placed(text, file)}{_LAST_ERROR}"
        key = digest(whole, self._arch, str(compiler), *NVCC_FLAGS, *flags)

        def make(path: Path) -> None:
            command = [str(compiler), *NVCC_FLAGS, *flags, f"-arch={self._arch}", "-shared", "-Xcompiler", "-fPIC"]
            run_compiler([*command, "-x", "cu", "-", "-o", str(path)], whole, "nvcc")

        library = ctypes.CDLL(str(_made(cache_dir("cuda") / f"{key}.so", make)))
        library.akgflow_last_error.restype = ctypes.c_char_p
        return _OnDevice(library, source.kernels_in(text), self.launched)

    def kernels(self) -> Sequence[str]:
        return tuple(self.launched)


def default_backend() -> Backend:
    """For candidates that run outside a session: the local device where there is one, else the interpreter."""
    import torch

    if torch.cuda.is_available() and nvidia.nvcc() is not None and shutil.which("nvidia-smi"):
        major, minor = torch.cuda.get_device_capability()
        return OnDevice(f"sm_{major}{minor}")
    return OnCpu()
