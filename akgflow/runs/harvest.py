"""Entries of the knowledge store from a run's folder: of kernels whose verdict its journal holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import cattrs

from akgflow import __version__
from akgflow.errors import ConfigError
from akgflow.features import OperatorFeatures
from akgflow.knowledge import Entry, why_not
from akgflow.planning import Job, Plan
from akgflow.runs.folder import OPERATOR
from akgflow.runs.journal import Journal
from akgflow.runs.lessons import cause_in, lessons_of
from akgflow.runs.records import Finished
from akgflow.runs.result import Attempt
from akgflow.search import Candidate
from akgflow.serial import from_data
from akgflow.verdict import Verdict

NOT_ASKED = OperatorFeatures(unknown="the run did not ask for them")


def harvest(folder: Path) -> list[Entry]:
    """The kernels that a run has verified, gates aside; raises `ConfigError` where the folder is not a run's.

    ``features`` are `NOT_ASKED` where the journal has none.
    """
    plan, operator = _plan(folder), _operator(folder)
    if hashlib.sha256(operator.encode()).hexdigest() != plan.inputs.get("operator"):
        raise ConfigError(f"{folder / OPERATOR} was changed after the run: its digest is not the plan's")
    journal = Journal(folder / "journal.jsonl")
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
    for path in sorted((folder / "jobs" / job.id).glob("*/candidate.py")):
        step, attempt, sample = path.parent.name.rsplit("-", 2)
        candidate = Candidate(path.read_text(encoding="utf-8"), step, int(attempt), int(sample))
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


def _plan(folder: Path) -> Plan:
    try:
        return from_data(json.loads((folder / "plan.json").read_text(encoding="utf-8")), Plan)
    except (OSError, ValueError, cattrs.BaseValidationError) as error:
        raise ConfigError(f"{folder} is not the folder of a run of this akgflow: {error}") from None


def _operator(folder: Path) -> str:
    try:
        return (folder / OPERATOR).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} does not hold the operator that was run ({error}): run the task again") from None
