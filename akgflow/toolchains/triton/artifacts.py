"""Reading what Triton compiled, with the vendor's tools; nothing here imports triton or trusts a candidate."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common import architecture, matrix_units, nvidia
from akgflow.toolchains.common.workdir import artifacts_in, note_in
from akgflow.verdict import KernelResources

_AMD_COUNTS = ("sgpr_count", "agpr_count", "sgpr_spill_count", "vgpr_spill_count", "private_segment_fixed_size")


def resources_in(target: Target, scratch: Path) -> list[KernelResources]:
    """One entry for each specialisation; see ``triton.resources``."""
    arch = architecture.parse(target)
    if arch is None:
        return [_lowered(folder, target) for folder in artifacts_in(scratch)]
    read = _nvidia_kernel if arch.platform == "cuda" else _amd_kernel
    # Disassembling takes a third of a second, however small the kernel.
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda folder: read(folder, arch), artifacts_in(scratch)))
    for kernel in found:
        architecture.check_shared(target, kernel)
    return found


def _shared(about: dict[str, int], static: int) -> int:
    """Triton asks for shared memory at launch: only its metadata gives the amount."""
    return max(about.get("shared", 0), static)


def _extra(about: dict[str, int]) -> dict[str, int]:
    return {key: about[key] for key in ("num_warps", "num_stages") if key in about}


def _wrong_arch(folder: Path, found: str, arch: architecture.Arch) -> CompileFailure:
    return CompileFailure(f"kernel {folder.name[4:]} was compiled for {found}, not for {arch.text}")


def _nvidia_kernel(folder: Path, arch: architecture.Arch) -> KernelResources:
    cubin = folder / "kernel.cubin"
    number = nvidia.arch_of_cubin(cubin) if cubin.exists() else None
    usages = nvidia.usage_of_cubin(cubin) if number is not None else []
    if not usages:
        raise CompileFailure(f"kernel {folder.name[4:]}: no cubin was produced for {arch.text}")
    if number != arch.number:
        raise _wrong_arch(folder, f"sm_{number}", arch)
    usage = usages[0]
    about = note_in(folder)
    return KernelResources(
        kernel=usage.kernel,
        arch=arch.text,
        registers=usage.registers,
        shared_bytes=_shared(about, usage.shared),
        spill_bytes=_spilled(folder, usage, arch),
        extra={**_extra(about), "stack_bytes": usage.stack},
        tensor_cores=usage.tensor_cores,
    )


def _spilled(folder: Path, usage: nvidia.Usage, arch: architecture.Arch) -> int | None:
    """Spilled bytes a thread. They are in the stack frame: where there is none, nothing was spilled."""
    if usage.stack == 0:
        return usage.spill
    ptxas = nvidia.bundled("ptxas" if arch.number < 90 else "ptxas-blackwell") or nvidia.bundled("ptxas")
    ptx = folder / "kernel.ptx"
    if ptxas is None or not ptx.exists():
        return None
    wanted = re.search(r"\.target\s+(sm_\w+)", ptx.read_text(encoding="utf-8", errors="replace"))
    try:
        report = nvidia.assemble(ptxas, ptx, wanted[1] if wanted else arch.text)
    except subprocess.CalledProcessError:
        return None
    return report[0].spill if report else None


def _amd_kernel(folder: Path, arch: architecture.Arch) -> KernelResources:
    path = folder / "kernel.amdgcn"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    binary = folder / "kernel.hsaco"
    if not text or not binary.exists() or binary.read_bytes()[:4] != b"\x7fELF":
        raise CompileFailure(f"kernel {folder.name[4:]}: no hsaco was produced for {arch.text}")
    built_for = re.search(r"\.amdgcn_target\s+\"[^\"]*?(gfx[0-9a-f]+)", text)
    if built_for is None or built_for[1] != arch.text.split("-")[0]:
        raise _wrong_arch(folder, built_for[1] if built_for else "no known architecture", arch)
    numbers = {key: int(value) for key, value in re.findall(r"^\s*(?:- )?\.(\w+):\s+(\d+)\s*$", text, re.MULTILINE)}
    name = re.search(r"^\s*\.name:\s+(\S+)\s*\n(?:.*\n)*?\s*\.private_segment", text, re.MULTILINE)
    about = note_in(folder)
    # A spilled vector register holds 4 bytes for each lane, which is each thread.
    spilled = numbers.get("vgpr_spill_count")
    return KernelResources(
        kernel=name[1] if name else folder.name[4:],
        arch=arch.text,
        registers=numbers.get("vgpr_count"),
        shared_bytes=_shared(about, numbers.get("group_segment_fixed_size", 0)),
        spill_bytes=None if spilled is None else 4 * spilled,
        extra={**_extra(about), **{key: numbers[key] for key in _AMD_COUNTS if key in numbers}},
        tensor_cores=matrix_units.of_amdgcn(text),
    )


def _lowered(folder: Path, target: Target) -> KernelResources:
    """A kernel of triton-ascend's: what it takes is for the vendor's compiler to say, which is not here."""
    path = folder / "kernel.linalg"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    name = re.search(r"^\s*func\.func @(\w+)\(", text, re.MULTILINE)
    if name is None:
        raise CompileFailure(f"kernel {folder.name[4:]}: nothing was lowered for {target.arch}")
    return KernelResources(kernel=name[1], arch=target.arch)
