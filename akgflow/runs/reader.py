"""What a run's folder tells: the result of a finished run, or how far an unfinished one came."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from akgflow.agents import Examples
from akgflow.base.text import received
from akgflow.budget.ledger import Ledger, Spent
from akgflow.config.types import Budget
from akgflow.errors import ConfigError
from akgflow.models.base import CallKey
from akgflow.planning import Job, Plan
from akgflow.runs.damage import DamagedRun, read_file, read_whole_text
from akgflow.runs.journal import Journal
from akgflow.runs.layout import JOURNAL, OPERATOR, PARENTS, PLAN, RESULT, attempt_in, best_in, prompt_file
from akgflow.runs.records import AgentSession, Finished, shown_kernels
from akgflow.runs.result import Account, RunResult, ShownKernel
from akgflow.runs.spending import accounts, book_earlier_sessions, session_seconds
from akgflow.search import Candidate
from akgflow.verdict import Verdict

_PLACE = re.compile("(.+)-([0-9]+)-([0-9]+)")
"""A folder in ``jobs/``: step, attempt, sample."""


@dataclass(frozen=True)
class SoFar:
    """What a job of an unfinished run has."""

    job: str
    dsl: str
    target: str
    replies: int
    verdicts: tuple[Verdict, ...]
    trials: int = 0
    """Further judgements: those that agents asked for while they worked."""


@dataclass(frozen=True)
class SessionSoFar:
    """An agent that works, or worked, in a folder: what it has used of what it was given, up to its last question."""

    job: str
    step: str
    agent: str
    used: int
    judgements: int
    minutes_used: float
    minutes: float


@dataclass(frozen=True)
class Unfinished:
    """A run that has no result yet: what is done, by the journal's keys and by job, and what it took so far.

    ``examples`` are by job the kernels of the knowledge store that its prompts could show.
    """

    folder: str
    done: tuple[str, ...]
    budget: Budget
    accounts: tuple[Account, ...]
    finished: bool = False
    jobs: tuple[SoFar, ...] = ()
    examples: Mapping[str, tuple[ShownKernel, ...]] = field(default_factory=dict)
    sessions: tuple[SessionSoFar, ...] = ()


def plan_of(folder: Path) -> Plan | None:
    """What the run was going to do; None where the folder has no plan."""
    return read_file(folder / PLAN, Plan)


def result_of(folder: Path) -> RunResult | None:
    """The result of a run that nobody can go on with; None where it is unfinished."""
    result = read_file(folder / RESULT, RunResult)
    return result if result is not None and result.finished else None


def has_result(folder: Path) -> bool:
    """True once the run is done."""
    return (folder / RESULT).exists()


def has_kernels(folder: Path) -> bool:
    """True where a job has handed over its best candidate."""
    return (folder / "best").is_dir()


def operator_of(folder: Path) -> str | None:
    """The reference as it was when the run began; None where the folder does not hold it."""
    return read_whole_text(folder / OPERATOR)


def judged_operator(folder: Path, plan: Plan) -> str:
    """The reference by which a run judged; raises `ConfigError` where the folder does not hold it as it was."""
    operator = operator_of(folder)
    if operator is None:
        raise ConfigError(f"{folder} does not hold the operator that was run: akgflow run TASK --repair writes it")
    if hashlib.sha256(operator.encode()).hexdigest() != plan.inputs.get("operator"):
        raise ConfigError(f"{folder / OPERATOR} was changed after the run: its digest is not the plan's")
    return operator


def journal_of(folder: Path) -> Journal:
    """The run's journal, to read; the caller closes it."""
    return Journal(folder / JOURNAL, mend=False)


def taken_in(folder: Path) -> tuple[Spent, float]:
    """What a run has spent by its journal, and the wall seconds that it took; nothing where it has not begun."""
    if not (folder / JOURNAL).exists():
        return Spent(), 0.0
    ledger = Ledger()
    with closing(journal_of(folder)) as journal:
        book_earlier_sessions(journal, ledger)
        return ledger.spent, 60.0 * journal.minutes_before


def candidates_of(folder: Path, job: str) -> list[Candidate]:
    """Every candidate that a job wrote, by step, attempt and sample."""
    found = []
    for path in sorted((folder / "jobs" / job).glob("*/candidate.py")):
        named = _PLACE.fullmatch(path.parent.name)
        if named is not None:
            place = (named[1], int(named[2]), int(named[3]))
            found.append(Candidate(received(path.read_bytes()), *place, _parents(path.with_name(PARENTS))))
    return found


