"""Kernels whose verdict is known, judged again: still right, still as fast, and what changed underneath."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akgflow.config.types import Scalar
from akgflow.errors import ConfigError, ExitCode
from akgflow.knowledge import Entry
from akgflow.planning import Conditions, Job, Plan
from akgflow.runs.layout import best_in
from akgflow.runs.lock import lock_in
from akgflow.runs.reader import best_candidate, best_verdict, judged_operator, plan_of, result_of
from akgflow.search import Candidate
from akgflow.speed import speeds_of
from akgflow.suites.cells import Cell, State
from akgflow.suites.comparison import ORDER, Call, FailOn, Pair, fails, pair_of
from akgflow.suites.folder import runs_of
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, Verdict


@dataclass(frozen=True)
class JudgedKernel:
    """A kernel that passed, and all that it takes to ask the same of the judge again."""

    problem: str
    dsl: str
    source: str
    operator: str
    """The reference's whole text."""
    verdict: Verdict
    """As it was."""
    conditions: Conditions

    @property
    def name(self) -> str:
        """``softmax/cpp-cpu``."""
        return f"{self.problem}/{self.dsl}-{self.verdict.target}"

    @property
    def needs(self) -> Evidence | None:
        """The evidence without which its verdict cannot be looked at again; None where anything will do."""
        have = self.verdict.evidence
        return next((one for one in (Evidence.EXECUTED, Evidence.INTERPRETED) if one in have), None)

    def out_of_reach(self, here: Sequence[Evidence], gaps: Mapping[Evidence, str]) -> str:
        """Why what can be had ``here`` says nothing about it; empty where it does. What was executed is no less."""
        if self.needs is None or self.needs in here or Evidence.EXECUTED in here:
            return ""
        return f"{self.needs} is out of reach here: {gaps.get(self.needs, 'its DSL does not offer it there')}"


@dataclass(frozen=True)
class Change:
    """Something underneath that differs; empty where it is not known or not there."""

    what: str
    before: str
    now: str


@dataclass(frozen=True)
class Rechecked:
    """What became of one kernel."""

    pair: Pair
    verdict: Verdict | None = None
    """As it is now; None where the kernel could not be judged."""
    changes: tuple[Change, ...] = ()
    """Between the two verdicts, in what they depended on."""

    @property
    def judged(self) -> bool:
        """Whether the kernel itself was looked at."""
        return self.verdict is not None and not (self.verdict.unfit or self.verdict.status is Status.NOT_RUN)


@dataclass(frozen=True)
class Recheck:
    """All kernels, what got worse first. ``of`` is where they are from."""

    of: str
    kernels: tuple[Rechecked, ...]

    @property
    def passed(self) -> bool:
        """True where nothing got worse, and something could be judged."""
        return self.exit_code() is ExitCode.DONE

    def count(self, call: Call) -> int:
        """Kernels with this call."""
        return sum(one.pair.call is call for one in self.kernels)

    def exit_code(self, fail_on: FailOn = FailOn.WORSE) -> ExitCode:
        """Gate failed where something happened that must not, prerequisite where no kernel could be judged here."""
        if fails((one.pair.call for one in self.kernels), fail_on):
            return ExitCode.GATE_FAILED
        return ExitCode.DONE if any(one.judged for one in self.kernels) else ExitCode.PREREQUISITE


def in_folder(folder: Path) -> list[JudgedKernel]:
    """The winners of a run, or of all runs of a suite. Raises `ConfigError` where one was changed after its run."""
    return [kernel for run in runs_of(folder) for kernel in _of_run(run)]


def _of_run(folder: Path) -> Iterator[JudgedKernel]:
    plan = plan_of(folder)
    for job in plan.runnable if plan else ():
        verdict, source = best_verdict(folder, job.id), best_candidate(folder, job.id)
        if plan is None or verdict is None or source is None or not verdict.passed:
            continue
        _require_winner(folder, job, source)
        yield JudgedKernel(
            plan.task, job.dsl, source, judged_operator(folder, plan), verdict, _conditions(folder, plan, verdict)
        )


def _conditions(folder: Path, plan: Plan, verdict: Verdict) -> Conditions:
    lock = lock_in(folder)
    return conditions_of(verdict, plan.cases, plan.dtype) if lock is None else lock.conditions


def _require_winner(folder: Path, job: Job, source: str) -> None:
    result = result_of(folder)
    best = next((one.best for one in result.jobs if one.job == job.id), None) if result else None
    if best is not None and Candidate(source, "", 0, 0).id != best:
        raise ConfigError(f"{best_in(folder, job.id)} does not hold kernel {best}, which the result names: it changed")


