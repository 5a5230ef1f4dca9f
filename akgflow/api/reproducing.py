"""A kernel's wrong values as one Python file that shows them without akgflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.judging import Inquiry, Question, inquire
from akgflow.api.running import find_run
from akgflow.api.tasks import Named, load_workspace
from akgflow.base.atomic import write_text
from akgflow.config import read_text
from akgflow.config.types import Operator, Workspace
from akgflow.errors import ConfigError
from akgflow.executors.availability import Availability
from akgflow.executors.once import with_executor
from akgflow.executors.routing import RoutingExecutor
from akgflow.export import Judged, failed_of_run, failure_file, how_small, shipping_of, shown
from akgflow.export.reread import read_verdict
from akgflow.machine import Machine, detect
from akgflow.operators.text import parts_of
from akgflow.reproduction import SEARCH_SECONDS, Reproduced, ReproduceRequest
from akgflow.terms import Status
from akgflow.verdict import CaseResult, Verdict


@dataclass(frozen=True)
class Shown:
    """What was written."""

    path: str
    """The file; empty where the failure was not seen again."""
    shown: str
    """What fails, in a few words; or why nothing does."""
    how_small: str = ""
    """What the search says of the shape."""
    detail: str = ""
    """The judge's words about it."""
    smallest: bool = False
    """Whether nothing smaller was left to try."""


@public
def reproduce(
    verdict: str | Path,
    *,
    job: str | None = None,
    candidate: str | Path | None = None,
    operator: str | Path | None = None,
    form: str | None = None,
    task: Named | None = None,
    dsl: str | None = None,
    dtype: str | None = None,
    mode: str | None = None,
    out: str | Path | None = None,
    seconds: float = SEARCH_SECONDS,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Shown:
    """Write a stand-alone Python file that shows the wrong values of a kernel, at the smallest shape that fails.

    ``verdict`` is a file that ``akgflow verify --json`` printed, and ``candidate``, ``operator`` (or ``task``) and
    ``dsl``, ``dtype``, ``mode`` are what was given there. Or it is a finished run, its folder or the folder's name,
    where ``job`` and ``candidate`` (its id, or ``STEP-ATTEMPT-SAMPLE``) choose a kernel; without them, the last that
    gave wrong values. ``out`` is the file; ``seconds`` bound the search for the shape.

    The candidate is asked in the judge's sandbox; the file is not run. Raises `ConfigError` where there is nothing
    wrong to show, or where the kernel does not run without akgflow; `PrerequisiteError`, `MachineExhausted`.
    """
    machine = detect()
    if Path(verdict).is_file():
        if candidate is None or dsl is None:
            raise ConfigError("with a verdict's file, give --candidate FILE, --dsl and --operator FILE or --task TASK")
        question = Question(
            source=read_text(Path(candidate), "the candidate"),
            dsl=dsl,
            target=read_verdict(Path(verdict)).target,
            file=Path(candidate),
            operator=operator,
            form=form,
            task=task,
            dtype=dtype,
            mode=mode,
            time=False,
            workspace=workspace,
            overrides=overrides,
        )
        judged, inquiry = _of_files(question, read_verdict(Path(verdict)), machine)
    else:
        space = load_workspace(workspace, overrides=overrides)
        folder = find_run(verdict, space.runs)
        judged = failed_of_run(folder, job, candidate, space)
        inquiry = _inquiry(judged, space, machine)
    return _written(judged, inquiry, machine, out, seconds)


def _of_files(question: Question, verdict: Verdict, machine: Machine) -> tuple[Judged, Inquiry]:
    _failure(verdict)
    inquiry = question.inquiry(machine)
    request, name = inquiry.request, question.file.stem if question.file is not None else "candidate"
    assert isinstance(request.candidate, str), "it was given as a text"
    operator = request.operator
    return Judged(name, request.candidate, operator, question.dsl, request.toolchain, request.target, verdict), inquiry


def _inquiry(judged: Judged, space: Workspace, machine: Machine) -> Inquiry:
    """What can be asked here about a kernel of a run."""
    parts = parts_of(judged.operator)
    operator = Operator(Path("operator.py"), parts.source, beside=parts.beside, mode=parts.mode)
    inquiry = inquire(space, operator, judged.candidate, judged.dsl, judged.target.name, Availability(machine, space))
    return replace(inquiry, request=replace(inquiry.request, dtype=judged.dtype))


def _failure(verdict: Verdict) -> CaseResult | None:
    """The result that the verdict is about; None where it names none. Raises `ConfigError`."""
    if verdict.status is not Status.INCORRECT_NUMERICAL:
        raise ConfigError(f"only wrong values are shown again, and the verdict is {verdict.status}: {verdict.message}")
    cases = verdict.correctness.cases if verdict.correctness is not None else ()
    return next((one for one in cases if one.status is Status.INCORRECT_NUMERICAL), None)


def _written(judged: Judged, inquiry: Inquiry, machine: Machine, out: str | Path | None, seconds: float) -> Shown:
    verdict = judged.verdict
    if parts_of(judged.operator).backward is not None:
        raise ConfigError("wrong gradients cannot be shown without akgflow: judge the operator without backward")
    if parts_of(judged.operator).prepare is not None:
        raise ConfigError("what depends on prepared weights cannot be shown without akgflow: judge without prepare")
    wrong, ships = _failure(verdict), shipping_of(judged)
    request = replace(inquiry.request, tolerance=verdict.tolerance, precision=verdict.precision, time=False)
    about = (wrong.case, wrong.distribution, wrong.seed) if wrong is not None else ({}, "", "")
    asked = ReproduceRequest(request, *about, seconds)

    async def search(executor: RoutingExecutor) -> Reproduced:
        return await executor.reproduce(asked)

    found = with_executor(machine, search)
    if found.failing is None:
        return Shown("", f"not seen again: {found.reason}")
    path = Path(out) if out is not None else Path(f"reproduce_{judged.name}.py")
    write_text(path, failure_file(judged, found, found.failing, ships, path.name))
    detail = found.failing.result.detail
    return Shown(str(path), shown(found.failing), how_small(found), detail, found.smallest)


__all__ = ["Shown", "reproduce"]