def _parents(path: Path) -> tuple[str, ...]:
    """Empty also where the file is damaged: nothing is decided by it."""
    with suppress(DamagedRun):
        return read_file(path, tuple[str, ...]) or ()
    return ()


def verdict_of(folder: Path, job: str, candidate: Candidate) -> Verdict | None:
    """The verdict that lies beside a candidate; None where there is none, or none that can be read."""
    with suppress(DamagedRun):
        return read_file(_place(folder, job, candidate) / "verdict.json", Verdict)
    return None


def prompt_of(folder: Path, key: CallKey) -> str:
    """The prompt of a call as people read it; empty where the folder does not hold it."""
    with suppress(OSError):
        return received((_place(folder, key.job, key) / prompt_file(key.agent, key.resend)).read_bytes())
    return ""


def _place(folder: Path, job: str, of: Candidate | CallKey) -> Path:
    return attempt_in(folder, job, of.step, of.attempt, of.sample)


def best_verdict(folder: Path, job: str) -> Verdict | None:
    """The verdict of a job's best candidate; None where the run has none yet."""
    return read_file(best_in(folder, job) / "verdict.json", Verdict)


def best_candidate(folder: Path, job: str) -> str | None:
    """The text of a job's best candidate; None where the run has none yet."""
    return read_whole_text(best_in(folder, job) / "candidate.py")


def read_run(folder: Path) -> RunResult | Unfinished:
    """The result that lies in a run's folder, or what its journal holds.

    Raises `ConfigError` where it is no run's folder, and `DamagedRun` where what it holds cannot be read.
    """
    result = read_file(folder / RESULT, RunResult)
    if result is not None:
        return result
    plan = plan_of(folder)
    if plan is None and not (folder / JOURNAL).exists():
        raise ConfigError(f"{folder} is not a run's folder: it holds neither {RESULT} nor {JOURNAL} nor {PLAN}")
    journal = journal_of(folder)
    done = tuple(key for key, _ in journal.items("") if not key.startswith("lost "))
    looked_up = {key.partition(" ")[2]: journal.read(key, Examples) for key, _ in journal.items("examples ")}
    examples = {job: shown_kernels(one) for job, one in looked_up.items() if one.kernels}
    budget = plan.budget if plan else Budget()
    replies = Counter(journal.read(key, Finished).key.job for key, _ in journal.items("call "))
    jobs = tuple(_so_far(job, replies[job.id], journal) for job in plan.runnable) if plan else ()
    sessions = tuple(_session(key.partition(" ")[2], journal) for key, _ in journal.items("session "))
    return Unfinished(str(folder), done, budget, accounts(journal), jobs=jobs, examples=examples, sessions=sessions)


def _so_far(job: Job, replies: int, journal: Journal) -> SoFar:
    verdicts = tuple(journal.read(key, Verdict) for key, _ in journal.items(f"verdict {job.id}."))
    trials = sum(1 for _ in journal.items(f"trial {job.id}."))
    return SoFar(job.id, job.dsl, job.target, replies, verdicts, trials)


def _session(place: str, journal: Journal) -> SessionSoFar:
    job, _, step = place.rpartition(".")
    given = journal.read(f"session {place}", AgentSession)
    used = sum(1 for _ in journal.items(f"asked {place}."))
    minutes = session_seconds(journal, place) / 60
    return SessionSoFar(job, step, given.agent, used, given.judgements, minutes, given.minutes)


def runs_in(runs: Path) -> dict[str, Path]:
    """The folders of all runs by name, the one at work last first; those of a suite as ``SUITE/problems/PROBLEM``."""
    marks = (runs.glob(f"{place}/{name}") for place in ("*", "*/problems/*") for name in (PLAN, JOURNAL, RESULT))
    found: dict[Path, float] = {}
    for path in (path for some in marks for path in some):
        found[path.parent] = max(found.get(path.parent, 0.0), path.stat().st_mtime)
    latest = sorted(found, key=lambda folder: found[folder], reverse=True)
    return {folder.relative_to(runs).as_posix(): folder for folder in latest}


def latest_of(name: str, known: Mapping[str, Path]) -> Path | None:
    """The run of that name among the ``known``, the latest ones first; else the latest run of the task of that name."""
    of_task = re.compile(rf"{re.escape(name)}-[0-9a-f]{{8}}(-[0-9]+)?")
    return known.get(name) or next((folder for one, folder in known.items() if of_task.fullmatch(one)), None)
