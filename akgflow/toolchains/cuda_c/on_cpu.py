"""Interpreting CUDA C++: host and device code are built by the C++ compiler, each CUDA thread is a fiber."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from akgflow.config.types import Target
from akgflow.toolchains.base import KernelFault
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.installed import cxx
from akgflow.toolchains.common.workdir import cache_dir, cpu_tag, digest
from akgflow.toolchains.cuda_c import faults
from akgflow.toolchains.cuda_c.backends import (
    NVCC_FLAGS,
    ON_CPU,
    TORCH,
    Built,
    Flags,
    Invoke,
    Result,
    Source,
    compiler_log,
    headers_digest,
    kept_flags,
    made,
)
from akgflow.toolchains.cuda_c.faults import Failure, Stage, failure
from akgflow.toolchains.cuda_c.fences import Fence, Fenced, described, fenced, named_tensors
from akgflow.toolchains.cuda_c.races import WATCHED, agree, compare, lines_of
from akgflow.toolchains.cuda_c.text import rewrite, source

FLAGS = (
    *("-std=c++17", "-O2", "-march=native", "-fopenmp", "-fPIC", "-w", "-fno-strict-aliasing"),
    *("-fdiagnostics-color=never", "-fvisibility-inlines-hidden", "-ftrack-macro-expansion=0"),
    # A thread's stack that is too small meets the page below it, and not its neighbour's.
    "-fstack-clash-protection",
    # Function-local statics of templates would otherwise be one object for all libraries of the process.
    "-fno-gnu-unique",
)
_FAULTS = {1: Failure.KERNEL, 2: Failure.NOT_INTERPRETED}
"""``cuda_on_cpu::Fault`` of the header."""


class OnCpu:
    """Interprets for ``target``: its shared memory and its number of multiprocessors are those of the facts."""

    device = "cpu"
    values = True
    trusted = (compare.__code__,)
    """What looks at whole tensors with the framework's operators, and is not the candidate's."""

    def __init__(self, target: Target | None = None) -> None:
        self._target = target
        self.watching = False
        self._libraries: list[ctypes.CDLL] = []
        self._silent = False

    def record(self, folder: Path) -> None:  # noqa: ARG002
        """From now on, say at which lines of the candidate's a kernel goes wrong; that takes another build."""
        self.watching = True

    def build(self, sources: Sequence[Source], flags: Flags = Flags()) -> Built:  # noqa: B008
        for one in sources:
            source.refuse_uninterpretable(one.placed)
        path = self._made(sources, flags)
        library = self._loaded(path, "\n".join(one.text for one in sources))
        self._libraries.append(library)
        if self._silent:
            self.silence()

        def watched() -> Watched | None:
            if not self.watching:
                return None
            made_so = self._made(sources, flags, WATCHED)
            names = frozenset(one.file for one in sources)
            return Watched(self._loaded(made_so, ""), made_so, names)

        may_wait = any(source.blocks_may_wait(one.text) for one in sources)
        return _OnCpu(library, blocks_may_wait=may_wait, watched=watched)

    def _made(self, sources: Sequence[Source], flags: Flags, more: Sequence[str] = ()) -> Path:
        """The library of the texts."""
        texts = [_text(one) for one in sources]
        compiler = cxx() or "g++"
        key = digest(*texts, headers_digest(), compiler, *FLAGS, *flags.nvcc, *flags.host, *more)

        def make(path: Path) -> None:
            with tempfile.TemporaryDirectory() as folder:
                objects = [Path(folder) / f"{place}.o" for place in range(len(texts))]
                commands = [
                    self._command(compiler, one, flags, at, more) for one, at in zip(sources, objects, strict=True)
                ]
                with ThreadPoolExecutor() as pool:
                    logs = list(pool.map(compiler_log, commands, texts))
                for one, log in zip(sources, logs, strict=True):
                    if log is not None:
                        raise self._failed(log, one, flags, frozenset(s.file for s in sources))
                linked = [compiler, "-shared", "-fopenmp", *map(str, objects), "-o", str(path)]
                if (log := compiler_log(linked, None)) is not None:
                    raise faults.of_log(log, frozenset(), Stage(faults.STUBBED_CUDA))

        return made(cache_dir(f"cuda-on-cpu-{cpu_tag()}") / f"{key}.so", make)

    @staticmethod
    def _command(compiler: str, one: Source, flags: Flags, output: Path, more: Sequence[str]) -> list[str]:
        own = flags.host if one.host else kept_flags(flags.nvcc)
        folders = f"-I{ON_CPU}", f"-I{TORCH}"
        return [compiler, *FLAGS, *own, *more, *folders, "-c", "-x", "c++", "-", "-o", str(output)]

    def _failed(self, log: str, one: Source, flags: Flags, files: frozenset[str]) -> Exception:
        if one.host:
            return faults.of_log(log, files, Stage(faults.STUBBED_TORCH))
        return faults.of_log(log, files, Stage(faults.STUBBED_CUDA, lambda: self._nvcc_says(one, flags)))

    def _nvcc_says(self, one: Source, flags: Flags) -> str | None:
        """nvcc's own log, empty where it takes the text; None where there is no nvcc."""
        compiler = nvidia.nvcc()
        if compiler is None:
            return None
        arch = ["-arch", self._target.arch] if self._target and self._target.arch.startswith("sm_") else []
        with tempfile.TemporaryDirectory() as folder:
            command = [str(compiler), *NVCC_FLAGS, *arch, *flags.nvcc, f"-I{TORCH}", "-c", "-x", "cu", "-"]
            return compiler_log([*command, "-o", f"{folder}/text.o"], one.placed) or ""

    def _loaded(self, path: Path, text: str) -> ctypes.CDLL:
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            raise faults.of_loading(error, text) from None
        library.cuda_on_cpu_error.restype = library.cuda_on_cpu_launched.restype = ctypes.c_char_p
        if self._target is not None and (limit := architecture.shared_limit(self._target)):
            cited = architecture.cited(self._target, "smem_kib")
            arch = architecture.parse(self._target)
            counts = architecture.multiprocessors(self._target), arch.number if arch else 0
            library.cuda_on_cpu_device(*counts, ctypes.c_size_t(limit), cited.encode())
        return library

    def silence(self) -> bool:
        """From now on launches come back at once; host code runs as before."""
        self._silent = True
        for library in self._libraries:
            library.cuda_on_cpu_silence()
        return bool(self._libraries)

    def kernels(self) -> Sequence[str]:
        names = [name for lib in self._libraries for name in lib.cuda_on_cpu_launched().decode().split()]
        return tuple(dict.fromkeys(names))


