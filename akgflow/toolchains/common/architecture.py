"""Architecture names as vendors write them: ``sm_90a``, ``gfx942``. No table of chips: what is written is parsed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

from akgflow.base.platforms import PLATFORMS
from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure
from akgflow.verdict import KernelResources

_NVIDIA = re.compile(PLATFORMS["cuda"].arch)
_AMD = re.compile(PLATFORMS["hip"].arch)
_ANY_GPU = "sm_90"
"""What kernels are compiled for where the target is no GPU: new enough for descriptors and numbers of eight bits."""


class Arch(NamedTuple):
    """``platform`` is ``cuda`` or ``hip``; ``number`` is 90 for ``sm_90a`` and 0 for AMD; ``warp`` in threads."""

    platform: str
    text: str
    number: int
    warp: int

    @property
    def capability(self) -> tuple[int, int]:
        """What ``torch.cuda.get_device_capability`` answers there."""
        if self.platform == "cuda":
            return self.number // 10, self.number % 10
        digits = self.text[3:].split("-")[0]
        return int(digits[:-2]), int(digits[-2], 16)


def parse(target: Target) -> Arch | None:
    """The target's architecture; None where its platform has no GPU architecture or the name has another form."""
    if target.platform == "cuda" and (found := _NVIDIA.fullmatch(target.arch)):
        return Arch("cuda", target.arch, int(found[1]), 32)
    if target.platform == "hip" and (found := _AMD.fullmatch(target.arch)):
        # GCN and CDNA (gfx9 and before) run 64 lanes a wave; RDNA (gfx10 and later) runs 32.
        major = int(found[1][:-2], 10)
        return Arch("hip", target.arch, 0, 64 if major < 10 else 32)
    return None


def with_own_features(target: Target) -> str:
    """The target's architecture with what only that chip has, from Hopper on: ``sm_90a`` for ``sm_90``.

    TileLang asks for it wherever a device is (``get_target_arch`` of its nvcc.py): what it makes of plain kernels for
    Hopper, warps that only copy, does not compile for ``sm_90``.
    """
    found = parse(target)
    specific = found is not None and found.number >= 90 and target.arch[-1].isdigit()
    return f"{target.arch}a" if specific else target.arch


def acting_as(target: Target) -> Target:
    """The GPU that kernels of a GPU's language are told they run on: the target, or a small one for any other."""
    if parse(target) is not None:
        return target
    return replace(target, title=f"the interpreter for {target.name}", platform="cuda", arch=_ANY_GPU)


def expected_form(target: Target) -> str:
    """One sentence for an architecture that `parse` does not read."""
    if target.platform not in ("cuda", "hip"):
        return f"platform {target.platform!r} has no GPU architecture that this toolchain compiles for"
    return f"target {target.name!r} has arch {target.arch!r}: write it as {PLATFORMS[target.platform].arch_form}"


def shared_limit(target: Target) -> int | None:
    """Bytes of shared memory that one block may use there, from the facts; None where they do not say."""
    value: Any = target.facts.get("smem_kib")
    return int(value * 1024) if isinstance(value, int | float) else None


def multiprocessors(target: Target) -> int:
    """How many multiprocessors (compute units) the facts give; a few where they are silent."""
    return int(target.facts.get("sms", target.facts.get("cus", 4)))


def cited(target: Target, fact: str) -> str:
    """``smem_kib 99 of nvidia_rtx4090 (hardware.yaml, after …)``: a fact with the document that supports it."""
    value = target.facts.get(fact)
    source = next((rest for names, _, rest in map(_source, target.sources) if fact in names), "")
    after = f", after {source}" if source else ""
    return f"{fact} {value} of {target.name} (hardware.yaml{after})"


def _source(text: str) -> tuple[tuple[str, ...], str, str]:
    names, colon, rest = text.partition(":")
    return tuple(name.strip() for name in re.split(r"[,(]", names)), colon, rest.strip()


def check_shared(target: Target, kernel: KernelResources) -> None:
    """Raise `CompileFailure`, which names the fact and its source, where a kernel needs more than one block has."""
    limit = shared_limit(target)
    if limit is not None and (kernel.shared_bytes or 0) > limit:
        raise CompileFailure(
            f"kernel {kernel.kernel} needs {kernel.shared_bytes} bytes of shared memory, {target.name} has {limit} for "
            f"a block: use smaller tiles or fewer stages ({cited(target, 'smem_kib')})"
        )
