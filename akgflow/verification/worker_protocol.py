"""What an executor and the judge process that it has started, both trusted, say to each other: JSON, a line each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import get_args

from akgflow.base.serial import from_data, to_data
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import Machine
from akgflow.ranking import Ranking, RankRequest
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.verdict import JudgeRequest, Verdict


@dataclass(frozen=True)
class Start:
    """To the judge, first of all: what this machine is."""

    machine: Machine


@dataclass(frozen=True)
class Ready:
    """From the judge: it has loaded what it needs."""


@dataclass(frozen=True)
class Judge:
    """To the judge: a candidate, and a folder for what it writes."""

    id: int
    request: JudgeRequest
    scratch: str


@dataclass(frozen=True)
class WantMachine:
    """From the judge: it would time now, and needs the machine alone."""

    id: int


@dataclass(frozen=True)
class Granted:
    """To the judge: it has the machine alone."""

    id: int


@dataclass(frozen=True)
class Judged:
    """From the judge."""

    id: int
    verdict: Verdict


@dataclass(frozen=True)
class Look:
    """To the judge: an operator to look into."""

    id: int
    request: FeatureRequest


@dataclass(frozen=True)
class Looked:
    """From the judge."""

    id: int
    features: OperatorFeatures


@dataclass(frozen=True)
class Reproduce:
    """To the judge: a candidate whose failure is to be shown again, and a folder for what it writes."""

    id: int
    request: ReproduceRequest
    scratch: str


@dataclass(frozen=True)
class Found:
    """From the judge."""

    id: int
    found: Reproduced


@dataclass(frozen=True)
class Rank:
    """To the judge: candidates to rank, and a folder for what it writes."""

    id: int
    request: RankRequest
    scratch: str


@dataclass(frozen=True)
class InOrder:
    """From the judge."""

    id: int
    ranking: Ranking


@dataclass(frozen=True)
class Exhausted:
    """From the judge: what the machine is short of, so that nothing is decided."""

    id: int
    reason: str


@dataclass(frozen=True)
class Bug:
    """From the judge: its own traceback. What a candidate does is always a verdict."""

    id: int
    traceback: str


Message = (
    Start
    | Ready
    | Judge
    | WantMachine
    | Granted
    | Judged
    | Look
    | Looked
    | Reproduce
    | Found
    | Rank
    | InOrder
    | Exhausted
    | Bug
)
_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


def to_line(message: Message) -> str:
    """A message as one line, its end included."""
    return json.dumps({"kind": type(message).__name__} | to_data(message)) + "\n"


def from_line(line: str | bytes) -> Message:
    """The message of a line; raises `ValueError` where it is none."""
    try:
        data = json.loads(line)
        return from_data(data, _KINDS[data.pop("kind")])
    except Exception as error:
        raise ValueError(f"no message of the judge's protocol: {error!r}"[:500]) from error
