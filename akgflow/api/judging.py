"""Kernels and the judge, without any model: one kernel, or the portability matrix of a task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from akgflow.api.boundary import public
from akgflow.api.tasks import Named, load, load_workspace
from akgflow.base.atomic import write_text
from akgflow.base.loop import run_async
from akgflow.config import (
    Loaded,
    check_backward,
    check_baseline,
    check_candidate,
    check_cases,
    check_dtype,
    check_framework,
    check_layouts,
    check_mode,
    check_name,
    check_operator,
    check_precision,
    check_prepare,
    check_shapes,
    check_target,
    parse_cases,
    read_text,
)
from akgflow.config.types import Operator, Scalar, Task, Workspace
from akgflow.engine.matrix import Judging, Wanted
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.executors.availability import Availability
from akgflow.executors.base import Executor
from akgflow.executors.once import temporary_executor, with_executor
from akgflow.machine import Machine, detect
from akgflow.planning import Reach, judge_request, reach, with_gaps
from akgflow.reporting.trace import traces
from akgflow.runs.matrix import Matrix, best_of_run, latest_run, of_run
from akgflow.sanitized import KINDS
from akgflow.verdict import JudgeRequest, Verdict

Case = str | Mapping[str, Scalar]
"""A shape: ``m=64,n=32``, or the same as a mapping."""
BackwardLike = bool | Mapping[str, Sequence[str]]
"""Whether gradients are judged, or ``{"overwrites": [...]}``."""
PrepareLike = bool | Mapping[str, int]
"""Whether kernels may prepare their weights, or ``{"calls": 100}``."""


@dataclass(frozen=True)
class Inquiry:
    """What to ask of the judge on this machine, and what it cannot be asked here."""

    request: JudgeRequest
    found: Reach

    async def verdict(self, executor: Executor) -> Verdict:
        """The judge's answer, with the reasons for what is out of reach."""
        return with_gaps(await executor.judge(self.request), self.found)


def inquire(
    space: Workspace, about: Task | Operator, source: str, dsl: str, target: str, availability: Availability
) -> Inquiry:
    """What can be asked about a candidate; ``availability`` queries a cluster once, however often it is used.

    Raises `ConfigError` where the DSL is not for that target, `PrerequisiteError` where this machine lacks something.
    """
    pack = space.dsls[check_name("DSL", dsl, space.dsls)]
    where = space.targets[check_target(target, space.targets)]
    found = reach(pack, where, availability.missing, availability.at)
    if not found.evidence:
        what = f"{dsl} cannot be judged for {target} (platform {where.platform})"
        if found.gaps:
            why = "; ".join(f"{evidence}: {reason}" for evidence, reason in found.gaps.items())
            raise PrerequisiteError(f"{what}: {why}")
        raise ConfigError(f"{what}: it runs on {', '.join(sorted(pack.platforms))}")
    return Inquiry(judge_request(about, source, pack.toolchain, where, found), found)


