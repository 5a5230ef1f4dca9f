"""Finding a toolchain: an installed one by its name, or a file beside its DSL's pack."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import cast

from akgflow.base import resources
from akgflow.config.types import DslPack, Target, ToolchainFile
from akgflow.errors import PrerequisiteError
from akgflow.machine import Machine
from akgflow.sanitized import Sanitized
from akgflow.terms import Evidence
from akgflow.toolchains.base import Shipping, Toolchain

FRAMEWORK = "framework"
"""The toolchain of the self-test; no DSL has it."""


@cache
def get(name: str | ToolchainFile) -> Toolchain:
    """The toolchain module registered as ``name``, or that file's; raises `PrerequisiteError` when there is none."""
    if isinstance(name, ToolchainFile):
        return _loaded(name)
    if name == FRAMEWORK:
        from akgflow.toolchains import framework

        return cast(Toolchain, framework)
    found = resources.toolchains()
    if name not in found:
        known = ", ".join(sorted(found)) or "none (is akgflow installed?)"
        raise PrerequisiteError(f"no toolchain {name!r} is installed; known: {known}")
    return cast(Toolchain, found[name].load())


def _loaded(file: ToolchainFile) -> Toolchain:
    """The module that a toolchain's text makes; no search path finds it, so nothing can take its place."""
    name = f"akgflow_toolchain_{hashlib.sha256(file.source.encode()).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = file.name
    sys.modules[name] = module
    linecache.cache[file.name] = (len(file.source), None, file.source.splitlines(keepends=True), file.name)
    try:
        exec(compile(file.source, file.name, "exec"), vars(module))
    except Exception as error:
        raise PrerequisiteError(f"toolchain {file} cannot be loaded: {type(error).__name__}: {error}") from error
    return cast(Toolchain, module)


def prepared(toolchain: str | ToolchainFile) -> tuple[str, ...]:
    """Folders that a toolchain has made once for this machine: candidates may read them."""
    make = getattr(get(toolchain), "prepared", None)
    return tuple(make()) if make is not None else ()


def missing_on(machine: Machine) -> Callable[[DslPack, Evidence, Target], str | None]:
    """What planning asks of the toolchains: why an evidence is out of reach on ``machine``, or None."""
    return lambda pack, evidence, target: missing(pack.toolchain, evidence, target, machine)


def missing(toolchain: str | ToolchainFile, evidence: Evidence, target: Target, machine: Machine) -> str | None:
    """Why ``evidence`` cannot be had for ``target`` on ``machine``: it is another processor, or the toolchain says."""
    if evidence is Evidence.EXECUTED and target.on_host and not machine.is_a(target):
        wanted = target.arch + (f" named {target.device!r}" if target.device else "")
        return f"this processor is no {target.name} ({wanted}): it is {machine.arch}, {machine.cpu!r}; run there"
    return get(toolchain).missing(evidence, target, machine)


def silences(toolchain: str | ToolchainFile, evidence: Evidence, target: Target) -> bool:
    """True when a toolchain can let all kernels of a candidate's process do nothing."""
    can = getattr(get(toolchain), "silences", None)
    return can is not None and bool(can(evidence, target))


def sees_kernels(
    toolchain: str | ToolchainFile, evidence: Evidence, target: Target, scratch: Path, files: Collection[str]
) -> bool | None:
    """Whether a candidate's process has kernels, by what is seen from outside; None where they are not visible."""
    look = getattr(get(toolchain), "sees_kernels", None)
    return None if look is None else look(evidence, target, scratch, files)


def sanitizer(toolchain: str | ToolchainFile) -> Callable[[str, Path], Sanitized] | None:
    """What looks at recorded calls; None where the toolchain has nothing that does."""
    return getattr(get(toolchain), "sanitize", None)


def interpreter_checks(toolchain: str | ToolchainFile) -> dict[str, str]:
    """What a toolchain's interpreter looks for in every call, by kind, and by what means."""
    return dict(getattr(get(toolchain), "INTERPRETER_CHECKS", {}))


def shipping(toolchain: str | ToolchainFile, evidence: Evidence, target: Target) -> Shipping | str:
    """How a candidate runs on a machine without akgflow, or why it does not."""
    say = getattr(get(toolchain), "shipping", None)
    return (
        f"the toolchain {toolchain} does not say how its kernels run without akgflow"
        if say is None
        else say(evidence, target)
    )
