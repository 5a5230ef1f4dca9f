"""A wrong answer as one Python file that shows it: operator, candidate and inputs; nothing of akgflow."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akgflow.base.text import visible
from akgflow.config import check_name
from akgflow.config.types import Target, ToolchainFile, Workspace
from akgflow.errors import ConfigError
from akgflow.export.files import BUILDERS, imported_by, rendered
from akgflow.export.subject import finished_plan, target_of, toolchain_of
from akgflow.operators.text import parts_of
from akgflow.reproduction import Failing, Reproduced
from akgflow.runs.reader import candidates_of, verdict_of
from akgflow.search import Candidate
from akgflow.terms import Evidence, Status
from akgflow.toolchains import Shipping, shipping
from akgflow.verdict import Verdict

_HOST = Target("cpu", "cpu", "native")
_WIDTH = 116


@dataclass(frozen=True)
class Judged:
    """A candidate that gave wrong values, and its verdict."""

    name: str
    """For the file's title."""
    candidate: str
    operator: str
    """Its whole text."""
    dsl: str
    toolchain: str | ToolchainFile
    target: Target
    verdict: Verdict
    dtype: str | None = None
    """To which floating inputs and parameters are cast."""


def failed_of_run(folder: Path, job: str | None, candidate: str | Path | None, space: Workspace) -> Judged:
    """A kernel of a finished run that gave wrong values: the last by job, step and attempt, unless one is chosen.

    While a run goes on, its secret cases are secret. Raises `ConfigError`.
    """
    plan, operator = finished_plan(folder)
    if job is not None:
        check_name("job", job, {one.id for one in plan.jobs})
    found = [
        (one, each, verdict)
        for one in plan.jobs
        if job in (None, one.id)
        for each in candidates_of(folder, one.id)
        if (verdict := verdict_of(folder, one.id, each)) is not None
        and (str(candidate) in _names(each) if candidate else verdict.status is Status.INCORRECT_NUMERICAL)
    ]
    if not found:
        what = f"candidate {candidate}" if candidate else "candidate with wrong values"
        raise ConfigError(f"{folder} has no {what}{f' in job {job}' if job else ''}: akgflow report shows what it has")
    planned, chosen, verdict = found[-1]
    pieces = (planned.dsl, toolchain_of(space, planned.dsl), target_of(space, planned), verdict, plan.dtype)
    return Judged(f"{planned.id}_{chosen.id}".replace("-", "_"), chosen.source, operator, *pieces)


def _names(candidate: Candidate) -> tuple[str, ...]:
    return candidate.id, f"{candidate.step}-{candidate.attempt}-{candidate.sample}"


def shipping_of(judged: Judged) -> Shipping:
    """How the candidate runs without akgflow. Raises `ConfigError` where it does not.

    What was interpreted for a device is interpreted in the same way on a processor.
    """
    seen = judged.verdict.evidence
    evidence = Evidence.EXECUTED if Evidence.EXECUTED in seen else Evidence.INTERPRETED
    found = shipping(judged.toolchain, evidence, judged.target)
    if isinstance(found, str) and evidence is Evidence.INTERPRETED:
        found = shipping(judged.toolchain, evidence, _HOST)
    if not isinstance(found, str) and "akgflow" in imported_by(judged.candidate):
        found = "the candidate imports it"
    if isinstance(found, str):
        raise ConfigError(f"this failure cannot be shown without akgflow: {found}")
    return found


def failure_file(judged: Judged, found: Reproduced, failing: Failing, ships: Shipping, name: str) -> str:
    """The text of the file, which is called ``name``."""
    operator = parts_of(failing.operator)
    values: dict[str, Any] = {
        **{key: getattr(failing, key) for key in _AS_THEY_ARE},
        "title": f"Wrong values of {_line(judged.name)}, shown again.",
        "name": _line(name),
        "requires": sorted({"torch", "numpy", *imported_by(judged.candidate), *imported_by(operator.source)}),
        "target": judged.verdict.target,
        "timestamp": judged.verdict.timestamp,
        "verdict": _wrapped(judged.verdict.message),
        "shown": shown(failing),
        "how_small": how_small(found),
        "loader": ships.loader,
        "compile_flags": list(ships.compile_flags),
        "link_flags": list(ships.link_flags),
        "builders": [module for module in BUILDERS if module in judged.candidate],
        "operator": operator.source,
        "candidate": judged.candidate,
        "beside": dict(operator.beside),
        "keys": dict(failing.keys),
    }
    return rendered("reproduction/failure.py", values)


_AS_THEY_ARE = (
    *("device", "dtype", "evidence", "mode", "init_seed", "inputs", "calls", "state", "required"),
    *("changed_inputs", "changed_buffers"),
)


def shown(failing: Failing) -> str:
    """What fails, in a few words."""
    last = failing.inputs[failing.calls[-1]]
    calls = f"call {len(failing.calls)} of one model" if len(failing.calls) > 1 else "a single call"
    return f"{calls} on {', '.join(failing.shapes) or 'no tensors'} (inputs: {last.distribution})"


def how_small(found: Reproduced) -> str:
    """What the search says of the shape."""
    if found.smallest:
        return f"No smaller shape that was tried fails (shapes asked about: {found.tried})"
    return f"Smaller shapes may fail, too: the search ran out of time (shapes asked about: {found.tried})"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(_line(text), _WIDTH) or [""]


def _line(text: str) -> str:
    """A text in one line of a docstring."""
    return " ".join(visible(text).split()).replace("\\", "\\\\").replace('"', '\\"')
