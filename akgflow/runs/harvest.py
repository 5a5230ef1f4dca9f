"""Entries of the knowledge store from a run's folder: of kernels whose verdict its journal holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from akgflow import __version__
from akgflow.errors import ConfigError
from akgflow.knowledge import Entry, why_not
from akgflow.planning import Job, Plan
from akgflow.runs.journal import Journal
from akgflow.runs.layout import OPERATOR, PLAN
from akgflow.runs.lessons import cause_in, lessons_of
from akgflow.runs.reader import candidates_of, journal_of, operator_of, plan_of
from akgflow.runs.records import Finished
from akgflow.runs.result import Attempt
from akgflow.search import Candidate
from akgflow.verdict import OperatorFeatures, Verdict

NOT_ASKED = OperatorFeatures(unknown="the run did not ask for them")


def harvest(folder: Path) -> list[Entry]:
    """The kernels that a run has verified, gates aside; raises `ConfigError` where the folder is not a run's.

    ``features`` are `NOT_ASKED` where the journal has none.
    """
    plan, operator = plan_of(folder), operator_of(folder)
    if plan is None:
        raise ConfigError(f"{folder} is not the folder of a run: it holds no {PLAN}")
    if operator is None:
        raise ConfigError(f"{folder} does not hold the operator that was run: akgflow run TASK --repair writes it")
    if hashlib.sha256(operator.encode()).hexdigest() != plan.inputs.get("operator"):
        raise ConfigError(f"{folder / OPERATOR} was changed after the run: its digest is not the plan's")
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
