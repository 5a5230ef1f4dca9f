"""TileLang: executed on NVIDIA and through C on the CPU, compiled for NVIDIA without a device, else lowered."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from akgflow.config.types import Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains.base import Session, source_is_module
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.installed import cxx, no_device, not_installed, package_dir, package_version
from akgflow.toolchains.common.workdir import artifacts_in, cache_dir, inside
from akgflow.toolchains.tilelang.artifacts import Keeper, resources_in
from akgflow.verdict import KernelResources

_NO_CXX = "no C++ compiler was found: install g++ (Debian: apt-get install g++), or name one in CXX"
_ASCEND = re.compile(r"ascend950\w*|dav-3510")
"""The generation that TileLang's Ascend backend writes for; its buffers and instructions are not the 910B's."""


def missing(evidence: Evidence, target: Target, machine: Machine) -> str | None:
    """Why ``evidence`` cannot be had for ``target`` here, and how to get it; None when it can."""
    if package_dir("tilelang") is None:
        return "tilelang is not installed: pip install tilelang==0.1.15 (Linux)"
    if package_dir("torch") is None:
        return "torch is not installed: pip install torch"
    if target.platform == "ascend":
        return _ascend(evidence, target)
    if target.platform == "cpu":
        if evidence is not Evidence.EXECUTED:
            return f"TileLang kernels for a CPU are executed here, so they are not {evidence} besides"
        return _NO_CXX if cxx() is None else None
    if architecture.parse(target) is None:
        return architecture.expected_form(target)
    if evidence is Evidence.EXECUTED:
        return no_device(target, machine) or _no_compiler(target)
    if target.platform == "cuda" and evidence is Evidence.COMPILED:
        return _no_compiler(target)
    if target.platform == "hip" and evidence is Evidence.LOWERED:
        return None
    return f"TileLang kernels for {target.platform} are not {evidence} by akgflow"


def _ascend(evidence: Evidence, target: Target) -> str | None:
    if evidence is not Evidence.LOWERED:
        return f"TileLang kernels for ascend are lowered to the vendor's source only, so they are not {evidence}"
    if _ASCEND.fullmatch(target.arch):
        return None
    return (
        f"tilelang {package_version('tilelang')} writes Ascend source for the 950 generation (dav-3510) and no other: "
        f"{target.name} is {target.arch}, whose buffers and vector instructions differ"
    )


def _no_compiler(target: Target) -> str | None:
    return nvidia.no_nvcc(target.arch) if target.platform == "cuda" else None


@contextlib.contextmanager
def session(evidence: Evidence, target: Target, scratch: Path) -> Iterator[Session]:
    """Prepare this process to import and call a TileLang candidate, whose kernels name no target.

    ``executed``: tensors on ``cuda`` or ``cpu``. ``compiled``, ``lowered``: tensors on ``meta``, each kernel is
    lowered and kept under ``scratch``, for NVIDIA as PTX. Raises `CompileFailure` from what does not compile.
    """
    values = {
        "TILELANG_CACHE_DIR": str(cache_dir("tilelang")),
        "TILELANG_DISABLE_CACHE": "0" if evidence is Evidence.EXECUTED else "1",
        "TILELANG_PRINT_ON_COMPILATION": "0",
    }
    with inside(scratch, **values), contextlib.ExitStack() as stack:
        from akgflow.toolchains.tilelang.session import TileLangSession, bound

        if evidence is Evidence.EXECUTED:
            executed = TileLangSession("cpu" if target.platform == "cpu" else "cuda")
            stack.enter_context(bound(executed, target, keep=None))
            yield executed
            return
        from akgflow.toolchains.common.redirect import redirected

        kept = TileLangSession("meta")
        stack.enter_context(bound(kept, target, Keeper(target, scratch)))
        stack.enter_context(redirected(target, "meta"))
        yield kept


def sees_kernels(evidence: Evidence, target: Target, scratch: Path, files: Collection[str]) -> bool | None:
    """True when a kernel is in ``scratch``, or, on a CPU, among the ``files`` whose code is mapped; else None."""
    if evidence is not Evidence.EXECUTED:
        return bool(artifacts_in(scratch))
    return bool(not_installed(files, str(scratch))) if target.platform == "cpu" else None


def resources(target: Target, scratch: Path) -> Sequence[KernelResources]:
    """What each kernel in ``scratch`` takes; of lowered ones only the shared memory is known, and only on AMD.

    Raises `CompileFailure` where PTX does not assemble for the target, where a source is none, or where a kernel
    needs more shared memory than the target has.
    """
    return resources_in(target, scratch)


source_module = source_is_module
