"""Runs a suite: its problems side by side in rounds, each as an ordinary run within its share of the budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from akgflow.base.loop import run_async
from akgflow.budget.ledger import Spent
from akgflow.budget.shares import Shares, fair, next_round
from akgflow.budget.wall import WallClock
from akgflow.config import Suite
from akgflow.config.types import Task
from akgflow.engine import Shared, run_beside, using_own_clock
from akgflow.errors import BudgetError, ConfigError, ExitCode, MachineExhausted
from akgflow.executors.routing import RoutingExecutor
from akgflow.executors.scratch import Scratch
from akgflow.planning import Plan
from akgflow.runs import JobResult, Outcome, RunResult, open_run
from akgflow.runs.damage import DamagedRun
from akgflow.runs.reader import taken_in
from akgflow.suites.folder import SuiteFolder, SuiteRecord
from akgflow.suites.plan import SuitePlan
from akgflow.verdict import Verdict

Notify = Callable[[str, str], None]
"""Receives (problem or empty, one line) for everything that happens."""


@dataclass
class SuiteStanding:
    """How far a suite is; kept up to date while it runs."""

    problems: int
    ends: dict[str, RunResult] = field(default_factory=dict)
    """Of this round, by problem."""
    taken: dict[str, Spent] = field(default_factory=dict)
    """By problem, of all sessions."""
    begun: float = field(default_factory=time.monotonic)
    worked: int = 0
    """Runs that ended in this session and were not finished before."""

    def outcome(self, problem: str) -> str:
        """How a problem ended: ``met``, ``gate failed``, by job where there are several."""
        jobs = self.ends[problem].jobs
        outcomes = [f"{job.job} {job.outcome.value}" if len(jobs) > 1 else job.outcome.value for job in jobs]
        return ", ".join(outcomes).replace("_", " ")

    @property
    def done(self) -> int:
        """Problems that need nothing more."""
        return sum(one.finished for one in self.ends.values())

    @property
    def right(self) -> int:
        """Problems with a right kernel in each cell that can hold one."""
        return sum(_right(one) for one in self.ends.values())

    @property
    def spent(self) -> Spent:
        """Of all problems and sessions."""
        return sum(self.taken.values(), Spent())

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the problems that are left end as the ones of this session did; None before the first."""
        left = self.problems - len(self.ends)
        return (time.monotonic() - self.begun) / self.worked * left if self.worked else None


def _right(result: RunResult) -> bool:
    possible = [job for job in result.jobs if job.outcome is not Outcome.IMPOSSIBLE]
    return bool(possible) and all(job.verdict is not None and job.verdict.passed for job in possible)


@dataclass(frozen=True)
class SuiteResult:
    """How a suite ended, by problem."""

    suite: str
    folder: str
    ends: Mapping[str, RunResult]
    seconds: float
    rounds: int

    @property
    def finished(self) -> bool:
        """False when a later session can go on."""
        return all(one.finished for one in self.ends.values())

    @property
    def exit_code(self) -> ExitCode:
        """The most pressing of the problems': a missing provider, then the budget, then a failed gate."""
        codes = {one.exit_code for one in self.ends.values()}
        return next(
            (code for code in (ExitCode.PREREQUISITE, ExitCode.BUDGET, ExitCode.GATE_FAILED) if code in codes),
            ExitCode.DONE,
        )


Told = Callable[[str, SuiteStanding], None]


def run_suite(
    suite: Suite, plan: SuitePlan, folder: SuiteFolder, *, notify: Notify, told: Told, mend: bool = False
) -> SuiteResult:
    """Run or continue ``suite`` in ``folder``. ``told`` receives each problem that ends, with how far the suite is.

    Problems that cannot be judged are results. With ``mend`` damaged runs are repaired first. Raises `ConfigError`
    where the folder is in use, `DamagedRun`, `UntrustedJudge`, `MachineExhausted`. After an interruption, the same call
    goes on.
    """
    with folder.claimed(SuiteRecord(plan.suite, plan.identity, plan.listed, plan.baselines, plan.unfit)):
        return run_async(_Session(suite, plan, folder, notify, told, mend).run())


