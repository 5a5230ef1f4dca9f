"""NVIDIA's tools: where they are, and what they say about a compiled kernel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from akgflow.toolchains.common import matrix_units
from akgflow.toolchains.common.installed import package_dir

NO_NVCC = (
    "nvcc was not found on PATH, in CUDA_HOME or in this environment: install the CUDA toolkit, or "
    "pip install nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-cuda-crt nvidia-nvvm"
)
MOST_STATIC_SHARED = 48 * 1024
"""Bytes that one block may declare on any NVIDIA device; more must be asked for at launch."""

USAGE, CODE = "-res-usage", "-sass"
"""What cuobjdump is asked for."""
RESERVED_SHARED = 1024
"""Bytes of a block's shared memory that the system takes from Hopper on: binaries count them, ptxas does not."""


class Usage(NamedTuple):
    """What one kernel takes: registers a thread, static shared bytes a block, stack and spilled bytes a thread.

    A binary does not say how much of the stack is spills: ``spill`` is None where there is a stack and no report.
    ``tensor_cores``: which of their instructions it has; None where nobody looked.
    """

    kernel: str
    arch: str
    registers: int
    shared: int
    stack: int
    spill: int | None
    tensor_cores: tuple[str, ...] | None = None


def bundled(name: str) -> Path | None:
    """A tool that comes with triton (``ptxas``, ``ptxas-blackwell``, ``cuobjdump``)."""
    folder = package_dir("triton")
    path = folder / "backends" / "nvidia" / "bin" / name if folder else None
    return path if path and path.exists() else None


