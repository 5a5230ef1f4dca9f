"""The folder of a suite that was never run: verdict files whose score is known by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from akgflow.base.atomic import write_json, write_text
from akgflow.budget.ledger import Spent
from akgflow.budget.usage import Usage
from akgflow.config.types import Budget, Gates
from akgflow.machine import Machine
from akgflow.models.base import CallKey, ModelReply
from akgflow.planning import Job, Plan
from akgflow.planning.types import Ceiling, Reach
from akgflow.runs.journal import Journal
from akgflow.runs.layout import JOURNAL, PLAN, RESULT
from akgflow.runs.records import Finished
from akgflow.runs.result import Attempt, JobResult, Outcome, RunResult
from akgflow.suites.folder import SUITE, Listed, SuiteFolder, SuiteRecord
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, Timing, Verdict

WRONG = Status.INCORRECT_NUMERICAL
RIGHT = Status.PASSED


@dataclass(frozen=True)
class Written:
    """One problem with one cell, C++ on a CPU. ``speeds`` are (ratio, low, high) by baseline of the best kernel."""

    attempts: Sequence[Status]
    speeds: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    level: str = ""
    kind: str = ""
    impossible: str = ""
    evidence: Evidence = Evidence.EXECUTED
    source: str = "fast = True\n"
    device: str = "a CPU"
    calls: int = 1
    """Each of 3,900 tokens and $0.004."""


def written_suite(folder: Path, problems: Mapping[str, Written]) -> Path:
    """Write the suite and return its folder."""
    listed = tuple(Listed(name, one.level, one.kind) for name, one in problems.items())
    write_json(folder / SUITE, SuiteRecord("written", "0" * 64, listed, ("eager", "torch.compile")))
    for name, one in problems.items():
        written_problem(SuiteFolder(folder).run(name), name, one)
    return folder


def written_problem(folder: Path, name: str, one: Written) -> Path:
    """Write one run and return its folder."""
    reach = Reach(() if one.impossible else (one.evidence,), {})
    job = Job("cpp-cpu", "cpp", "cpu", "cpu", "native", reach, impossible=one.impossible)
    plan = Plan(
        task=name,
        kind="generate",
        workflow="search",
        operator=f"{name}.py",
        cases=(),
        dtype=None,
        gates=Gates(),
        budget=Budget(tokens=1_000_000),
        models={"default": "openai/gpt-5"},
        source=None,
        jobs=(job,),
        ceiling=Ceiling(0, 0, 0, 0, None),
        machine=Machine("a CPU", 2),
        inputs={},
    )
    write_json(folder / PLAN, plan)
    journal = Journal(folder / JOURNAL)
    for number in range(1, one.calls + 1):
        key = CallKey(name, job.id, "code", number, 1, "coder")
        reply = ModelReply("…", Usage(3_000, 900, cost=0.004), "openai/gpt-5", "live")
        journal.write(f"call {key}", Finished(key, "f", reply))
    journal.close()
    write_json(folder / RESULT, RunResult(name, str(folder), (_result(folder, job, one),), Spent(), 10.0))
    return folder


def _result(folder: Path, job: Job, one: Written) -> JobResult:
    if one.impossible:
        return JobResult(job.id, job.dsl, job.target, Outcome.IMPOSSIBLE, one.impossible)
    status = RIGHT if RIGHT in one.attempts else one.attempts[-1]
    verdict = Verdict(
        status=status,
        message="as it was written",
        target="cpu",
        evidence=(one.evidence,),
        environment=Environment(one.device),
        timestamp="2026-11-29T08:00:00+00:00",
        timing=tuple(
            Timing({}, base, 1e-3, ratio * 1e-3, ratio, (low, high), "same", 40, 0.02, one.device)
            for base, (ratio, low, high) in one.speeds.items()
        ),
    )
    best = folder / "best" / job.id
    write_text(best / "candidate.py", one.source)
    write_json(best / "verdict.json", verdict)
    attempts = tuple(
        Attempt("code", number, 1, f"{number:012}", str(one_status), "")
        for number, one_status in enumerate(one.attempts, 1)
    )
    outcome = Outcome.MET if status is RIGHT else Outcome.GATE_FAILED
    return JobResult(job.id, job.dsl, job.target, outcome, "", attempts[-1].candidate, verdict, attempts)
