"""What this machine offers akgflow, as a list of checks. Loads nothing heavy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from akgflow.base.loop import run_async
from akgflow.config.steps import AgenticStep
from akgflow.config.types import Target, Workspace
from akgflow.disturbances import of_device, of_processor
from akgflow.errors import UntrustedJudge
from akgflow.executors.availability import Availability
from akgflow.machine import Machine, detect
from akgflow.models.reachable import keys_of, unreachable
from akgflow.planning import reach
from akgflow.planning.pricing import models_in_use
from akgflow.terms import Evidence
from akgflow.verification.sandbox import LAYERS


@dataclass(frozen=True)
class Check:
    """One thing that is here or not. What is not ``needed`` only widens what can be done."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed: bool = True


def examine(workspace: Workspace) -> list[Check]:
    """All checks, the needed ones first."""
    machine = detect()
    found = [*_packages(), *_compilers(), *_models(workspace), *_devices(machine), *_sandbox(), *_timings(machine)]
    availability = Availability(machine, workspace)
    found += [*_clusters(workspace, availability), *_reach(workspace, availability)]
    return sorted(found, key=lambda check: not check.needed)


def try_judge(workspace: Workspace) -> list[Check]:
    """One check for this CPU and for each target that is here: does the judge know wrong kernels from right ones?"""
    machine = detect()
    here = [t for t in workspace.targets.values() if not t.on_host and machine.device_for(t) is not None]
    return run_async(_tried(machine, here))


async def _tried(machine: Machine, targets: list[Target]) -> list[Check]:
    from akgflow.engine.preflight import CPU, preflight
    from akgflow.executors.local import LocalExecutor

    found = []
    with tempfile.TemporaryDirectory(prefix="akgflow-") as scratch:
        executor = LocalExecutor(machine, Path(scratch))
        try:
            for target in (CPU, *targets):
                try:
                    found.append(
                        Check(f"canaries on {target.name}", True, str(await preflight(executor, machine, target)))
                    )
                except UntrustedJudge as error:
                    found.append(Check(f"canaries on {target.name}", False, str(error)))
        finally:
            await executor.close()
    return found


def _packages() -> Iterator[Check]:
    yield Check("python", True, sys.version.split()[0])
    for name in ("torch", "triton", "tilelang", "apache-tvm-ffi", "litellm"):
        try:
            yield Check(name, True, version(name))
        except PackageNotFoundError:
            yield Check(name, False, "not installed", f"pip install {name}")


def _compilers() -> Iterator[Check]:
    compiler = shutil.which("g++") or shutil.which("clang++")
    yield Check("C++ compiler", compiler is not None, compiler or "not found", "" if compiler else "install g++")
    nvcc = shutil.which("nvcc")
    hint = "" if nvcc else "install the CUDA toolkit, or pip install nvidia-cuda-nvcc, to compile CUDA-C"
    yield Check("nvcc", nvcc is not None, nvcc or "not on the PATH", hint, needed=False)


def _models(workspace: Workspace) -> Iterator[Check]:
    dead, optional = unreachable(workspace.models.values()), _only_in_folders(workspace)
    for spec in workspace.models.values():
        name = f"model {spec.name}"
        if spec.name in dead:
            what, _, hint = dead[spec.name].rpartition(": ")
            yield Check(name, False, what, hint, needed=spec.name not in optional)
        elif spec.model.startswith("recorded/"):
            hint = "set AKGFLOW_MODEL, or models in agents.yaml, to ask a real one"
            yield Check(name, True, f"{spec.model} replays recordings", hint)
        elif spec.command is not None:
            yield Check(name, True, f"the command {spec.command.words[0]}")
        elif keys := keys_of(spec):
            key = next(name for name in keys if os.environ.get(name))
            yield Check(name, True, f"{spec.model}, {key} is set")
        else:
            yield Check(name, True, f"{spec.model} at {spec.api_base or 'its provider'}")


def _only_in_folders(workspace: Workspace) -> set[str]:
    """The models that answer no prompts: only agents ask for them that work in a folder, which few tasks want."""
    steps = [step for workflow in workspace.workflows.values() for step in workflow.steps]
    workers = {step.agentic for step in steps if isinstance(step, AgenticStep)}
    others = [agent for agent in workspace.agents if agent not in workers]
    return {*models_in_use(workers, workspace)} - {*models_in_use(others, workspace)}


def _devices(machine: Machine) -> Iterator[Check]:
    yield Check("cpu", True, f"{machine.cpu}, {machine.cores} cores")
    for device in machine.devices:
        yield Check(f"{device.platform} device {device.index}", True, f"{device.name} ({device.arch})")
    if not machine.devices:
        yield Check("GPU", False, "none found", "GPU targets are compiled and interpreted, not executed", needed=False)


def _sandbox() -> Iterator[Check]:
    """One line for each layer that bounds candidates; without one the others still hold, and verdicts say which."""
    command = [sys.executable, "-P", "-m", "akgflow.verification.sandbox.probe"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        yield Check("sandbox", False, f"no process can be started in it: {done.stderr.strip()[-300:]}")
        return
    found = json.loads(done.stdout)
    missing = found["missing"]
    for name, what in LAYERS.items():
        held = name in found["layers"]
        reason = missing.get(name) or missing.get("user", "")
        yield Check(
            f"sandbox: {name}", held, what if held else f"not here: {what}", "" if held else reason, needed=False
        )
    for name in sorted(set(missing) - {*LAYERS, "user"}):
        yield Check(f"sandbox: {name}", False, "not here", missing[name], needed=False)


def _timings(machine: Machine) -> Iterator[Check]:
    """What could disturb timings here."""
    for one in of_processor(machine):
        yield Check(f"timing on the cpu: {one.name}", one.ok, one.detail, one.hint, needed=False)
    for device in machine.devices:
        for one in of_device(device):
            name = f"timing on {device.platform} device {device.index}: {one.name}"
            yield Check(name, one.ok, one.detail, one.hint, needed=False)


def _clusters(workspace: Workspace, availability: Availability) -> Iterator[Check]:
    """Targets on a cluster: what their nodes report."""
    for target in workspace.targets.values():
        answer = availability.report(target)
        if answer is None:
            continue
        machines = answer.machines.values()
        seen = "; ".join(sorted({", ".join(device.name for device in m.devices) or m.cpu for m in machines}))
        room = f"{target.reach}: {answer.capacity} at once on {', '.join(answer.machines)} ({seen})"
        problem = answer.problem
        if not problem and not any(machine.is_a(target) for machine in machines):
            problem = f"{target.reach}: none of its nodes is a {target.name}; they are: {seen}"
        hint = "what can be interpreted and compiled for it still is" if problem else ""
        yield Check(f"reach {target.name}", not problem, problem or room, hint, needed=False)


def _reach(workspace: Workspace, availability: Availability) -> Iterator[Check]:
    """What each DSL can show on each target."""
    for pack in workspace.dsls.values():
        for target in workspace.targets.values():
            if target.platform in pack.platforms:
                found = reach(pack, target, availability.missing)
                detail = ", ".join(found.evidence) or "nothing can be judged here"
                # That a device is not here is said once, above; what else is missing can be installed.
                gaps = [f"{kind}: {why}" for kind, why in found.gaps.items() if kind is not Evidence.EXECUTED]
                name = f"{pack.name} on {target.name}"
                yield Check(name, bool(found.evidence), detail, "; ".join(gaps), needed=False)