@dataclass
class _Session:
    suite: Suite
    plan: SuitePlan
    folder: SuiteFolder
    notify: Notify
    told: Told
    mend: bool

    def __post_init__(self) -> None:
        self._before, self._begun = self.folder.seconds, time.monotonic()
        self._names = tuple(one.name for one in self.plan.listed)
        self._standing = SuiteStanding(len(self._names))
        self._turns = asyncio.Semaphore(self.plan.parallel)
        self._short: MachineExhausted | None = None

    @property
    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._begun

    async def run(self) -> SuiteResult:
        """Rounds until nothing is left to do, or nothing to do it with."""
        self._standing.taken |= {name: taken_in(self.folder.run(name))[0] for name in self._names}
        held = self.folder.shares
        fits = held is not None and held.budget == self.plan.budget
        shares = held if fits and held else fair(self.plan.budget, self._names, self._standing.taken)
        scratch = Scratch(self.folder.scratch)
        machine = self.plan.plans[0].machine
        executor = RoutingExecutor(machine, scratch.path, using_own_clock, lambda text: self.notify("", text))
        shared = Shared(executor, WallClock(self.plan.budget.minutes, before=self._before / 60))
        try:
            while True:
                self.folder.share(shares)
                await self._round(shares, shared)
                more = next_round(shares, self._wants(), self._standing.taken) if shared.wall.left != 0.0 else None
                if more is None:
                    break
                shares = more
                self.notify("", f"round {shares.round}: {shares.most} of the problems get what is left of the budget")
        finally:
            await shared.connections.aclose()
            await executor.close()
            scratch.close()
            self.folder.beat(self._seconds, last=True)
        ends = {name: self._standing.ends[name] for name in self._names}
        return SuiteResult(self.plan.suite, str(self.folder.path), ends, self._seconds, shares.round)

    async def _round(self, shares: Shares, shared: Shared) -> None:
        """Every problem once: finished ones are read back, the others go on within their shares."""
        self._standing.ends.clear()
        try:
            async with asyncio.TaskGroup() as group:
                for name, member, plan in zip(self._names, self.suite.members, self.plan.plans, strict=True):
                    share = shares.of[name]
                    job = self._one(name, replace(member.task, budget=share), replace(plan, budget=share), shared)
                    group.create_task(job)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        if self._short is not None:
            raise self._short

    async def _one(self, name: str, task: Task, plan: Plan, shared: Shared) -> None:
        """A shortage of the machine lets no further problem begin; those under way finish what is paid for."""
        async with self._turns:
            if self._short is not None:
                return
            try:
                result = await self._ended(name, task, plan, shared)
            except MachineExhausted as short:
                self._short = short
                return
        self._standing.ends[name] = result
        self._standing.taken[name] = result.spent
        self.folder.note_end(name, result)
        self.told(name, self._standing)

    async def _ended(self, name: str, task: Task, plan: Plan, shared: Shared) -> RunResult:
        folder = self.folder.run(name)
        opened = open_run(folder, plan, mend=self.mend)
        if isinstance(opened, RunResult):
            return opened

        def notify(job: str, text: str) -> None:
            self.folder.beat(self._seconds)
            self.notify(f"{name}/{job}" if job else name, text)

        try:
            return await run_beside(task, self.suite.workspace, plan, opened, shared, notify=notify)
        except DamagedRun:
            raise
        except BudgetError as spent:
            return self._without_a_kernel(folder, plan, Outcome.BUDGET, str(spent))
        except ConfigError as unfit:
            return self._without_a_kernel(folder, plan, Outcome.IMPOSSIBLE, str(unfit))
        finally:
            self._standing.worked += 1

    def _without_a_kernel(self, folder: Path, plan: Plan, outcome: Outcome, reason: str) -> RunResult:
        jobs = tuple(JobResult(job.id, job.dsl, job.target, outcome, reason) for job in plan.jobs)
        spent, _ = taken_in(folder)
        return RunResult(plan.task, str(folder), jobs, spent, 0.0, budget=plan.budget)

    def _wants(self) -> dict[str, float]:
        """By problem that its share kept from going on: what more would be worth."""
        weights = {one.name: one.weight for one in self.plan.listed}
        worth = {name: headroom(result) * weights[name] for name, result in self._standing.ends.items()}
        return {name: some for name, some in worth.items() if some > 0}


def headroom(result: RunResult) -> float:
    """What may be gained for the jobs that their budget stopped: 1 for each without a right kernel.

    For a right one, the share of the roofline that is missing; a half where no roofline is known.
    """
    stopped = [job.verdict for job in result.jobs if job.outcome is Outcome.BUDGET]
    return sum(_missing(verdict) for verdict in stopped)


def _missing(verdict: Verdict | None) -> float:
    if verdict is None or not verdict.passed:
        return 1.0
    shares = [one.roofline.share for one in verdict.timing if one.roofline is not None]
    return max(0.01, 1.0 - min(shares)) if shares else 0.5
