"""Steps of a workflow against a judge that knows all verdicts beforehand: for tests of what a search makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from akgflow.budget.usage import AbortedSpend
from akgflow.config import load
from akgflow.engine.context import RunContext
from akgflow.engine.dispatch import dispatch
from akgflow.engine.knowledge import RunKnowledge
from akgflow.engine.standing import Standing
from akgflow.engine.state import JobState
from akgflow.engine.steps import run_step
from akgflow.errors import AkgflowError
from akgflow.features import OperatorFeatures
from akgflow.machine import Machine
from akgflow.models.gateway import Gateway
from akgflow.planning import Plan, build_plan
from akgflow.ranking import Ranked, Ranking, RankRequest
from akgflow.runs.folder import claim
from akgflow.runs.journal import Journal
from akgflow.runs.result import Dispatch
from akgflow.search.quality import speed_of
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, JudgeRequest, Roofline, Timing, Verdict


def known(
    speed: float | None = None,
    *,
    status: Status = Status.PASSED,
    noise: float = 0.01,
    share: float | None = None,
    evidence: Evidence = Evidence.EXECUTED,
    message: str = "m",
) -> Verdict:
    """A verdict with a speedup over eager whose interval is ``noise`` wide on each side."""
    timing: tuple[Timing, ...] = ()
    if speed is not None and status is Status.PASSED:
        roofline = Roofline(1e-5, 1.0, 1.0, "memory", share) if share is not None else None
        interval = (speed * (1 - noise), speed * (1 + noise))
        timing = (Timing({}, "eager", 1e-3 / speed, 1e-3, speed, interval, "faster", 9, 0.0, "cpu", None, roofline),)
    return Verdict(status, message, "cpu", (evidence,), Environment("cpu"), "2025-01-01T00:00:00Z", timing=timing)


@dataclass
class KnownJudge:
    """An executor: ``verdict_of`` says what there is to say about a source.

    ``judged`` and ``ranked`` list what was asked.
    """

    verdict_of: Callable[[str], Verdict]
    judged: list[str] = field(default_factory=list)
    ranked: list[str] = field(default_factory=list)

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict that is known."""
        source = str(request.candidate)
        self.judged.append(source)
        return self.verdict_of(source)

    async def rank(self, asked: RankRequest) -> Ranking:
        """What the verdicts say, though nobody judged."""
        self.ranked += asked.sources
        first = speed_of(self.verdict_of(str(asked.request.candidate)))
        if first is None:
            return Ranking(reason="the first one has no time")
        found = [(verdict, speed_of(verdict)) for verdict in map(self.verdict_of, asked.sources)]
        return Ranking(
            tuple(
                Ranked(speed.ratio / first.ratio, (speed.ratio / first.ratio,), 9)
                if speed
                else Ranked(status=verdict.status, why=verdict.message)
                for verdict, speed in found
            )
        )

    async def features(self, asked: object) -> OperatorFeatures:
        """Nobody looked at the operator."""
        return OperatorFeatures(unknown="not asked")

    async def close(self) -> None:
        """Nothing to end."""


@dataclass
class Ran:
    """What came of the steps: the job's state, the plan, all that was said, the journal's keys, what ended it early."""

    state: JobState
    plan: Plan
    said: list[str]
    keys: list[str]
    failed: AkgflowError | None
    dispatch: Dispatch | None = None

    @property
    def course(self) -> list[tuple[str, int, int, str]]:
        """Every attempt: step, attempt, sample and status."""
        return [(a.step, a.attempt, a.sample, str(a.status)) for a in self.state.attempts]


def run_steps(task: Path, judge: KnownJudge, *overrides: str, folder: str = "run") -> Ran:
    """Run the steps of the task's workflow for its first job, in a folder that a second call goes on from."""
    loaded = load(str(task), overrides=overrides)
    space = loaded.workspace
    plan = build_plan(
        loaded.task,
        space,
        Machine("a cpu", 2),
        missing=lambda pack, evidence, target: None,
        price_of=lambda spec: spec.price,
        reply_tokens_of=lambda spec: 1000,
    )
    where = claim(space.root / folder, plan)
    journal = Journal(where.journal)
    state = JobState(plan.jobs[0])
    lost: list[AbortedSpend] = []
    said: list[str] = []
    made: list[Dispatch | None] = []

    def notify(job: str, text: str) -> None:
        said.append(text)

    async def main() -> AkgflowError | None:
        gateway = Gateway(space.models, recordings=Path())
        knowledge = RunKnowledge(loaded.task, space, plan, journal, judge, notify)
        standing = Standing.of(plan, gateway.ledger)
        run = RunContext(
            loaded.task, space, plan, where, journal, gateway, judge, notify, knowledge, lost.append, standing
        )
        try:
            for step in space.workflows[loaded.task.workflow].steps:
                await run_step(step, state, run)
            made.append(await dispatch(state, run))
        except AkgflowError as failed:
            return failed
        finally:
            await gateway.aclose()
        return None

    failed = asyncio.run(main())
    keys = [key for key, _ in journal.items("")]
    journal.close()
    where.release()
    return Ran(state, plan, said, keys, failed, *made)
