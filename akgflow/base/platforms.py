"""The platforms that targets name, and what differs between them outside the toolchains: one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Platform:
    """One kind of machine that kernels are written for."""

    name: str
    on_host: bool = False
    """Whether candidates run on the processor itself, with no device to choose."""
    visible: str = ""
    """The variable that tells the vendor's runtime which devices there are, by their numbers."""
    also: tuple[str, ...] = ()
    """Variables that narrow its choice down further."""
    arch: str = ".*"
    """A pattern for the vendor's names of architectures."""
    arch_form: str = ""
    """The same in words."""
    any_arch: str = ""
    """A name that stands for whichever architecture is here."""
    known: frozenset[str] = frozenset()
    """All architectures of the vendor's generations so far, by name; empty where ``arch`` alone decides."""
    later: str = "(?!)"
    """A pattern for names of generations to come: which of them there are is for the vendor's compiler to say."""
    words: tuple[str, ...] = ()
    """Other words that people use for it."""
    tf32_convolutions: bool = False
    """Whether PyTorch as it ships rounds operands of float32 convolutions to TF32 there."""
    matrix_units: Mapping[str, str] = field(default_factory=dict)
    """Families of instructions of its matrix units, each with a pattern for the architectures that have it."""

    def has(self, arch: str) -> bool:
        """True when the vendor has, or may come to have, an architecture of that name."""
        if not re.fullmatch(self.arch, arch):
            return False
        return not self.known or arch in self.known or re.fullmatch(self.later, arch) is not None

    def lacks(self, instruction: str, arch: str) -> str:
        """Why kernels for ``arch`` cannot use a family of instructions of matrix units; empty where they can."""
        archs = self.matrix_units.get(instruction)
        return "" if archs is not None and re.fullmatch(archs, arch) else f"{arch} ({self.name}) has no {instruction}"


def _nvidia() -> frozenset[str]:
    """Compute capabilities 2.0 to 12.1 (GPU feature lists of nvcc's manual, ptxas --help); ``a`` and ``f`` where it has
    them."""
    plain = "20 21 30 32 35 37 50 52 53 60 61 62 70 72 75 80 86 87 88 89 90 100 101 103 107 110 120 121"
    found = {f"sm_{number}" for number in plain.split()}
    newer = ("100", "101", "103", "107", "110", "120", "121")
    return frozenset(found | {"sm_90a"} | {f"sm_{number}{suffix}" for number in newer for suffix in "af"})


def _amd() -> frozenset[str]:
    """The processors of LLVM's AMDGPU user guide (https://llvm.org/docs/AMDGPUUsage.html, Processors)."""
    numbers = (
        "600 601 602 700 701 702 703 704 705 801 802 803 805 810 900 902 904 906 908 909 90a 90c 940 941 942 950 "
        "1010 1011 1012 1013 1030 1031 1032 1033 1034 1035 1036 1100 1101 1102 1103 1150 1151 1152 1153 1170 1171 1172 "
        "1200 1201 1250 1251"
    )
    return frozenset(f"gfx{number}" for number in numbers.split())


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform(
            "cpu",
            on_host=True,
            any_arch="native",
            arch_form="native, x86_64 or aarch64, as 'uname -m' has it; 'device' names a processor",
            known=frozenset(["native", "x86_64", "aarch64", "armv7l", "riscv64", "ppc64le", "s390x", "loongarch64"]),
            words=("host", "x86", "x86_64", "arm", "arm64", "aarch64", "intel_cpu", "amd_cpu", "processor"),
        ),
        Platform(
            "cuda",
            visible="CUDA_VISIBLE_DEVICES",
            arch=r"sm_(\d{2,3})([af]?)",
            arch_form="sm_NN, sm_NNa or sm_NNf",
            known=_nvidia(),
            later=r"sm_1[3-9]\d[af]?",
            words=("nvidia", "nv", "ptx"),
            tf32_convolutions=True,
            matrix_units={"mma": r"sm_(?!6|5)\d+[af]?", "wgmma": "sm_90a", "tcgen05": r"sm_1[01]\d[af]"},
        ),
        # What ROCR hides, HIP does not count: with both set, HIP's numbers are places in ROCR's list.
        Platform(
            "hip",
            visible="ROCR_VISIBLE_DEVICES",
            also=("HIP_VISIBLE_DEVICES",),
            arch=r"gfx([0-9a-f]{3,5})(-[a-z0-9-]+)?",
            arch_form="gfxNNN",
            known=_amd(),
            later=r"gfx1[3-5][0-9a-f]{2}",
            words=("rocm", "amd", "amdgpu", "radeon", "instinct"),
            matrix_units={"mfma": r"gfx9(08|0a|4\d|50)"},
        ),
        Platform(
            "ascend",
            visible="ASCEND_RT_VISIBLE_DEVICES",
            arch=r"ascend(310|610|910|950)[a-z0-9_]*",
            arch_form="ascend910b4, or another of the 310, 610, 910 and 950 generations",
            words=("npu", "huawei", "cann"),
        ),
    )
}
"""By the name that ``hardware.yaml`` and DSL packs use."""

_OTHERS = {
    "xpu": "Intel's GPUs",
    "intel": "Intel's GPUs",
    "sycl": "Intel's GPUs",
    "oneapi": "Intel's GPUs",
    "mps": "Apple's GPUs",
    "metal": "Apple's GPUs",
    "apple": "Apple's GPUs",
    "tpu": "Google's TPUs",
    "vulkan": "Vulkan devices",
    "opencl": "OpenCL devices",
    "mlu": "Cambricon's accelerators",
    "musa": "Moore Threads' GPUs",
    "hpu": "Intel's Gaudi accelerators",
}
"""Words for machines that no platform stands for."""


def meant_platform(word: str) -> str | None:
    """The platform that somebody means by another word (``rocm``, ``nvidia``); None where there is none."""
    word = word.lower()
    return next((name for name, one in PLATFORMS.items() if word == name or word in one.words), None)


def not_supported(word: str) -> str:
    """Why nothing can be judged on what ``word`` (``xpu``, ``mps``) stands for; empty for all other words."""
    if word.lower() == "gpu":
        return "say whose: platform cuda for NVIDIA's, hip for AMD's"
    about = _OTHERS.get(word.lower())
    platforms = ", ".join(PLATFORMS)
    return f"akgflow has no platform for {about}: its platforms are {platforms}" if about else ""
