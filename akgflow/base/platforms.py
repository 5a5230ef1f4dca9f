"""The platforms that targets name, and what differs between them outside the toolchains: one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """One kind of machine that kernels are written for.

    ``on_host`` says that candidates run on the processor itself, with no device to choose. ``visible`` is the variable
    that tells the vendor's runtime which devices there are, by their numbers; ``also`` are those that narrow its choice
    down further. ``arch`` is a pattern for the vendor's names of architectures, and ``arch_form`` says it in words;
    empty, any name will do.
    """

    name: str
    on_host: bool = False
    visible: str = ""
    also: tuple[str, ...] = ()
    arch: str = ""
    arch_form: str = ""


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform("cpu", on_host=True),
        Platform(
            "cuda",
            visible="CUDA_VISIBLE_DEVICES",
            arch=r"sm_(\d{2,3})([af]?)",
            arch_form="sm_NN, sm_NNa or sm_NNf",
        ),
        # What ROCR hides, HIP does not count: with both set, HIP's numbers are places in ROCR's list.
        Platform(
            "hip",
            visible="ROCR_VISIBLE_DEVICES",
            also=("HIP_VISIBLE_DEVICES",),
            arch=r"gfx([0-9a-f]{3,5})(-[a-z0-9-]+)?",
            arch_form="gfxNNN",
        ),
        Platform("ascend", visible="ASCEND_RT_VISIBLE_DEVICES"),
    )
}
"""By the name that ``hardware.yaml`` and DSL packs use."""