def _text(one: Source) -> str:
    text = one.placed if one.host else rewrite.for_cpu(one.placed)
    return f'#include "impl/cuda_on_cpu.h"\n{text}'


class Watched(NamedTuple):
    """A library whose accesses are watched, where it is, and the names of the candidate's files."""

    library: ctypes.CDLL
    path: Path
    files: frozenset[str]


class _OnCpu:
    """A library on which each call runs twice, with the threads in forward and in reverse order."""

    def __init__(self, library: ctypes.CDLL, blocks_may_wait: bool, watched: Callable[[], Watched | None]) -> None:
        self.library, self._watched = library, watched
        self._blocks_may_wait = blocks_may_wait
        self._made: list[Fence] = []

    def run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        try:
            return self._run(name, args, invoke)
        except KernelFault as fault:
            watched = self._watched()
            if watched is None:
                raise
            raise KernelFault(f"{fault}{self._at(watched, name, args, invoke)}") from None

    def _at(self, watched: Watched, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> str:
        """At which lines a call goes wrong; empty where that is not found."""
        before, self.library = self.library, watched.library
        try:
            given = Fenced(args, at_end=True)
            call = lambda: self._once(name, given, invoke, reverse=False)  # noqa: E731
            lines = lines_of(watched.library, watched.path, call, watched.files)
        finally:
            self.library = before
        return f"; line {' and line '.join(map(str, lines))}" if lines else ""

    def _run(self, name: str, args: Sequence[Any], invoke: Invoke[Result]) -> Result | None:
        # Both copies are made before anything runs: the second call finds what the first one found.
        forward, reverse = Fenced(args, at_end=True), Fenced(args, at_end=False)
        result = self._once(name, forward, invoke, reverse=False)
        atomics = self.library.cuda_on_cpu_did_atomics()
        other = self._once(name, reverse, invoke, reverse=True)
        atomics |= self.library.cuda_on_cpu_did_atomics()
        agree(name, (forward.tensors(), reverse.tensors()), (result, other), tolerant=bool(atomics))
        forward.give_back()
        restored: Result = forward.restored(result)
        return restored

    def _once(self, name: str, given: Fenced, invoke: Invoke[Result], *, reverse: bool) -> Result:
        library = self.library
        library.cuda_on_cpu_begin(int(reverse), int(not self._blocks_may_wait))
        library.cuda_on_cpu_arguments(_shapes(given.args).encode())
        for fence in given.fences:
            self._note(fence)
        self._made.clear()
        result = invoke(given.args)
        outside = (found for fence in (*given.fences, *self._made) if (found := fence.written_outside()))
        problem = library.cuda_on_cpu_error().decode() or next(outside, None)
        self._made.clear()
        if problem:
            raise failure(_FAULTS.get(library.cuda_on_cpu_fault(), Failure.KERNEL), f"{name}: {problem}")
        return result

    def _note(self, fence: Fence) -> None:
        bounds = fence.bounds
        self.library.cuda_on_cpu_fence((ctypes.c_size_t * 4)(*bounds[:4]), bounds.name.encode())

    def placed(self, tensor: Any, *, empty: bool) -> Any:
        if not tensor.numel():
            return tensor
        copy, fence = fenced(tensor, "a tensor made by host code", empty=empty)
        self._note(fence)
        self._made.append(fence)
        return copy


def _shapes(args: Sequence[Any]) -> str:
    found = [described(tensor) for _, tensor in named_tensors(args)]
    return f", with {', '.join(found)}" if found else ""
