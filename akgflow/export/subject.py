"""What is exported: one verified kernel with everything that its verdict rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from akgflow.base.platforms import PLATFORMS
from akgflow.config import check_name
from akgflow.config.types import Scalar, Target, ToolchainFile, Workspace
from akgflow.errors import ConfigError
from akgflow.operators.preparation import Preparation
from akgflow.operators.text import parts_of
from akgflow.planning import Job, Plan, digest
from akgflow.runs.damage import read_whole_text
from akgflow.runs.layout import PLAN, RESULT, dispatch_in
from akgflow.runs.reader import candidates_of, judged_operator, plan_of, result_of
from akgflow.runs.result import Dispatch, JobResult, RunResult
from akgflow.search.pool import id_of
from akgflow.terms import Evidence, Status
from akgflow.verdict import Verdict


@dataclass(frozen=True)
class Subject:
    """A kernel that can be exported."""

    task: str
    job: str
    dsl: str
    toolchain: str | ToolchainFile
    target: Target
    operator: str
    """The reference's whole text."""
    source: str
    """The kernel's."""
    verdict: Verdict
    machine: str
    """The processor's architecture where it was judged."""
    dtype: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from, for people, as JSON."""
    members: tuple[str, ...] = ()
    """The texts of the kernels among which ``source`` picks by shape; empty where it is a kernel itself."""
    dispatch: Dispatch | None = None
    """How it picks."""

    @property
    def evidence(self) -> Evidence:
        """How the numbers of its verdict were seen."""
        return Evidence.EXECUTED if Evidence.EXECUTED in self.verdict.evidence else Evidence.INTERPRETED


def of_run(folder: Path, job: str | None, space: Workspace, *, single: bool = False) -> Subject:
    """The best kernel of a job; without a job, of the only one that has one. Raises `ConfigError`.

    Where the job keeps several kernels, all of them as one that picks by shape, or with ``single`` the best one.
    """
    plan, operator = finished_plan(folder)
    result = result_of(folder)
    assert result is not None, "it is finished"
    chosen = _chosen(result, job)
    planned = next(one for one in plan.jobs if one.id == chosen.job)
    assert chosen.verdict is not None
    subject = Subject(
        task=plan.task,
        job=chosen.job,
        dsl=chosen.dsl,
        toolchain=toolchain_of(space, chosen.dsl),
        target=target_of(space, planned),
        operator=operator,
        source=_source(folder, chosen),
        verdict=chosen.verdict,
        machine=plan.machine.arch,
        dtype=plan.dtype,
        provenance=_provenance(folder, plan, chosen),
    )
    found = chosen.dispatch
    return checked(subject if single or found is None or not found.kept else _by_shape(subject, found, folder))


def _by_shape(single: Subject, found: Dispatch, folder: Path) -> Subject:
    """The dispatcher of a job in the place of its best kernel. Raises `ConfigError`."""
    place = dispatch_in(folder, single.job) / "candidate.py"
    source = read_whole_text(place)
    if source is None or id_of(source) != found.candidate:
        raise ConfigError(f"{place} is not the kernel {found.candidate}, which the result names: it was changed")
    kernels = {one.id: one.source for one in candidates_of(folder, single.job)}
    names = [winner.candidate for winner in found.winners]
    if missing := [name for name in names if name not in kernels]:
        raise ConfigError(f"{folder / 'jobs' / single.job} holds no kernel {missing[0]}, which the result names")
    assert found.verdict is not None, "what is kept was judged"
    return replace(
        single,
        source=source,
        verdict=found.verdict,
        provenance={**single.provenance, "candidate": found.candidate, "winners": names},
        members=tuple(kernels[name] for name in names),
        dispatch=replace(found, verdict=None),
    )


def finished_plan(folder: Path) -> tuple[Plan, str]:
    """The plan of a finished run, and its operator's whole text. Raises `ConfigError`."""
    plan = plan_of(folder)
    if plan is None or result_of(folder) is None:
        missing = PLAN if plan is None else RESULT
        raise ConfigError(f"{folder} is no finished run: it holds no {missing}; akgflow run goes on with it")
    return plan, judged_operator(folder, plan)


