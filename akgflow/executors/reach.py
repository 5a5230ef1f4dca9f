"""What can be judged where: targets that this machine has, and those that a Ray cluster is said to have.

Ray is not imported here: a short process of its own asks the cluster, and only where a target says that it is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from akgflow.base.serial import from_data, to_data
from akgflow.config.types import DslPack, Target, ToolchainFile, Workspace
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains import missing_on

SURVEY_SECONDS = 90.0
"""For Ray to load, to connect, and to start a worker on each node that has the resources."""


@dataclass(frozen=True)
class Question:
    """What is asked about a cluster: can these ``evidence`` be had with these toolchains (by DSL) for this target?"""

    target: Target
    evidence: Mapping[str, tuple[Evidence, ...]]
    toolchains: Mapping[str, str | ToolchainFile]


@dataclass(frozen=True)
class Answer:
    """What a cluster says about one target.

    ``problem`` says why the target cannot be judged there at all. ``places`` counts the judgements that fit at once,
    ``machines`` are the nodes that have the resources, as they see themselves, by name; ``missing`` gives, for each DSL
    and evidence, why it cannot be had on them, or None.
    """

    problem: str = ""
    places: int = 0
    machines: Mapping[str, Machine] = field(default_factory=dict)
    missing: Mapping[str, Mapping[Evidence, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Survey:
    """The answers of one cluster by target."""

    answers: Mapping[str, Answer]


class Places:
    """What planning asks: why an evidence is out of reach, and where a target would be judged.

    A cluster is asked once, when the first question about a target of it comes; all its targets are asked about.
    """

    def __init__(self, machine: Machine, workspace: Workspace) -> None:
        self.machine, self.workspace = machine, workspace
        self._here = missing_on(machine)

    def missing(self, pack: DslPack, evidence: Evidence, target: Target) -> str | None:
        """Why ``evidence`` is out of reach, or None.

        Where the cluster cannot judge a target, this machine still interprets and compiles for it; what is said to be
        there is never executed here.
        """
        answer = self.answer(target)
        if answer is None:
            return self._here(pack, evidence, target)
        if not answer.problem:
            reason = answer.missing[pack.name][evidence]
            return reason and f"{reason} (so says the cluster's node)"
        return answer.problem if evidence is Evidence.EXECUTED else self._here(pack, evidence, target)

    def at(self, target: Target) -> str:
        """The cluster and what a judgement takes of it; empty for what is judged on this machine."""
        answer = self.answer(target)
        return "" if answer is None or answer.problem or target.reach is None else str(target.reach)

    def answer(self, target: Target) -> Answer | None:
        """What the target's cluster says about it; None where the target is not said to be elsewhere."""
        return self._answers[target.name] if target.reach is not None else None

    @cached_property
    def _answers(self) -> Mapping[str, Answer]:
        far: dict[str, list[Target]] = {}
        for target in self.workspace.targets.values():
            if target.reach is not None:
                far.setdefault(target.reach.address, []).append(target)
        return {name: answer for targets in far.values() for name, answer in self._ask(targets).items()}

    def _ask(self, targets: list[Target]) -> Mapping[str, Answer]:
        packs = self.workspace.dsls.values()
        questions = []
        for target in targets:
            offered = {
                pack.name: pack.platforms[target.platform] for pack in packs if target.platform in pack.platforms
            }
            chains = {name: self.workspace.dsls[name].toolchain for name in offered}
            questions.append(Question(target, offered, chains))
        return survey(questions)


def survey(questions: list[Question]) -> Mapping[str, Answer]:
    """Ask the one cluster that all ``questions`` are about, in a process of its own, for at most `SURVEY_SECONDS`."""
    reach = questions[0].target.reach
    assert reach is not None, "only targets that are elsewhere are asked about"
    command = [sys.executable, "-P", "-m", "akgflow.executors.ray"]
    try:
        done = subprocess.run(
            command, input=json.dumps(to_data(questions)), capture_output=True, text=True, timeout=SURVEY_SECONDS
        )
        return from_data(json.loads(done.stdout.splitlines()[-1]), Survey).answers
    except subprocess.TimeoutExpired:
        problem = f"the Ray cluster at {reach.address} did not answer within {SURVEY_SECONDS:.0f} s"
    except (IndexError, ValueError):
        problem = f"the Ray cluster at {reach.address} could not be asked: {done.stderr.strip()[-300:]}"
    return {question.target.name: Answer(problem) for question in questions}
