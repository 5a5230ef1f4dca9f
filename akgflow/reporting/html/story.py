"""What the page of a run tells: the turns of each job with calls, candidate and verdict, and what was spent by then.

Read from the folder alone, while the run goes on too: the journal gives the order, the calls and what they took, the
folders of the jobs give prompts and candidates, the result gives the outcomes once there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from akgflow.config.types import Budget
from akgflow.errors import ConfigError
from akgflow.models.base import CallKey, ModelReply
from akgflow.planning import Job, Plan
from akgflow.runs.journal import Journal
from akgflow.runs.layout import PLAN
from akgflow.runs.matrix import Matrix, of_plan
from akgflow.runs.reader import candidates_of, journal_of, operator_of, plan_of, prompt_of, result_of, verdict_of
from akgflow.runs.records import Finished
from akgflow.runs.result import Account, Attempt, JobResult, RunResult
from akgflow.runs.spending import spending, summed
from akgflow.search import Candidate, worth
from akgflow.verdict import Verdict

Place = tuple[str, str, int, int]
"""Job, step, attempt and sample."""
UNFINISHED = "unfinished"


class Spent(NamedTuple):
    """What the run had taken when something was finished: the line of the journal, and the sums up to it."""

    line: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Call:
    """One model call with its prompt."""

    key: CallKey
    reply: ModelReply
    prompt: str


@dataclass(frozen=True)
class Turn:
    """One attempt of a step: calls, the candidate that came of them, and its verdict.

    ``attempt`` is what the result says about it; None while the run is unfinished.
    """

    place: Place
    spent: Spent
    calls: tuple[Call, ...] = ()
    candidate: Candidate | None = None
    verdict: Verdict | None = None
    attempt: Attempt | None = None

    @property
    def id(self) -> str:
        """Its name within the run: ``triton-cpu.fix.2.1``."""
        return ".".join(map(str, self.place))

    @property
    def name(self) -> str:
        """Its name within its job: ``fix 2``, ``evolve 3-4``."""
        _, step, attempt, sample = self.place
        return f"{step} {attempt}" + (f"-{sample}" if sample > 1 else "")

    @property
    def status(self) -> str:
        """The word for how it ended."""
        if self.attempt is not None:
            return self.attempt.status
        return str(self.verdict.status) if self.verdict else ""

    @property
    def message(self) -> str:
        """The sentence that goes with it."""
        if self.attempt is not None:
            return self.attempt.message
        return self.verdict.message if self.verdict else ""


@dataclass(frozen=True)
class JobStory:
    """One matrix cell: its plan, its end where there is one, and its turns in the order in which they finished."""

    job: Job
    result: JobResult | None
    turns: tuple[Turn, ...]

    @property
    def outcome(self) -> str:
        """How the job ended; ``unfinished`` before that."""
        if self.job.impossible:
            return "impossible"
        return str(self.result.outcome).replace("_", " ") if self.result else UNFINISHED

    @property
    def reason(self) -> str:
        """Why it is not met; empty where it is, or where that is open."""
        return self.job.impossible or (self.result.reason if self.result else "")

    @cached_property
    def best(self) -> Turn | None:
        """The winner, or the best so far."""
        judged = [turn for turn in self.turns if turn.verdict and turn.candidate]
        if self.result is not None and self.result.best is not None:
            named = [turn for turn in judged if turn.candidate and turn.candidate.id == self.result.best]
            judged = named or judged
        return max(judged, key=lambda turn: worth(turn.verdict) if turn.verdict else (), default=None)


@dataclass(frozen=True)
class Story:
    """A run, finished or not. ``shared`` are turns that served all jobs."""

    folder: Path
    plan: Plan
    operator: str
    result: RunResult | None
    jobs: tuple[JobStory, ...]
    shared: tuple[Turn, ...]
    accounts: tuple[Account, ...]
    seconds: float
    matrix: Matrix

    @property
    def budget(self) -> Budget:
        """The ceilings under which it ran last."""
        return self.result.budget if self.result else self.plan.budget

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All of them, by job."""
        return (*self.shared, *(turn for job in self.jobs for turn in job.turns))


