"""Compiling CUDA C++ for a target with nvcc; its host code runs against a CUDA runtime that launches nothing."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure, Unsupported
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.workdir import artifacts_dir, cache_dir, digest
from akgflow.toolchains.cuda_c import faults
from akgflow.toolchains.cuda_c.backends import (
    NO_DEVICE,
    NVCC_FLAGS,
    TORCH,
    Built,
    Flags,
    Invoke,
    Result,
    Source,
    compiler_log,
    made,
    run_compiler,
)
from akgflow.toolchains.cuda_c.faults import Failure, Stage, failure

LAUNCHES = ".launches.json"
"""Ending of the file beside a PTX that holds, for each kernel's symbol, its most threads and dynamic shared bytes."""

_STATIC = (
    f"\na block declares at most {nvidia.MOST_STATIC_SHARED} bytes of shared memory on any NVIDIA device; more must "
    "be dynamic: extern __shared__, its size given at the launch"
)
_HOST_FLAGS = "-fPIC,-fno-gnu-unique,-w"


class CompileOnly:
    """Compiles for a target and keeps the PTX. Host code runs against a runtime that launches nothing."""

    device = "meta"
    values = False

    def __init__(self, target: Target, scratch: Path) -> None:
        self._target = target
        self._folder = artifacts_dir(scratch)
        self._built: list[_Unlaunched] = []

    def build(self, sources: Sequence[Source], flags: Flags = Flags()) -> Built:  # noqa: B008
        compiler = nvidia.nvcc()
        assert compiler is not None, "missing() answers for nvcc"
        stem = self._folder / digest(*(one.text for one in sources), *flags.nvcc)
        work = stem.with_suffix(".d")
        work.mkdir(exist_ok=True)
        objects = [work / f"{place}.o" for place in range(len(sources))]
        with ThreadPoolExecutor() as pool:
            commands = [self._command(compiler, one, flags, at) for one, at in zip(sources, objects, strict=True)]
            logs = list(pool.map(lambda command: compiler_log(command, None), commands))
        files = frozenset(one.file for one in sources)
        for log in logs:
            if log is not None:
                raise _failed(log, files)
        library = work / "text.so"
        linked = [str(compiler), "-shared", "-cudart", "none", "-Xlinker", "-Bsymbolic", *map(str, objects)]
        run_compiler([*linked, str(_no_device(compiler)), "-o", str(library)], None, "nvcc")
        symbols = self._keep(work, stem, sources)
        built = _Unlaunched(*self._load(library), symbols, stem.with_suffix(LAUNCHES))
        self._built.append(built)
        shutil.rmtree(work, ignore_errors=True)
        return built

    def _command(self, compiler: Path, one: Source, flags: Flags, output: Path) -> list[str]:
        text = output.with_suffix(".cpp" if one.host else ".cu")
        text.write_text(one.placed, encoding="utf-8")
        arch = self._target.arch
        # Not -arch: that makes PTX for the plain architecture as well.
        code = ["-gencode", f"arch={arch.replace('sm_', 'compute_')},code={arch}", "-keep", "-keep-dir", text.parent]
        own = [*flags.host] if one.host else [*flags.nvcc, *code]
        command = [compiler, *NVCC_FLAGS, *own, f"-I{TORCH}", "-Xcompiler", _HOST_FLAGS, "-c", text, "-o", output]
        return [str(word) for word in command]

    def _keep(self, work: Path, stem: Path, sources: Sequence[Source]) -> list[str]:
        """Keep what was compiled for the device; the symbols of its kernels."""
        symbols: list[str] = []
        for place, one in enumerate(sources):
            if not one.host:
                ptx = (work / f"{place}.ptx").replace(stem.with_suffix(f".{place}.ptx"))
                symbols += nvidia.kernels_of_ptx(ptx.read_text(encoding="utf-8", errors="replace"))
        return symbols

    def _load(self, path: Path) -> tuple[ctypes.CDLL | None, str]:
        """The library; None where its host code needs more of the CUDA runtime than there is here, and what."""
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            return None, str(error)
        library.akgflow_problem.restype = ctypes.c_char_p
        limit, arch = architecture.shared_limit(self._target), architecture.parse(self._target)
        counts = architecture.multiprocessors(self._target), limit or 227 * 1024, arch.number if arch else 0
        library.akgflow_device(*counts)
        return library, ""

    def kernels(self) -> Sequence[str]:
        names = (nvidia.plain_name(symbol) for built in self._built for symbol in built.launched)
        return tuple(dict.fromkeys(names))


def _failed(log: str, files: frozenset[str]) -> Exception:
    error = faults.of_log(log, files, Stage(faults.STUBBED_TORCH))
    too_much = "too much shared data" in str(error)
    # ptxas names no line: what it refuses is the candidate's.
    return CompileFailure(f"{error}{_STATIC}") if too_much else error


class _Unlaunched:
    """A library whose launches are written down, not done.

    Without one (``library`` is None, ``unresolved`` says why it cannot be loaded) nothing is called.
    """

    def __init__(self, library: ctypes.CDLL | None, unresolved: str, symbols: Sequence[str], launches: Path) -> None:
        self.library, self.unresolved = library, unresolved
        self.launched = [] if library is not None else list(symbols)
        self._launches = launches

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        library = self.library
        if library is None:
            return None
        library.akgflow_begin()
        try:
            result = invoke(args)
        except CompileFailure:
            raise
        except Exception as error:
            raise self._refused(name) or failure(Failure.HOST_WITHOUT_VALUES, str(error)) from None
        if (refused := self._refused(name)) is not None:
            raise refused
        seen = self._seen(library)
        self.launched = list(seen)
        if library.akgflow_guessed():
            return result
        self._launches.write_text(json.dumps(seen), encoding="utf-8")
        return result

    def _refused(self, name: str) -> Exception | None:
        """Why a launch of this call is not possible; unknown where it depends on values that host code read."""
        assert self.library is not None
        symbol, _, words = self.library.akgflow_problem().decode().partition(": ")
        if not words:
            return None
        kind = Failure.HOST_WITHOUT_VALUES if self.library.akgflow_guessed() else Failure.LAUNCH
        return failure(kind, f"{name} launches {nvidia.plain_name(symbol)} in vain: {words}")

    def placed(self, tensor: Any, *, empty: bool) -> Any:  # noqa: ARG002
        return tensor

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


def _no_device(compiler: Path) -> Path:
    """The object file of the CUDA runtime that stands in for libcudart."""
    source = NO_DEVICE / "runtime.cpp"
    key = digest(source.read_text(encoding="utf-8"), str(compiler), str(compiler.stat().st_mtime_ns))

    def make(path: Path) -> None:
        command = [str(compiler), "-std=c++17", "-O1", "-Xcompiler", "-fPIC", "-c", str(source), "-o", str(path)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise Unsupported(f"the CUDA runtime without a device does not build here: {error.stderr[:500]}") from None

    return made(cache_dir("cuda-no-device") / f"{key}.o", make)
