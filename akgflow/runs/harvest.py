"""Entries of the knowledge store from a run's folder: kernels whose verdict its journal holds, and their lessons.

A lesson is what failed before a kernel passed, and why, as the replies that repaired it say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from akgflow import __version__
from akgflow.base.text import lines
from akgflow.errors import ConfigError
from akgflow.features import OperatorFeatures
from akgflow.knowledge import Entry, Lesson, why_not
from akgflow.planning import Job, Plan
from akgflow.runs.journal import Journal
from akgflow.runs.layout import PLAN
from akgflow.runs.reader import candidates_of, journal_of, judged_operator, plan_of
from akgflow.runs.records import Finished
from akgflow.runs.result import Attempt
from akgflow.search import Candidate
from akgflow.terms import Status
from akgflow.verdict import Verdict

MOST_LESSONS = 12
"""Failures that one entry remembers; the later ones are nearer to what was right."""
NOT_ASKED = OperatorFeatures(unknown="the run did not ask for them")


def harvest(folder: Path) -> list[Entry]:
    """The kernels that a run has verified, gates aside; raises `ConfigError` where the folder is not a run's.

    ``features`` are `NOT_ASKED` where the journal has none.
    """
    plan = plan_of(folder)
    if plan is None:
        raise ConfigError(f"{folder} is not the folder of a run: it holds no {PLAN}")
    operator = judged_operator(folder, plan)
    journal = journal_of(folder)
    try:
        features = journal.read("features", OperatorFeatures) if "features" in journal else NOT_ASKED
        return [entry for job in plan.runnable for entry in _entries(folder, journal, plan, job, operator, features)]
    finally:
        journal.close()


def _entries(
    folder: Path, journal: Journal, plan: Plan, job: Job, operator: str, features: OperatorFeatures
) -> list[Entry]:
    sources, attempts = _attempts(folder, journal, job)
    way = lessons_of(attempts, _causes(journal, job))
    verdicts = {a.candidate: journal.read(f"verdict {job.id}.{a.candidate}", Verdict) for a in attempts}
    return [
        Entry(
            task=plan.task,
            operator=operator,
            dsl=job.dsl,
            target=job.target,
            platform=job.platform,
            arch=job.arch,
            source=sources[candidate],
            verdict=verdict,
            features=features,
            cases=plan.cases,
            dtype=plan.dtype,
            lessons=way,
            akgflow=__version__,
            added=verdict.timestamp,
        )
        for candidate, verdict in verdicts.items()
        if not why_not(verdict)
    ]


def _attempts(folder: Path, journal: Journal, job: Job) -> tuple[dict[str, str], list[Attempt]]:
    """Sources by candidate, and the attempts in the order of their verdicts; a file that was changed is none."""
    written: dict[str, Candidate] = {}
    for candidate in candidates_of(folder, job.id):
        written.setdefault(candidate.id, candidate)
    attempts = []
    for key, data in journal.items(f"verdict {job.id}."):
        found = written.get(key.rpartition(".")[2])
        if found is not None:
            place = (found.step, found.attempt, found.sample, found.id)
            attempts.append(Attempt(*place, data["status"], data["message"]))
    return {name: found.source for name, found in written.items()}, attempts


def _causes(journal: Journal, job: Job) -> Mapping[tuple[str, int], str]:
    replies = (journal.read(key, Finished) for key, _ in journal.items(f"call {job.id}."))
    said = ((one.key, cause_in(one.reply.text)) for one in replies)
    return {(key.step, key.attempt): cause for key, cause in said if cause}


def lessons_of(attempts: Sequence[Attempt], causes: Mapping[tuple[str, int], str]) -> tuple[Lesson, ...]:
    """What failed on the way, each failure once.

    ``causes`` holds what was said before an attempt of a step, by its name and number: it is about the failure that
    came before.
    """
    lessons: dict[tuple[str, str], Lesson] = {}
    last: tuple[str, str] | None = None
    before: tuple[str, int] | None = None
    for attempt in attempts:
        place = (attempt.step, attempt.attempt)
        cause = causes.get(place, "")
        if cause and last is not None and before != place and not lessons[last].cause:
            lessons[last] = replace(lessons[last], cause=cause)
        if attempt.status != Status.PASSED:
            last, before = (attempt.status, attempt.message), place
            lessons.setdefault(last, Lesson(*last))
    return tuple(lessons.values())[-MOST_LESSONS:]


def cause_in(reply: str) -> str:
    """The one line in which a reply names the cause: an advisor's ``reason``, or a line ``Lesson: …``; else empty."""
    with suppress(ValueError):
        data = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
        if isinstance(data, dict) and "decision" in data:
            return str(data.get("reason", ""))
    for line in lines(reply):
        if line.lower().startswith("lesson:"):
            return line.partition(":")[2].strip()
    return ""