def of_entry(entry: Entry) -> JudgedKernel:
    """A kernel of the knowledge store."""
    conditions = conditions_of(entry.verdict, entry.cases, entry.dtype)
    problem = f"{entry.task} {entry.id[:8]}"
    return JudgedKernel(problem, entry.dsl, entry.source, entry.operator, entry.verdict, conditions)


def conditions_of(verdict: Verdict, cases: Sequence[Mapping[str, Scalar]], dtype: str | None) -> Conditions:
    """The conditions as a verdict alone tells them."""
    results = verdict.correctness.cases if verdict.correctness else ()
    secret = [one.case for one in results if one.secret]
    return Conditions(
        cases=tuple(cases),
        secret_cases=tuple(case for at, case in enumerate(secret) if case not in secret[:at]),
        dtype=dtype,
        tolerance=verdict.tolerance,
        precision=verdict.precision,
        framework=verdict.framework,
        baselines=tuple(dict.fromkeys(one.baseline for one in verdict.timing)),
    )


def rechecked(kernel: JudgedKernel, now: Verdict) -> Rechecked:
    """What the judge's answer of today says about a kernel."""
    pair = pair_of(_cell(kernel, kernel.verdict), _cell(kernel, _on_cases_of(kernel.verdict, now)))
    if not pair.reason and pair.call in (Call.WORSE, Call.BETTER):
        pair = replace(pair, reason=_seconds(kernel.verdict, now))
    elif kernel.verdict.timing and not now.timing and "timing" in now.absent and now.passed:
        pair = replace(pair, reason=f"still right; not timed: {now.absent['timing']}")
    elif pair.call is Call.UNKNOWN and now.passed:
        pair = replace(pair, reason=f"still right; {pair.reason}")
    return Rechecked(pair, now, changes_of(kernel.verdict.environment, now.environment))


def unreached(kernel: JudgedKernel, reason: str) -> Rechecked:
    """A kernel that cannot be judged here, which says nothing about it."""
    return Rechecked(Pair(kernel.problem, kernel.dsl, kernel.verdict.target, Call.UNKNOWN, reason))


def in_order(of: str, kernels: Sequence[Rechecked]) -> Recheck:
    """All of them, what got worse first."""
    return Recheck(of, tuple(sorted(kernels, key=lambda one: ORDER.index(one.pair.call))))


def _on_cases_of(before: Verdict, now: Verdict) -> Verdict:
    """``now`` without times at cases that had none before: older verdicts have the time of one case alone."""
    had = [*(one.case for one in before.timing), *(one.case for one in before.untimed)]
    return replace(
        now,
        timing=tuple(one for one in now.timing if one.case in had),
        untimed=tuple(one for one in now.untimed if one.case in had),
    )


def _cell(kernel: JudgedKernel, verdict: Verdict) -> Cell:
    state, reason = State.RIGHT, ""
    if verdict.unfit or verdict.status is Status.NOT_RUN:
        state, reason = State.NOT_RUN, verdict.message
    elif not verdict.passed:
        state, reason = State.WRONG, f"{verdict.status}: {verdict.message}"
    speeds = speeds_of(verdict) if verdict.passed else {}
    device = verdict.timing[0].device if speeds else ""
    target = kernel.verdict.target
    return Cell(kernel.problem, kernel.dsl, target, state, reason, speeds=speeds, device=device, source=kernel.source)


def _seconds(before: Verdict, now: Verdict) -> str:
    """Which of the two changed, kernel or baseline, over the first case that both have timed."""
    for old in before.timing:
        for new in now.timing:
            if (old.baseline, old.case) == (new.baseline, new.case):
                kernel = f"kernel {old.seconds * 1e6:.4g} → {new.seconds * 1e6:.4g} us"
                return (
                    f"{kernel}, {old.baseline} {old.baseline_seconds * 1e6:.4g} → {new.baseline_seconds * 1e6:.4g} us"
                )
    return ""


def changes_of(before: Environment, now: Environment) -> tuple[Change, ...]:
    """What differs between two environments, by name."""
    old, new = _flat(before), _flat(now)
    names = dict.fromkeys((*old, *new))
    return tuple(Change(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name))


def _flat(environment: Environment) -> dict[str, str]:
    found = {"hardware": environment.hardware, "node": environment.node, **environment.libs, **environment.settings}
    return {name: value for name, value in found.items() if value}