@dataclass(frozen=True)
class Question:
    """What `verify` asks, for callers with an event loop of their own.

    ``source`` is the candidate's text, ``file`` where it was read: in the operator's format where that has solutions.
    """

    source: str
    dsl: str
    target: str
    file: Path | None = None
    operator: str | Path | None = None
    form: str | None = None
    task: Named | None = None
    cases: Sequence[Case] = ()
    dtype: str | None = None
    framework: str | None = None
    precision: str | Mapping[str, str] | None = None
    mode: str | None = None
    backward: BackwardLike | None = None
    prepare: PrepareLike | None = None
    baselines: Sequence[str] = ()
    shapes: str | None = None
    layouts: str | None = None
    time: bool = True
    sanitize: bool = False
    workspace: str | Path | None = None
    overrides: Sequence[str] = ()

    async def verdict(self) -> Verdict:
        """The judge's answer; raises what `verify` does."""
        machine = await asyncio.to_thread(detect)
        inquiry = await asyncio.to_thread(self.inquiry, machine)
        async with temporary_executor(machine) as executor:
            return await inquiry.verdict(executor)

    def answered(self, trace: str | Path | None) -> Verdict:
        """`verdict` for callers without a loop; ``trace`` is a file for `traces` of it."""
        found = run_async(self.verdict())
        if trace is not None:
            write_text(Path(trace), self.traces(found))
        return found

    def inquiry(self, machine: Machine) -> Inquiry:
        """What to ask of the judge; raises `ConfigError` where that makes no sense here."""
        cases = parse_cases(self.cases)
        dtype = check_dtype(self.dtype) if self.dtype is not None else None
        framework = check_framework(self.framework) if self.framework is not None else None
        precision = check_precision(self.precision) if self.precision is not None else None
        layouts = check_layouts(self.layouts) if self.layouts is not None else None
        baselines = tuple(dict.fromkeys(map(check_baseline, self.baselines)))
        space, about = self._about(cases)
        if self.mode is not None:
            about = _of_operator(about, mode=check_mode(self.mode))
        if self.backward is not None:
            about = _of_operator(about, backward=check_backward(self.backward))
        if self.prepare is not None:
            about = _of_operator(about, prepare=check_prepare(self.prepare))
        source = check_candidate(self.source, self.file, _operator(about), self.dsl).text if self.file else self.source
        found = inquire(space, about, source, self.dsl, self.target, Availability(machine, space))
        request = found.request
        asked = replace(
            request,
            cases=cases or request.cases,
            secret_cases=() if cases else request.secret_cases,
            shapes=request.shapes if self.shapes is None else check_shapes(_operator(about), self.shapes),
            layouts=layouts or request.layouts,
            dtype=dtype or request.dtype,
            framework=framework or request.framework,
            precision=precision or request.precision,
            baselines=baselines or request.baselines,
            time=self.time,
            sanitize=KINDS if self.sanitize else request.sanitize,
        )
        return replace(found, request=asked)

    def traces(self, verdict: Verdict) -> str:
        """The verdict in flashinfer-trace's form: a JSON object on a line for each workload."""
        _, about = self._about(parse_cases(self.cases))
        operator, name = _operator(about), self.file.stem if self.file else ""
        if self.file is not None:
            name = check_candidate(self.source, self.file, operator, self.dsl).name or name
        return "".join(f"{json.dumps(one)}\n" for one in traces(verdict, operator, name))

    def _about(self, cases: tuple[Mapping[str, Scalar], ...]) -> tuple[Workspace, Task | Operator]:
        if self.task is not None and self.operator is None:
            loaded = load(self.task, workspace=self.workspace, overrides=self.overrides)
            check_cases(loaded.task.operator, cases)
            return loaded.workspace, loaded.task
        if self.operator is None or self.task is not None:
            raise ConfigError("give either an operator's file or a task")
        space = load_workspace(self.workspace, overrides=self.overrides)
        return space, check_operator(Path(self.operator), cases, self.form)


def _operator(about: Task | Operator) -> Operator:
    return about.operator if isinstance(about, Task) else about


def _of_operator(about: Task | Operator, **changes: Any) -> Task | Operator:
    """The same with an operator that is judged in another way."""
    changed = replace(_operator(about), **changes)
    return replace(about, operator=changed) if isinstance(about, Task) else changed


