"""What TileLang lowered: keeping it (candidate's process), and reading it with the vendor's tools (trusted)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.diagnostics import first_errors
from akgflow.toolchains.common.installed import package_dir
from akgflow.toolchains.common.workdir import NOTE, artifacts_dir, artifacts_in, cache_dir, digest, note_in
from akgflow.verdict import KernelResources

if TYPE_CHECKING:
    from akgflow.toolchains.tilelang.session import Lowered

_NVCC_FLAGS = ("-std=c++20", "-w", "-Xcudafe", "--diag_suppress=177")
"""As TileLang itself calls nvcc; its templates need C++20."""
_ENTRY = re.compile(r"__global__\b[^;{}]*?\bvoid\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\s*\(")
"""A kernel in HIP or Ascend source."""


class Keeper:
    """Writes each lowered kernel to ``scratch``, once, and for NVIDIA its PTX."""

    def __init__(self, target: Target, scratch: Path) -> None:
        self._target, self._root = target, artifacts_dir(scratch)
        self._seen: set[str] = set()

    def __call__(self, kernel: Lowered) -> None:
        key = digest(kernel.source, *kernel.flags)
        if key in self._seen:
            return
        folder = self._root / f"{len(self._seen):03d}-{kernel.name[:80]}"
        self._seen.add(key)
        folder.mkdir()
        # Shared memory that is asked for at the launch, by function: no binary names it.
        (folder / NOTE).write_text(json.dumps(kernel.shared), encoding="utf-8")
        (folder / "kernel.txt").write_text(kernel.source, encoding="utf-8")
        if self._target.platform == "cuda":
            ptx = _ptx(kernel, architecture.with_own_features(self._target))
            (folder / "kernel.ptx").write_bytes(ptx.read_bytes())


def _ptx(kernel: Lowered, arch: str) -> Path:
    """The PTX of a CUDA source from the build cache; nvcc takes seconds over TileLang's templates."""
    compiler, home = nvidia.nvcc(), package_dir("tilelang")
    assert compiler is not None and home is not None, "missing() answers for both"
    options = [*_NVCC_FLAGS, *kernel.flags, f"-arch={arch}"]
    path = cache_dir("tilelang-ptx") / f"{digest(kernel.source, *options)}.ptx"
    if path.exists():
        return path
    unfinished = path.with_suffix(".tmp")
    folders = (f"-I{home / 'src'}", f"-I{home / '3rdparty' / 'cutlass' / 'include'}")
    command = [str(compiler), *options, *folders, "-ptx", "-x", "cu", "-", "-o", str(unfinished)]
    done = subprocess.run(command, input=kernel.source, capture_output=True, text=True)
    if done.returncode != 0:
        words = first_errors(done.stderr + done.stdout) or f"nvcc failed with {done.returncode}"
        raise CompileFailure(f"kernel {kernel.name}: {words}")
    return unfinished.replace(path)


def resources_in(target: Target, scratch: Path) -> list[KernelResources]:
    """One entry for each kernel function; see ``tilelang.resources``."""
    found: list[KernelResources] = []
    for folder in artifacts_in(scratch):
        found += _assembled(folder, target) if target.platform == "cuda" else _written(folder, target)
    for kernel in found:
        architecture.check_shared(target, kernel)
    return found


def _assembled(folder: Path, target: Target) -> list[KernelResources]:
    compiler, ptx = nvidia.nvcc(), folder / "kernel.ptx"
    if compiler is None or not ptx.exists():
        raise CompileFailure(f"kernel {folder.name[4:]}: no PTX was produced for {target.arch}")
    arch = architecture.with_own_features(target)
    try:
        usages = nvidia.assemble(nvidia.ptxas_beside(compiler), ptx, arch)
    except subprocess.CalledProcessError as error:
        raise CompileFailure(f"the PTX does not assemble for {arch}: {str(error.stderr)[:2000]}") from None
    if not usages:
        raise CompileFailure(f"kernel {folder.name[4:]}: its PTX has no kernel")
    dynamic = note_in(folder)
    return [
        KernelResources(
            kernel=usage.kernel,
            arch=usage.arch,
            registers=usage.registers,
            shared_bytes=usage.shared + dynamic.get(usage.kernel, 0),
            spill_bytes=usage.spill,
            extra={"stack_bytes": usage.stack, "dynamic_shared_bytes": dynamic.get(usage.kernel, 0)},
            tensor_cores=usage.tensor_cores,
        )
        for usage in usages
    ]


def _written(folder: Path, target: Target) -> list[KernelResources]:
    """The kernels that a source defines; nothing compiles it here."""
    path = folder / "kernel.txt"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    names = list(dict.fromkeys(_ENTRY.findall(text)))
    if not names:
        raise CompileFailure(f"kernel {folder.name[4:]}: no source was produced for {target.arch}")
    dynamic = note_in(folder)
    on_amd = target.platform == "hip"
    return [KernelResources(name, target.arch, shared_bytes=dynamic.get(name, 0) if on_amd else None) for name in names]
