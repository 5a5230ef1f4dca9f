"""CUDA C++: interpreted on a CPU, compiled with nvcc, executed on an NVIDIA device.

A candidate loads its text with `load`, which needs no PyTorch headers, or with torch's ``load_inline``.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from akgflow.config.types import SourceKernel, Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains.base import CompileFailure, Session, source_is_module
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.installed import cxx, no_device, not_installed
from akgflow.toolchains.common.workdir import ARTIFACTS, inside
from akgflow.toolchains.cuda_c import inline
from akgflow.toolchains.cuda_c.backends import Backend, OnDevice
from akgflow.toolchains.cuda_c.compile_only import LAUNCHES, CompileOnly
from akgflow.toolchains.cuda_c.library import Library
from akgflow.toolchains.cuda_c.on_cpu import OnCpu
from akgflow.verdict import KernelResources

INTERPRETER_CHECKS = {
    "memory": "interpreted: tensors and shared memory end at guards, and what nobody wrote holds poison",
    "race": "interpreted: both thread orders, and barriers that not all threads reach",
}
MOST_LIBRARIES = 50
"""Of those that a candidate leaves, so many are read."""
_backend: Backend | None = None


def missing(evidence: Evidence, target: Target, machine: Machine) -> str | None:
    """Why ``evidence`` cannot be had for ``target`` here, and how to get it; None when it can."""
    if evidence is Evidence.INTERPRETED:
        return _no_interpreter()
    if evidence not in (Evidence.COMPILED, Evidence.EXECUTED):
        return f"CUDA C++ is not {evidence} by akgflow"
    if target.platform != "cuda":
        return f"CUDA C++ is compiled for NVIDIA devices, and {target.name} is a {target.platform} target"
    if architecture.parse(target) is None:
        return architecture.expected_form(target)
    if evidence is Evidence.EXECUTED and (reason := no_device(target, machine)):
        return reason
    return nvidia.no_nvcc(target.arch)


def _no_interpreter() -> str | None:
    if platform.machine() not in ("x86_64", "aarch64"):
        return f"CUDA C++ is interpreted on x86-64 and aarch64, and this is {platform.machine()}"
    if cxx() is None:
        return "no C++ compiler was found: install g++ (Debian: apt-get install g++), or name one in CXX"
    return None


@contextlib.contextmanager
def session(evidence: Evidence, target: Target, scratch: Path) -> Iterator[Session]:
    """Prepare this process to import and call a candidate that uses `load`.

    `load` raises `CompileFailure`, or `Unsupported` where the CPU interpreter does not cover what it reads; a
    call raises `RuntimeError` where threads race or never stop waiting.
    """
    global _backend
    backend = _backend_for(evidence, target, scratch)
    before, _backend = _backend, backend
    try:
        with inside(scratch), contextlib.ExitStack() as stack:
            if backend.device != "cuda":
                from akgflow.toolchains.common.redirect import redirected

                stack.enter_context(redirected(target, backend.device))
            stack.enter_context(inline.accepted(backend, target))
            yield backend
    finally:
        _backend = before


def _backend_for(evidence: Evidence, target: Target, scratch: Path) -> Backend:
    if evidence is Evidence.INTERPRETED:
        return OnCpu(target)
    return OnDevice(target.arch) if evidence is Evidence.EXECUTED else CompileOnly(target, scratch)


def load(source: str, file: str | None = None) -> Library:
    """The ``extern "C"`` host functions of a CUDA C++ text as Python functions.

    Pointers take tensors, numbers take numbers. In a session it is interpreted, compiled or executed as the session
    says; elsewhere it runs on the local NVIDIA device, or on the CPU where there is none. ``file`` is the name that
    the compiler's messages give; without it they count lines as the caller's file does.
    """
    if file is None:
        file, source = _as_in_caller(source, sys._getframe(1).f_code.co_filename)
    return Library(source, file, _backend or default_backend())


def default_backend() -> Backend:
    """For candidates that run outside a session: the local device where there is one, else the interpreter."""
    import torch

    if torch.cuda.is_available() and nvidia.nvcc() is not None and shutil.which("nvidia-smi"):
        major, minor = torch.cuda.get_device_capability()
        return OnDevice(f"sm_{major}{minor}")
    return OnCpu()


def _as_in_caller(source: str, caller: str) -> tuple[str, str]:
    """The caller's file name, and ``source`` with as many lines before it as it has there."""
    name = Path(caller).name
    try:
        whole = Path(caller).read_text(encoding="utf-8")
    except OSError:
        return name, source
    at = whole.find(source) if source.strip() else -1
    return name, "\n" * whole.count("\n", 0, max(at, 0)) + source