@public
def verify(
    candidate: str | Path | None = None,
    *,
    source: str | None = None,
    dsl: str,
    target: str,
    operator: str | Path | None = None,
    form: str | None = None,
    task: Named | None = None,
    cases: Sequence[Case] = (),
    dtype: str | None = None,
    framework: str | None = None,
    precision: str | Mapping[str, str] | None = None,
    mode: str | None = None,
    backward: BackwardLike | None = None,
    prepare: PrepareLike | None = None,
    baselines: Sequence[str] = (),
    shapes: str | None = None,
    layouts: str | None = None,
    time: bool = True,
    sanitize: bool = False,
    trace: str | Path | None = None,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Verdict:
    """Judge one kernel, the file ``candidate`` or its text ``source``, against a task or an operator's file.

    ``form`` is its format, else found by its looks; the candidate may be a solution in it. Left out, these are as the
    task says, else as the judge has it: ``cases`` (``m=64,n=32``, or mappings), ``dtype``, ``framework`` (``forbid`` or
    ``allow``), ``precision`` (``framework``, ``strict``, ``tf32``, ``{"compute": "bf16"}`` or ``fp16``), ``mode`` of
    modules (``eval`` or ``train``), ``baselines`` (``eager``, ``torch.compile``), ``shapes`` that it must serve besides
    (``m=1..8192,k=8..4096:8``, or ``fixed``), ``layouts`` of inputs (``any``), ``backward`` for gradients
    (``{"overwrites": ["logits"]}``: a call may write over these inputs), ``prepare`` for a kernel's ``prepare()``
    (``{"calls": 100}`` spreads it over so many). ``time`` asks for timing where it is executed, ``sanitize`` for
    sanitizers, ``trace`` for a file of traces. Raises `ConfigError`, `PrerequisiteError` and `MachineExhausted`.
    """
    question = Question(
        source=_source(candidate, source),
        dsl=dsl,
        target=target,
        file=None if candidate is None else Path(candidate),
        operator=operator,
        form=form,
        task=task,
        cases=cases,
        dtype=dtype,
        framework=framework,
        precision=precision,
        mode=mode,
        backward=backward,
        prepare=prepare,
        baselines=baselines,
        shapes=shapes,
        layouts=layouts,
        time=time,
        sanitize=sanitize,
        workspace=workspace,
        overrides=overrides,
    )
    return question.answered(trace)


@public
def matrix(
    task: Named,
    *,
    run: str | Path | None = None,
    judge: bool = False,
    candidates: Mapping[str, str | Path] | None = None,
    targets: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    time: bool = True,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Matrix:
    """DSL x target x shape x dtype: what is known of the best kernels of a task's latest run, or of the folder ``run``.

    With ``judge`` they are judged now, on what is here; ``targets`` and ``dtypes`` judge them along other axes.
    ``candidates`` are files by DSL that are judged instead. ``time`` times what is judged where it is executed.
    """
    loaded = load(task, workspace=workspace, overrides=overrides)
    aims = tuple(check_target(name, loaded.workspace.targets) for name in targets) or loaded.task.targets
    numbers = tuple(map(check_dtype, dtypes)) or (loaded.task.dtype,)
    if candidates:
        texts = {
            check_name("DSL", dsl, loaded.workspace.dsls): check_candidate(
                _text(path), Path(path), loaded.task.operator, dsl
            ).text
            for dsl, path in candidates.items()
        }
        kernels = {(dsl, target): text for dsl, text in texts.items() for target in aims}
        return _judged(loaded, Wanted(kernels, tuple(texts), aims, numbers, time))
    folder = Path(run) if run is not None else latest_run(loaded.task, loaded.workspace.runs)
    found = of_run(loaded.task, folder)
    if judge or targets or dtypes:
        return _judged(loaded, Wanted(best_of_run(folder), loaded.task.dsls, aims, numbers, time))
    return found


def _source(candidate: str | Path | None, source: str | None) -> str:
    if (candidate is None) == (source is None):
        raise ConfigError("give either the candidate's file or its source text")
    return source or "" if candidate is None else _text(candidate)


def _text(path: str | Path) -> str:
    return read_text(Path(path), "the candidate")


def _judged(loaded: Loaded, wanted: Wanted) -> Matrix:
    machine = detect()
    about = loaded.task, loaded.workspace, Availability(machine, loaded.workspace)
    return with_executor(machine, lambda executor: Judging(*about, executor, wanted).matrix())