def read_story(folder: Path) -> Story:
    """Raises `ConfigError` where the folder is not a run's, `DamagedRun` where what it holds cannot be read."""
    plan = plan_of(folder)
    if plan is None:
        raise ConfigError(f"{folder} is not a run's folder: it holds no {PLAN}")
    result = result_of(folder)
    with closing(journal_of(folder)) as journal:
        reading = _Reading(folder, journal)
        ended = {job.job: job for job in result.jobs} if result else {}
        jobs = tuple(JobStory(job, ended.get(job.id), reading.turns(job.id, ended.get(job.id))) for job in plan.jobs)
        own = {job.id for job in plan.jobs}
        shared = tuple(
            turn
            for name in dict.fromkeys(p[0] for p in reading.calls)
            if name not in own
            for turn in reading.turns(name, None)
        )
        return Story(
            folder=folder,
            plan=plan,
            operator=operator_of(folder) or "",
            result=result,
            jobs=jobs,
            shared=shared,
            accounts=reading.accounts,
            seconds=result.seconds if result else reading.now.seconds,
            matrix=of_plan(plan, folder, plan.cases),
        )


class _Reading:
    """The journal by place, with the sums after each of its lines."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder, self._journal = folder, journal
        self.calls: dict[Place, list[Call]] = {}
        self.now = Spent()
        self._spent: dict[str, Spent] = {}
        rows = list(spending(journal))
        self.accounts = summed(row for _, row in rows)
        took = dict(_sums(rows))
        for line, (key, _) in enumerate(journal.items(""), 1):
            tokens, usd = took.get(key, (self.now.tokens, self.now.usd))
            self.now = Spent(line, tokens, usd, max(self.now.seconds, journal.seconds(key)))
            self._spent[key] = self.now
            if key.startswith("call "):
                self._called(key)

    def _called(self, key: str) -> None:
        done = self._journal.read(key, Finished)
        place = (done.key.job, done.key.step, done.key.attempt, done.key.sample)
        self.calls.setdefault(place, []).append(Call(done.key, done.reply, prompt_of(self._folder, done.key)))

    def turns(self, job: str, result: JobResult | None) -> tuple[Turn, ...]:
        """The turns of a job, in the order in which they were finished."""
        found: dict[Place, Turn] = {}
        for place, calls in self.calls.items():
            if place[0] == job:
                last = self._spent[f"call {calls[-1].key}"]
                found[place] = Turn(place, last, tuple(calls))
        for candidate in candidates_of(self._folder, job):
            place = (job, candidate.step, candidate.attempt, candidate.sample)
            found[place] = self._judged(found.get(place, Turn(place, Spent())), candidate)
        attempts: Mapping[Place, Attempt] = (
            {(job, a.step, a.attempt, a.sample): a for a in result.attempts} if result else {}
        )
        every = (replace(turn, attempt=attempts.get(place)) for place, turn in found.items())
        return tuple(sorted(every, key=lambda turn: turn.spent.line))

    def _judged(self, turn: Turn, candidate: Candidate) -> Turn:
        """A program that differs in form only was not judged again: its verdict lies beside it alone."""
        key = f"verdict {turn.place[0]}.{candidate.id}"
        if key in self._journal:
            spent = max(turn.spent, self._spent[key])
            return replace(turn, spent=spent, candidate=candidate, verdict=self._journal.read(key, Verdict))
        return replace(turn, candidate=candidate, verdict=verdict_of(self._folder, turn.place[0], candidate))


def _sums(rows: Sequence[tuple[str, Account]]) -> list[tuple[str, tuple[int, float]]]:
    """Tokens and US dollars up to each effect that took some."""
    tokens, usd, found = 0, 0.0, []
    for key, row in rows:
        tokens += row.prompt_tokens + row.completion_tokens
        usd += row.usd
        found.append((key, (tokens, usd)))
    return found
