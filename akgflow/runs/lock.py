"""The ``run.lock`` of a run: what its verdicts and kernels depended on, for people and for those who judge again.

It is made from the plan, the journal and the workspace, and holds nothing secret: of texts their digests, of models
their parameters without keys. The seeds of the judge are drawn for each judgement and are never kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akgflow import __version__
from akgflow.base.secrets import is_secret_name, is_secret_value
from akgflow.base.serial import of_others
from akgflow.config.types import Task, Workspace
from akgflow.errors import ConfigError
from akgflow.planning import Conditions, Plan, identity
from akgflow.runs.damage import read_file
from akgflow.runs.journal import Journal
from akgflow.runs.layout import LOCK
from akgflow.runs.records import Finished
from akgflow.verdict import Environment, Verdict

VERSION = 1


@dataclass(frozen=True)
class LockedModel:
    """A model as it was asked."""

    model: str
    """Its id."""
    params: Mapping[str, Any]
    """What was sent with each prompt, such as a temperature and a seed."""


@dataclass(frozen=True)
class Lock:
    """What a run depended on."""

    task: str
    plan: str
    """sha256 of what the run does."""
    inputs: Mapping[str, str]
    """sha256 of every text that it depended on: operator, prompts, knowledge, targets."""
    conditions: Conditions
    """How its kernels were judged."""
    environments: tuple[Environment, ...]
    """With what they were judged, the latest last: a run that goes on after an update has several."""
    models: Mapping[str, LockedModel]
    """By the name in agents.yaml."""
    answered: Mapping[str, int]
    """Replies by the model that gave them and where they came from, such as ``openai/gpt-5-2025-08-07 (live)``."""
    seeds: Mapping[str, int]
    """Of searches and tuning, by step."""
    akgflow: str = __version__
    version: int = VERSION


def lock_of(task: Task, space: Workspace, plan: Plan, journal: Journal) -> Lock:
    """What a run has depended on so far."""
    calls = (journal.read(key, Finished).reply for key, _ in journal.items("call "))
    judged = (journal.read(key, Verdict).environment for key, _ in journal.items("verdict "))
    latest = list(judged)[::-1]
    distinct = [one for at, one in enumerate(latest) if one not in latest[:at]][::-1]
    steps = space.workflows[plan.workflow].steps
    return Lock(
        task=plan.task,
        plan=identity(plan),
        inputs=plan.inputs,
        conditions=Conditions.of(task),
        environments=tuple(distinct),
        models={name: LockedModel(model, _open(space.models[name].params)) for name, model in plan.models.items()},
        answered=Counter(f"{reply.answered_by} ({reply.origin})" for reply in calls),
        seeds={step.name: step.random_seed for step in steps if hasattr(step, "random_seed")},
    )


def _open(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without those that may hold a key, and without what has parts: a header is one of them."""
    plain = {name: value for name, value in params.items() if isinstance(value, bool | int | float | str)}
    return {name: one for name, one in plain.items() if not (is_secret_name(name) or is_secret_value(str(one)))}


def lock_in(folder: Path) -> Lock | None:
    """The lock of a run; None where it has none.

    Raises `DamagedRun` where it cannot be read, `ConfigError` where a later akgflow wrote it.
    """
    path = folder / LOCK
    try:
        version = of_others(path.read_bytes())["version"]
    except (OSError, ValueError, TypeError, KeyError):
        version = VERSION
    if version != VERSION:
        raise ConfigError(f"{path} has version {version}, and this akgflow reads {VERSION}: use a later akgflow")
    return read_file(path, Lock)
