"""The protocol that a toolchain module answers.

A toolchain is a *module*: its functions are the members of `Toolchain`. Importing it is light; torch, triton and
compilers load inside the functions. ``missing``, ``source_module`` and ``resources`` run in trusted processes;
``session`` runs in the candidate's process, before the candidate is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from akgflow.config.types import SourceKernel, Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.verdict import KernelResources


class CompileFailure(Exception):
    """The candidate does not compile; the text is the compiler's own words, cut to what matters."""


class Unsupported(CompileFailure):
    """This evidence cannot be had for this candidate, right or wrong as it may be; the text says why."""


class KernelFault(RuntimeError):
    """An interpreted kernel's own fault, in its own lines; the text names kernel, line and what it did."""


def source_is_module(source: SourceKernel) -> str:
    """The ``source_module`` of a DSL whose source kernels are modules with ``ModelNew`` already."""
    return source.source


@dataclass(frozen=True)
class Shipping:
    """What a package of one candidate needs on a machine without akgflow."""

    loader: str
    """How the candidate is imported: ``plain``, ``load_inline`` (with the flags below) or ``triton_interpreter``."""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Requirements of pip, by the top-level name that a candidate imports."""
    besides: tuple[str, ...] = ()
    """Requirements that no import names, such as a build tool."""
    compile_flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()


class Session(Protocol):
    """What the candidate process needs to know once a toolchain has prepared it."""

    device: str
    """Where inputs and parameters live: ``cpu``, ``cuda`` or ``meta``.

    A session may also have ``trusted``: code objects of its own functions that compare or copy whole tensors with the
    framework's operators, which candidates may not do. And it may have ``silence() -> bool``: from then on no kernel of
    the DSL does anything in this process, though all calls of kernels come back; false where that failed. It is asked
    only where the toolchain's ``silences`` says that it can.
    """

    def kernels(self) -> Sequence[str]:
        """Names of the kernels that were launched or built so far; empty when the DSL did nothing."""
        ...


class Toolchain(Protocol):
    """One DSL's way to compile and to run."""

    def missing(self, evidence: Evidence, target: Target, machine: Machine) -> str | None:
        """Why ``evidence`` cannot be had for ``target`` on ``machine``, and how to get it; None when it can."""
        ...

    def session(self, evidence: Evidence, target: Target, scratch: Path) -> AbstractContextManager[Session]:
        """Prepare this process to import and call a candidate; compiled artefacts go to ``scratch``."""
        ...

    def resources(self, target: Target, scratch: Path) -> Sequence[KernelResources]:
        """Read what the artefacts in ``scratch`` take, with the vendor's own tools; trusts no candidate."""
        ...

    def source_module(self, source: SourceKernel) -> str:
        """The candidate module (``ModelNew``) that stands for a task's source kernel; often `source_is_module`."""
        ...

    # A toolchain may also have ``prepared() -> Sequence[str]``, called in a trusted process: folders that it has made
    # once for this machine, which its sessions find in `_workdir.prepared_dirs` and candidates may only read.
    #
    # What a candidate's process says of its kernels is no evidence; these two are asked in the judge.
    #
    # ``silences(evidence, target) -> bool``: a session can silence its kernels. Without it, it cannot.
    #
    # ``sees_kernels(evidence, target, scratch, files) -> bool | None``: a process that has mapped the code in ``files``
    # by itself, and has written ``scratch``, has kernels of the DSL (false again once they are silenced); None where
    # they would not be seen, which is the case without it.
    #
    # ``sanitize(kind, folder) -> Sanitized``: what a sanitizer says about the calls that a session was asked to record
    # in ``folder`` (``session.record(folder)``); run in a process of the sandbox that reads no candidate.
    #
    # ``INTERPRETER_CHECKS``: what its interpreter looks for in every call, by kind, and by what means.
    #
    # ``shipping(evidence, target) -> Shipping | str``: how a candidate that was seen by ``evidence`` runs on a machine
    # without akgflow, or why it does not. Without it, candidates of this DSL cannot be exported.