def silences(evidence: Evidence, target: Target) -> bool:  # noqa: ARG001
    """True where `OnCpu.silence` works: on a device there is nobody to ask."""
    return evidence is Evidence.INTERPRETED


def sees_kernels(evidence: Evidence, target: Target, scratch: Path, files: Collection[str]) -> bool:  # noqa: ARG001
    """True when a compiled text is in ``scratch``, or among the ``files`` whose code a process has mapped."""
    if evidence is Evidence.COMPILED:
        return any((scratch / ARTIFACTS).glob("*.ptx"))
    return bool(not_installed(files, str(scratch)))


def resources(target: Target, scratch: Path) -> Sequence[KernelResources]:
    """What each compiled kernel in ``scratch`` takes, from ptxas; shared memory with what its launches asked for.

    After a run on a device they are read from the libraries that were built for it. Raises `CompileFailure` where the
    PTX is for another architecture, or where a kernel needs more than the target has.
    """
    compiler = nvidia.nvcc()
    found: list[KernelResources] = []
    texts = sorted((scratch / ARTIFACTS).glob("*.ptx"))
    if not texts:
        return [_kernel(usage, 0, 0, target) for usage in _built_for(target, scratch)]
    for ptx in texts:
        if compiler is None:
            raise CompileFailure(nvidia.NO_NVCC)
        try:
            usages = nvidia.assemble(nvidia.ptxas_beside(compiler), ptx, target.arch)
        except subprocess.CalledProcessError as error:
            raise CompileFailure(f"the PTX does not assemble for {target.arch}: {str(error.stderr)[:2000]}") from None
        launches = _launches(ptx.with_suffix("").with_suffix(LAUNCHES))
        # Instances that no case of the task launches are left out, where it is known what was launched.
        launched = [usage for usage in usages if usage.kernel in launches] or usages
        found += [_kernel(usage, *launches.get(usage.kernel, (0, 0)), target) for usage in launched]
    return found


def _built_for(target: Target, scratch: Path) -> Iterator[nvidia.Usage]:
    """The kernels in the libraries below ``scratch`` that are for the target's chip; what they spill is not known."""
    libraries = [path for path in sorted(scratch.rglob("*.so")) if path.is_file() and not path.is_symlink()]
    for library in libraries[:MOST_LIBRARIES]:
        for usage in nvidia.usage_of_library(library):
            if usage.arch.rstrip("af") == target.arch.rstrip("af"):
                yield usage


def _launches(path: Path) -> dict[str, tuple[int, int]]:
    """Most threads and dynamic shared bytes of a block for each kernel's symbol; the candidate's process wrote them."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {str(symbol): (int(threads), int(dynamic)) for symbol, (threads, dynamic) in read.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _kernel(usage: nvidia.Usage, threads: int, dynamic: int, target: Target) -> KernelResources:
    kernel = nvidia.plain_name(usage.kernel)
    # Registers are given to warps in pieces of 256.
    registers = -(-threads // 32) * -(-usage.registers * 32 // 256) * 256
    most = target.facts.get("regs_per_block")
    if most is not None and registers > int(most):
        raise CompileFailure(
            f"kernel {kernel} needs {registers} registers for a block of {threads} threads ({usage.registers} each), "
            f"more than {most}: {architecture.cited(target, 'regs_per_block')}; use fewer threads, or __launch_bounds__"
        )
    extra = {"stack_bytes": usage.stack}
    found = KernelResources(
        kernel=kernel,
        arch=usage.arch,
        registers=usage.registers,
        shared_bytes=usage.shared + dynamic,
        spill_bytes=usage.spill,
        extra=extra | ({"threads": threads, "dynamic_shared_bytes": dynamic} if threads else {}),
        tensor_cores=usage.tensor_cores,
    )
    architecture.check_shared(target, found)
    return found


def source_module(source: SourceKernel) -> str:
    """The module that stands for a source kernel: its own text, or one that calls its host function.

    Raises `CompileFailure` where a bare ``.cu`` does not say how it is called.
    """
    if source.file.suffix == ".py":
        return source_is_module(source)
    if source.call is None or not source.out:
        raise CompileFailure(f"{source.file.name} is a bare CUDA C++ file: give its 'call' and 'out' in the task")
    arguments = {
        "source": source.source,
        "file": source.file.name,
        "call": source.call,
        "out": source.out,
        "inputs": source.inputs,
    }
    written = "".join(f"    {name}={value!r},\n" for name, value in arguments.items())
    return (
        f'"""{source.file.name}, called as the task says: {source.call}"""\n\n'
        f"from akgflow.toolchains.cuda_c.model import source_model\n\nModelNew = source_model(\n{written})\n"
    )