def of_files(
    source: str,
    operator: str,
    verdict: Verdict,
    *,
    name: str,
    dsl: str,
    machine: str,
    space: Workspace,
    dtype: str | None,
) -> Subject:
    """A kernel whose verdict ``akgflow verify --json`` printed. Raises `ConfigError`."""
    target = space.targets.get(verdict.target)
    if target is None:
        raise ConfigError(f"the workspace has no target {verdict.target}, which the verdict names")
    about = {"task": name, "candidate": hashlib.sha256(source.encode()).hexdigest()[:12], "origins": ["a file"]}
    toolchain = toolchain_of(space, dsl)
    job = f"{dsl}-{target.name}"
    operator = _prepared(operator, verdict)
    return checked(Subject(name, job, dsl, toolchain, target, operator, source, verdict, machine, dtype, about))


def _prepared(operator: str, verdict: Verdict) -> str:
    """The operator's whole text, from which it is seen that weights are prepared where the verdict is about that."""
    found = parts_of(operator)
    if not verdict.prepared or found.prepare is not None:
        return operator
    calls = [one.prepared.calls for one in verdict.timing if one.prepared is not None]
    return found._replace(prepare=Preparation(*calls[:1])).around(found.source)


def checked(subject: Subject) -> Subject:
    """``subject``; raises `ConfigError` where its verdict does not carry a package."""
    verdict = subject.verdict
    what = f"the kernel of {subject.job}"
    if verdict.status is not Status.PASSED:
        raise ConfigError(f"{what} did not pass: {verdict}")
    if verdict.correctness is None or subject.evidence not in verdict.evidence:
        have = ", ".join(verdict.evidence) or "none"
        raise ConfigError(f"{what} was never seen to compute (evidence: {have}): judge it where {verdict.target} is")
    if parts_of(subject.operator).beside:
        raise ConfigError(f"{what} is of an operator that imports files beside it: put them into the operator's file")
    return subject


def _chosen(result: RunResult, job: str | None) -> JobResult:
    known = {one.job: one for one in result.jobs if one.best is not None and one.verdict is not None}
    passed = [name for name, one in known.items() if one.verdict is not None and one.verdict.passed]
    if job is not None:
        check_name("job", job, {one.job for one in result.jobs})
        if job not in known:
            reason = next(one.reason for one in result.jobs if one.job == job)
            raise ConfigError(f"{job} has no kernel to export: {reason}")
        return known[job]
    if len(passed) != 1:
        found = f"several jobs have a verified kernel: choose one with --job: {', '.join(passed)}"
        raise ConfigError(found if passed else "no job of this run has a verified kernel")
    return known[passed[0]]


def _source(folder: Path, job: JobResult) -> str:
    """The text that was judged: its name is its digest."""
    found = next((one.source for one in candidates_of(folder, job.job) if one.id == job.best), None)
    if found is None:
        raise ConfigError(
            f"{folder / 'jobs' / job.job} holds no kernel {job.best}, which the result names: it was changed"
        )
    return found


def toolchain_of(space: Workspace, dsl: str) -> str | ToolchainFile:
    """The toolchain of a DSL that the workspace has; raises `ConfigError`."""
    return space.dsls[check_name("DSL", dsl, space.dsls)].toolchain


def target_of(space: Workspace, job: Job) -> Target:
    """The target of a job, as the run's plan has it; raises `ConfigError`."""
    known = space.targets.get(job.target)
    if known is not None and (known.platform, known.arch) == (job.platform, job.arch):
        return known
    if job.platform not in PLATFORMS:
        raise ConfigError(f"there is no platform {job.platform}, which the run's {PLAN} names")
    return Target(job.target, job.platform, job.arch)


def _provenance(folder: Path, plan: Plan, job: JobResult) -> dict[str, Any]:
    return {
        "task": plan.task,
        "kind": plan.kind,
        "workflow": plan.workflow,
        "job": job.job,
        "run": folder.name,
        "plan": digest(plan),
        "inputs": dict(plan.inputs),
        "models": dict(plan.models),
        "origins": list(job.origins),
        "candidate": job.best,
        "attempts": len(job.attempts),
    }


def verified_cases(verdict: Verdict) -> tuple[Mapping[str, Scalar], ...]:
    """The cases on which a kernel was right: the stated ones, then other shapes that the judge drew.

    Those are given by the sizes that differ from one of the stated cases, which is not named: they count where they
    mean the same for each of them.
    """
    assert verdict.correctness is not None
    stated: list[Mapping[str, Scalar]] = []
    for one in verdict.correctness.cases:
        if one.case not in stated:
            stated.append(one.case)
    drawn = verdict.shapes.right if verdict.shapes is not None else ()
    for sizes in drawn:
        meant = [{**case, **sizes} for case in stated]
        if all(one == meant[0] for one in meant) and meant[0] not in stated:
            stated.append(meant[0])
    return tuple(stated)
