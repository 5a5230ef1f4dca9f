"""Finding a toolchain by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import cast

from akgflow.config.types import DslPack, Target
from akgflow.errors import PrerequisiteError
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains.base import Toolchain

GROUP = "akgflow.toolchains"
FRAMEWORK = "framework"
"""What judges are tried with; no DSL has it."""


@cache
def get(name: str) -> Toolchain:
    """The toolchain module registered as ``name``; raises `PrerequisiteError` when there is none."""
    if name == FRAMEWORK:
        from akgflow.toolchains import framework

        return cast(Toolchain, framework)
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none (is akgflow installed?)"
        raise PrerequisiteError(f"no toolchain {name!r} is installed; known: {known}")
    return cast(Toolchain, found[name].load())


def missing_on(machine: Machine) -> Callable[[DslPack, Evidence, Target], str | None]:
    """What planning asks of the toolchains: why an evidence is out of reach on ``machine``, or None."""
    return lambda pack, evidence, target: get(pack.toolchain).missing(evidence, target, machine)