@cache
def nvcc() -> Path | None:
    """nvcc from PATH, CUDA_HOME, /usr/local/cuda or the pip package nvidia-cuda-nvcc."""
    found = shutil.which("nvcc")
    if found:
        return Path(found)
    homes = [Path(os.environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    for home in (*homes, Path("/usr/local/cuda")):
        if (home / "bin" / "nvcc").exists():
            return home / "bin" / "nvcc"
    wheels = package_dir("nvidia")
    return next(iter(sorted(wheels.glob("*/bin/nvcc"))), None) if wheels else None


def no_nvcc(arch: str) -> str | None:
    """Why nvcc cannot build for ``arch`` here, and how to get one that does; None when it can."""
    compiler = nvcc()
    if compiler is None:
        return NO_NVCC
    if shutil.which("gcc") is None and not os.environ.get("NVCC_CCBIN"):
        return "nvcc has no host compiler: install gcc (Debian: apt-get install g++), or name one in NVCC_CCBIN"
    return not_among(arch, _said_by(compiler, "--list-gpu-code").split(), str(compiler), "CUDA toolkit")


def not_among(arch: str, listed: Collection[str], who: str, release: str) -> str | None:
    """Why the compiler ``who``, which lists the architectures that it knows, does not build for ``arch``, or None.

    ``release`` is what to install in another version: a compiler drops old architectures and lacks later ones.
    """
    known = sorted((name for name in listed if _number(name)), key=_number)
    # Older ones list no suffixed names, but take them.
    if not known or {arch, arch.rstrip("af")} & set(known):
        return None
    said = f"{who} knows no {arch}; it knows {', '.join(known)}"
    if _number(arch) < _number(known[0]):
        return f"{said}: install an older {release}, from before {arch} was dropped"
    if _number(arch) > _number(known[-1]):
        return f"{said}: install a newer {release}, if there is such an architecture"
    return f"{said}: check the name, or install another {release}"


def _number(arch: str) -> int:
    """90 for ``sm_90a``; 0 for what is no name of an architecture."""
    found = re.fullmatch(r"sm_(\d+)[af]?", arch)
    return int(found[1]) if found else 0


def ptxas_beside(compiler: Path) -> Path:
    """The ptxas of the same CUDA toolkit as ``compiler``, so that it reads the PTX that one writes."""
    text = subprocess.run(
        [str(compiler), "--dryrun", "-cubin", "-x", "cu", "/dev/null"], capture_output=True, text=True
    )
    found = re.search(r"_HERE_=(\S+)", text.stderr)
    beside = Path(found[1] if found else compiler.resolve().parent) / "ptxas"
    return beside if beside.exists() else Path("ptxas")


def known_archs(ptxas: Path) -> frozenset[str]:
    """Architectures that this ptxas compiles for, as its help lists them."""
    return frozenset(re.findall(r"'(sm_\d+[af]?)'", _said_by(ptxas, "--help")))


def _said_by(tool: Path, option: str) -> str:
    """What a tool prints for an option that compiles nothing: a plan asks it for each of its cells."""
    try:
        changed = tool.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _said_once(str(tool), option, changed)


@cache
def _said_once(tool: str, option: str, changed: int) -> str:  # noqa: ARG001
    return subprocess.run([tool, option], capture_output=True, text=True).stdout


def arch_of_cubin(cubin: Path) -> int | None:
    """The SM number that an ELF cubin was built for, from its header; None when it is no cubin."""
    head = cubin.read_bytes()[:64]
    if len(head) < 64 or head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") != 190:
        return None
    flags = int.from_bytes(head[48:52], "little")
    # From ABI version 8 on (CUDA 13) the SM number is the second byte of the flags.
    return flags >> 8 & 0xFF if head[8] >= 8 else flags & 0xFF


def usage_of_cubin(cubin: Path) -> list[Usage]:
    """What each kernel in a cubin takes, and its instructions, from ``cuobjdump``."""
    return _usages(_dumped(cubin, USAGE), _dumped(cubin, CODE), f"sm_{arch_of_cubin(cubin)}")


def usage_of_library(library: Path) -> list[Usage]:
    """The same of each kernel in a library, for every architecture that it was built for; nothing for other files."""
    (_, *parts), (_, *codes) = (_dumped(library, option).split("Fatbin elf code:") for option in (USAGE, CODE))
    return [
        usage
        for part, code in zip_longest(parts, codes[: len(parts)], fillvalue="")
        for usage in _usages(part, code, part.partition("arch = ")[2].partition("\n")[0].strip())
    ]


def _dumped(binary: Path, option: str) -> str:
    """What cuobjdump says; nothing where it is not here."""
    command = [str(bundled("cuobjdump") or "cuobjdump"), option, str(binary)]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
    except OSError:
        return ""


def _usages(text: str, code: str, arch: str) -> list[Usage]:
    found = re.findall(r"Function (\S+):\s*\n\s*REG:(\d+) STACK:(\d+) SHARED:(\d+)", text)
    reserved, known = RESERVED_SHARED if _number(arch) >= 90 else 0, matrix_units.in_sass(code)
    return [
        Usage(k, arch, int(reg), max(int(shared) - reserved, 0), int(stack), None if int(stack) else 0, known.get(k))
        for k, reg, stack, shared in found
    ]


def assemble(ptxas: Path, ptx: Path, arch: str) -> list[Usage]:
    """Assemble PTX, and read ptxas' report and the instructions.

    Raises ``CalledProcessError`` with its words in ``stderr``.
    """
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder) / "kernels.cubin"
        command = [str(ptxas), "-v", f"--gpu-name={arch}", str(ptx), "-o", str(cubin)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        known = matrix_units.in_sass(_dumped(cubin, CODE))
    found = usage_of_report(done.stderr + done.stdout, arch)
    return [usage._replace(tensor_cores=known.get(usage.kernel)) for usage in found]


def kernels_of_ptx(text: str) -> list[str]:
    """The symbols of the kernels that a PTX text defines, in its order."""
    return re.findall(r"^\s*(?:\.visible\s+)?\.entry\s+([\w$]+)", text, re.MULTILINE)


_COMPILING = re.compile(r"Compiling entry function '([^']+)' for '(\w+)'")
_SPILL = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


def usage_of_report(report: str, arch: str) -> list[Usage]:
    """What ``ptxas -v`` says about each entry function."""
    found: list[Usage] = []
    for block in re.split(r"(?=ptxas info\s*: Compiling entry function)", report):
        name, spill, used, shared = (p.search(block) for p in (_COMPILING, _SPILL, _USED, _SHARED))
        if name and used:
            stack, stores, loads = (int(v) for v in spill.groups()) if spill else (0, 0, 0)
            smem = int(shared[1]) if shared else 0
            found.append(Usage(name[1], name[2] or arch, int(used[1]), smem, stack, max(stores, loads)))
    return found


def plain_name(symbol: str) -> str:
    """``gemm`` for ``_Z4gemmPKfi`` or ``_ZN2ns4gemmEv``: the last identifier of a mangled name, else the symbol."""
    if not symbol.startswith("_Z"):
        return symbol
    rest = symbol[3:] if symbol.startswith("_ZN") else symbol[2:]
    name = symbol
    while found := re.match(r"(\d+)", rest):
        start, length = found.end(), int(found[1])
        name, rest = rest[start : start + length], rest[start + length :]
    return name
