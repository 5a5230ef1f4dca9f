"""Triton: interpreted anywhere, compiled for NVIDIA and AMD without a device, lowered for Ascend, executed on a GPU."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akgflow.config.types import Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains.base import Session, Shipping, source_is_module
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.installed import no_device, package_dir, package_version
from akgflow.toolchains.common.patching import patched
from akgflow.toolchains.common.workdir import artifacts_in, inside
from akgflow.toolchains.triton import ascend
from akgflow.toolchains.triton.artifacts import resources_in
from akgflow.verdict import KernelResources

if TYPE_CHECKING:
    from akgflow.toolchains.triton.interpreter import Interpreter

INTERPRETER_CHECKS = {
    "memory": "interpreted: each address is looked up among the tensors, and what nobody wrote holds poison",
    "race": "interpreted: accesses of programs that nothing orders, and lanes of one store",
}


def missing(evidence: Evidence, target: Target, machine: Machine) -> str | None:
    """Why ``evidence`` cannot be had for ``target`` here, and how to get it; None when it can."""
    for package in ("triton", "torch"):
        if package_dir(package) is None:
            return f"{package} is not installed: pip install {package}"
    if evidence is Evidence.INTERPRETED:
        return None
    if evidence is Evidence.LOWERED and target.platform == "ascend":
        return ascend.missing()
    if evidence not in (Evidence.COMPILED, Evidence.EXECUTED):
        return f"triton kernels for {target.platform} are not {evidence} by akgflow"
    arch = architecture.parse(target)
    if arch is None:
        return architecture.expected_form(target)
    return no_device(target, machine) if evidence is Evidence.EXECUTED else _unknown_to_compiler(arch)


def _unknown_to_compiler(arch: architecture.Arch) -> str | None:
    """Why triton's own assembler cannot build for ``arch``; None when it can, and for AMD, where LLVM decides."""
    if arch.platform != "cuda":
        return None
    installed = f"triton {package_version('triton')}"
    ptxas = nvidia.bundled("ptxas-blackwell") or nvidia.bundled("ptxas")
    if ptxas is None:
        return f"{installed} has no ptxas: pip install --force-reinstall triton"
    return nvidia.not_among(arch.text, nvidia.known_archs(ptxas), f"the ptxas of {installed}", "triton")


@contextlib.contextmanager
def session(evidence: Evidence, target: Target, scratch: Path) -> Iterator[Session]:
    """Prepare this process to import and call a Triton candidate.

    ``interpreted``: tensors on ``cpu``, kernels go through the compiler's front end and run in the interpreter.
    ``compiled``: tensors on ``cpu``, each specialisation that is launched is compiled and kept under ``scratch``.
    ``lowered``: on ``meta``, by triton-ascend, to Linalg. ``executed``: tensors on ``cuda``.
    Raises `CompileFailure` from the launch that does not compile.
    """
    if os.environ.get("TRITON_INTERPRET") == "1" and "triton" in sys.modules:
        raise RuntimeError("triton was imported before the session: start the session in a fresh process")
    values = {
        # Kernels stay the compiler's own objects, also where they are interpreted.
        "TRITON_INTERPRET": "0",
        "TRITON_CACHE_DIR": str(scratch / "triton-cache"),
        "TRITON_DEFAULT_FP_FUSION": os.environ.get("TRITON_DEFAULT_FP_FUSION", "1"),
    }
    with inside(scratch, **values), contextlib.ExitStack() as stack:
        stack.enter_context(_quick_keys())
        yield _prepare(stack, evidence, target, scratch)


@contextlib.contextmanager
def _quick_keys() -> Iterator[None]:
    """Name compiled kernels without reading all of Triton's libraries, which takes seconds: the cache is ours alone."""
    from triton.runtime import cache

    with patched((cache, "triton_key", lambda: package_version("triton"))):
        yield


def _prepare(stack: contextlib.ExitStack, evidence: Evidence, target: Target, scratch: Path) -> Session:
    from akgflow.toolchains.common.redirect import redirected
    from akgflow.toolchains.triton.launching import compiling, interpreting
    from akgflow.toolchains.triton.session import ArtifactKeeper, TritonSession

    if evidence is Evidence.EXECUTED:
        executed = TritonSession("cuda")
        stack.enter_context(compiling(executed, ArtifactKeeper(scratch)))
        return executed
    from triton.runtime.driver import driver

    from akgflow.toolchains.triton.driver import StandInDriver

    if evidence is Evidence.LOWERED:
        lowered = TritonSession("meta")
        driver.set_active(StandInDriver(target))
        stack.enter_context(ascend.lowering(lowered, target, scratch))
        stack.enter_context(redirected(target, "meta"))
        return lowered
    interprets = evidence is Evidence.INTERPRETED
    session = TritonSession("cpu", always=interprets)
    acts_as = architecture.acting_as(target)
    stand_in = StandInDriver(acts_as, session.run)
    driver.set_active(stand_in)
    session.interpreter = stack.enter_context(_interpreter(target, stand_in))
    if interprets:
        stack.enter_context(interpreting(stand_in, whole=target.on_host))
    else:
        stack.enter_context(compiling(session, ArtifactKeeper(scratch)))
    known = stack.enter_context(redirected(target, "cpu", session.host_reads, graphs=not interprets))
    session.interpreter.addresses = known.addresses
    return session


@contextlib.contextmanager
def _interpreter(target: Target, stand_in: Any) -> Iterator[Interpreter]:
    """The interpreter; its dots are as precise as the target's, and exact on a CPU where the kernel says nothing."""
    from triton.compiler.compiler import make_backend

    from akgflow.toolchains.triton.interpreter import Interpreter

    theirs = make_backend(stand_in.target).parse_options({})
    names = ("default_dot_input_precision", "allowed_dot_input_precisions")
    options = {name: getattr(theirs, name) for name in names}
    on_gpu = architecture.parse(target) is not None
    if not on_gpu:
        options["default_dot_input_precision"] = "ieee"
    interpreter = Interpreter(options, rounding=on_gpu)
    with interpreter.installed():
        yield interpreter


def shipping(evidence: Evidence, target: Target) -> Shipping | str:
    """On a device Triton compiles at the first launch; on a CPU its own interpreter runs the kernel."""
    if evidence is Evidence.INTERPRETED and not target.on_host:
        return f"its kernels were interpreted, and never ran on {target.name}"
    if evidence is Evidence.EXECUTED:
        return Shipping("plain", requires={"triton": "triton>=3.6"})
    # The interpreter computes with numpy, which Triton does not require.
    return Shipping("triton_interpreter", requires={"triton": "triton>=3.6"}, besides=("numpy>=1.26",))


def silences(evidence: Evidence, target: Target) -> bool:  # noqa: ARG001
    """True where launches pass through Python only: on a device a graph may launch kernels by itself."""
    return evidence is Evidence.INTERPRETED


def sees_kernels(
    evidence: Evidence,
    target: Target,  # noqa: ARG001
    scratch: Path,
    files: Collection[str],  # noqa: ARG001
) -> bool | None:
    """True when a compiled kernel is in ``scratch``; None where there is none to be seen."""
    if evidence in (Evidence.COMPILED, Evidence.LOWERED):
        return bool(artifacts_in(scratch))
    return None


def resources(target: Target, scratch: Path) -> Sequence[KernelResources]:
    """What each compiled specialisation in ``scratch`` takes.

    Raises `CompileFailure` where an artefact was built for another architecture or needs more shared memory than
    the target has.
    """
    return resources_in(target, scratch)


source_module = source_is_module
