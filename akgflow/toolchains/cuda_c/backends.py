"""What a session does with CUDA C++ texts: the protocol, and the one that runs them on a device."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common import nvidia
from akgflow.toolchains.common.diagnostics import first_errors
from akgflow.toolchains.common.workdir import cache_dir, digest
from akgflow.toolchains.cuda_c.text import headers, source

INCLUDE = Path(__file__).with_name("include")
ON_CPU, NO_DEVICE, TORCH = INCLUDE / "cuda_on_cpu", INCLUDE / "no_device", headers.TORCH
NVCC_FLAGS = ("-std=c++17", "-O3", "--expt-relaxed-constexpr")

Result = TypeVar("Result")
Invoke = Callable[[Sequence[Any]], Result]


class Source(NamedTuple):
    """One text to compile. Its lines are those of ``file``; ``host`` code has no kernels."""

    text: str
    file: str
    host: bool = False

    @property
    def placed(self) -> str:
        return f'#line 1 "{self.file}"\n{headers.forwarded(self.text)}\n'


class Flags(NamedTuple):
    """A candidate's own flags: for nvcc, and for the compiler of host code."""

    nvcc: tuple[str, ...] = ()
    host: tuple[str, ...] = ()


class Built(Protocol):
    """Texts that were built. ``library`` is None where their host code cannot run here; then `run` calls nothing."""

    @property
    def library(self) -> ctypes.CDLL | None: ...

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        """What ``invoke`` returns for ``args``, and all that the backend can say about that call of ``name``."""
        ...

    def placed(self, tensor: Any, *, empty: bool) -> Any:
        """A tensor that host code made, at the place where kernels may have it; an empty one may hold anything."""
        ...


class Backend(Protocol):
    """How texts are built and called; ``device`` is where the tensors live."""

    device: str
    values: bool
    """False where kernels do nothing, so that no tensor holds anything."""

    def build(self, sources: Sequence[Source], flags: Flags = Flags()) -> Built:  # noqa: B008
        """Build the texts into one library. May raise `CompileFailure`."""
        ...

    def kernels(self) -> Sequence[str]:
        """Names of the kernels that were launched so far; compiled only, those that would have been."""
        ...


def run_compiler(command: Sequence[str], text: str | None, what: str) -> None:
    """Run a compiler, with ``text`` as standard input; raises `CompileFailure` with its first errors."""
    if (log := compiler_log(command, text)) is not None:
        raise CompileFailure(first_errors(log) or f"{what} failed")


def compiler_log(command: Sequence[str], text: str | None) -> str | None:
    """What a compiler says where it fails; None where it does not."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr + done.stdout


def made(path: Path, make: Callable[[Path], None]) -> Path:
    """``path`` in the build cache; it is made beside its place, so that no half one is seen."""
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}{path.suffix}")
        make(unfinished)
        unfinished.replace(path)
    return path


@cache
def headers_digest() -> str:
    """Names the headers that stand in for others: a build is only as good as they are."""
    found = sorted(path for path in INCLUDE.rglob("*") if path.is_file())
    return digest(*(path.read_text(encoding="utf-8") for path in found))


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

    def placed(self, tensor: Any, *, empty: bool) -> Any:  # noqa: ARG002
        return tensor


class OnDevice:
    """Builds with nvcc and launches on the NVIDIA device."""

    device = "cuda"
    values = True

    def __init__(self, arch: str) -> None:
        self._arch = arch
        self.launched: dict[str, None] = {}

    def build(self, sources: Sequence[Source], flags: Flags = Flags()) -> Built:  # noqa: B008
        compiler = nvidia.nvcc()
        assert compiler is not None, "missing() answers for nvcc"
        placed = "".join(one.placed for one in sources)
        whole = f"#include <cuda_runtime.h>\n{placed}{_LAST_ERROR}"
        # Line tables change no code: a sanitizer names lines by them.
        options = (*NVCC_FLAGS, "-lineinfo", *flags.nvcc)
        key = digest(whole, self._arch, str(compiler), *options)

        def make(path: Path) -> None:
            command = [str(compiler), *options, f"-arch={self._arch}", "-shared", "-Xcompiler", "-fPIC"]
            run_compiler([*command, "-x", "cu", "-", "-o", str(path)], whole, "nvcc")

        library = ctypes.CDLL(str(made(cache_dir("cuda") / f"{key}.so", make)))
        library.akgflow_last_error.restype = ctypes.c_char_p
        names = [name for one in sources for name in source.kernels_in(one.text)]
        return _OnDevice(library, names, self.launched)

    def kernels(self) -> Sequence[str]:
        return tuple(self.launched)


def kept_flags(given: Any) -> tuple[str, ...]:
    """Those of a candidate's flags that change what a text means to any compiler: macros, folders, the language."""
    return tuple(flag for flag in listed(given) if flag.startswith(("-D", "-U", "-I", "-std=")))


def listed(value: Any) -> list[str]:
    """Texts or flags, given alone or in a list; names with docstrings are none."""
    if value is None or isinstance(value, Mapping):
        return []
    return [value] if isinstance(value, str) else list(value)
