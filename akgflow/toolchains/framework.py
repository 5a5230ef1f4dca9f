"""The framework itself in place of a DSL: for the canaries of the self-test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from akgflow.config.types import Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains.base import Session, source_is_module
from akgflow.toolchains.common.installed import no_device
from akgflow.verdict import KernelResources


def missing(evidence: Evidence, target: Target, machine: Machine) -> str | None:
    """Why ``evidence`` cannot be had for ``target`` here; None when it can."""
    if evidence is not Evidence.EXECUTED:
        return f"the framework's operators are executed, not {evidence}"
    return None if target.platform == "cpu" else no_device(target, machine)


class _Session:
    """The framework has no kernels of a DSL."""

    def __init__(self, device: str) -> None:
        self.device = device

    def kernels(self) -> Sequence[str]:
        return ()


@contextlib.contextmanager
def session(evidence: Evidence, target: Target, scratch: Path) -> Iterator[Session]:  # noqa: ARG001
    """Nothing is to be prepared."""
    yield _Session("cpu" if target.platform == "cpu" else "cuda")


def resources(target: Target, scratch: Path) -> Sequence[KernelResources]:  # noqa: ARG001
    """Nothing is compiled."""
    return ()


source_module = source_is_module
