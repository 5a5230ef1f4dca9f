"""What a prompt template can see: plain, read-only values, and nothing of the machinery behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from akgflow.config.checks.vocabulary import kind_of_operator
from akgflow.config.types import DslPack, Operator, Scalar, Target, Task
from akgflow.machine import Machine
from akgflow.operators.kinds import kinds_in
from akgflow.operators.text import shown

OF_ONE_JOB = (
    *("dsl", "target", "machine", "candidate", "history", "examples", "parents", "inspirations", "steps"),
    *("precision", "session"),
)
"""Variables that a sketch's prompt may not name: it belongs to the task and is shared by all of its jobs."""
MEASURED = "(measured)"
"""Stands in a fingerprint for everything that was measured on one machine."""


@dataclass(frozen=True)
class TaskView:
    """``kind`` is ``generate``, ``migrate`` or ``optimize``."""

    name: str
    kind: str
    description: str
    dtype: str | None


@dataclass(frozen=True)
class OperatorView:
    """The PyTorch reference: its source text with the files that it imports from beside it and the mode in which it is
    judged, and its ``kind`` (``gemm``, …) where the task gives one."""

    source: str
    kind: str | None


@dataclass(frozen=True)
class SourceView:
    """The kernel to migrate from: its DSL and its source text."""

    dsl: str
    source: str


@dataclass(frozen=True)
class DslView:
    """The DSL to write in."""

    name: str
    title: str
    knowledge: tuple[str, ...]
    """The texts that its pack has for this operator."""
    repair: tuple[str, ...] = ()
    """Texts for agents that repair a candidate."""
    improve: tuple[str, ...] = ()
    """Texts for agents that make a right candidate faster."""

    @classmethod
    def of(cls, pack: DslPack, operator: Operator, platform: str) -> DslView:
        """What prompts see of a DSL for that operator: of its kind, or of those that its text shows.

        The documents that most jobs share come first.
        """
        kinds = (kind_of_operator(operator.kind),) if operator.kind else kinds_in(operator.whole)
        by_kind = (pack.by_operator, pack.by_platform_and_operator.get(platform, {}))
        special = (text for found in by_kind for kind in kinds for text in found.get(kind, ()))
        knowledge = dict.fromkeys((*pack.always, *special, *pack.by_platform.get(platform, ())))
        return cls(pack.name, pack.title, tuple(knowledge), pack.repair, pack.improve)


@dataclass(frozen=True)
class TargetView:
    """The hardware to write for; ``facts`` as in ``hardware.yaml``."""

    name: str
    title: str
    platform: str
    arch: str
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, target: Target) -> TargetView:
        """What prompts see of a target."""
        return cls(target.name, target.title, target.platform, target.arch, target.facts)


@dataclass(frozen=True)
class HistoryEntry:
    """One earlier attempt: its number, the verdict's status, and one sentence about it."""

    attempt: int
    status: str
    summary: str


@dataclass(frozen=True)
class KernelView:
    """A verified kernel of a similar operator: its task and target, what is known about it, reference and module.

    ``id`` is its entry's in the knowledge store.
    """

    task: str
    target: str
    claim: str
    operator: str
    source: str
    id: str = ""


@dataclass(frozen=True)
class LessonView:
    """What failed on the way to such a kernel: the DSL, the verdict's status, and one sentence about the cause."""

    dsl: str
    status: str
    text: str


@dataclass(frozen=True)
class Examples:
    """What the knowledge store has for an operator; false where it has nothing."""

    kernels: tuple[KernelView, ...] = ()
    lessons: tuple[LessonView, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kernels or self.lessons)


@dataclass(frozen=True)
class CandidateView:
    """A judged candidate, as parent or inspiration: its source, the verdict's status, and the judge's feedback."""

    source: str
    status: str
    feedback: str


@dataclass(frozen=True)
class SessionView:
    """What an agent has that works in a folder: how many judgements, how many minutes, and the file that it writes."""

    judgements: int
    minutes: str
    file: str
    mcp: bool
    """Whether the judge is offered over MCP, beside the script."""


@dataclass(frozen=True)
class PromptContext:
    """The variables of every prompt template, by their names.

    ``source`` is None unless the task migrates. ``sketch``, ``candidate``, ``feedback`` and ``advice`` are empty until
    there is one: the designer's sketch, the source of the latest candidate, what the judge said about it, and what the
    conductor advises. ``attempt`` counts from 1. ``cases`` are the shapes that will be judged, ``shapes`` the ranges
    that are guaranteed beside them. ``targets`` are all targets of the task, for prompts that belong to no single one.
    ``examples`` are verified kernels of similar operators; they stay the same throughout a run. In a search,
    ``parents`` are the candidates to improve on, ``history`` earlier attempts from them, and ``inspirations`` other
    candidates. ``steps`` holds, by the names of the earlier steps that ask an agent for text or JSON, what it answered
    (the first sample). ``precision`` says what float32 may lose on this target; empty where that goes without saying.
    ``gradients`` says how gradients are asked for and given; empty where they are not judged. ``prepare`` says how
    weights are prepared; empty where they cannot be. ``session`` is there for an agent that works in a folder.
    """

    task: TaskView
    operator: OperatorView
    source: SourceView | None
    dsl: DslView
    target: TargetView
    machine: Machine
    sketch: str = ""
    candidate: str = ""
    feedback: str = ""
    advice: str = ""
    history: tuple[HistoryEntry, ...] = ()
    attempt: int = 1
    cases: tuple[Mapping[str, Scalar], ...] = ()
    shapes: str = ""
    examples: Examples = Examples()
    targets: tuple[TargetView, ...] = ()
    parents: tuple[CandidateView, ...] = ()
    inspirations: tuple[CandidateView, ...] = ()
    steps: Mapping[str, str] = field(default_factory=dict)
    precision: str = ""
    gradients: str = ""
    prepare: str = ""
    session: SessionView | None = None

    @classmethod
    def of(
        cls, task: Task, dsl: DslPack, target: Target, machine: Machine, targets: Sequence[Target] = ()
    ) -> PromptContext:
        """The context of one job before anything was written for it; `dataclasses.replace` adds the rest.

        ``targets`` are all those of the task (none: the job's own).
        """
        return cls(
            task=TaskView(task.name, task.kind, task.description, task.dtype),
            operator=OperatorView(shown(task.operator.whole), task.operator.kind),
            source=SourceView(task.source.dsl, task.source.source) if task.source else None,
            dsl=DslView.of(dsl, task.operator, target.platform),
            target=TargetView.of(target),
            machine=machine,
            cases=task.cases,
            shapes=str(task.shapes) if task.shapes.given else "",
            targets=tuple(map(TargetView.of, targets or (target,))),
            precision=task.precision.advice(target.platform, task.operator.whole),
            gradients=task.operator.backward.advice if task.operator.backward is not None else "",
            prepare=task.operator.prepare.advice if task.operator.prepare is not None else "",
        )

    def variables(self, *, of_task: bool = False) -> dict[str, Any]:
        """Name to value, for a template; ``of_task`` leaves out what belongs to one job."""
        closed = OF_ONE_JOB if of_task else ()
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in closed}

    def at_first(self) -> PromptContext:
        """The same before there was a candidate: the beginning that all attempts share."""
        return replace(self, candidate="", feedback="", advice="", history=(), attempt=1, parents=(), inspirations=())

    def without_measurements(self) -> PromptContext:
        """The same with everything that another machine would measure otherwise replaced by a fixed text.

        Examples are left out: they depend on what was judged on this machine before. What is empty stays empty: a
        template asks whether there is feedback before it shows it.
        """
        return replace(
            self,
            machine=Machine(cpu=MEASURED, cores=1),
            feedback=MEASURED if self.feedback else "",
            history=tuple(replace(entry, summary=MEASURED) for entry in self.history),
            examples=Examples(),
            parents=tuple(replace(parent, feedback=MEASURED) for parent in self.parents),
            inspirations=tuple(replace(other, feedback=MEASURED) for other in self.inspirations),
        )


VIEWS = (
    *(TaskView, OperatorView, SourceView, DslView, TargetView, HistoryEntry, KernelView, LessonView, CandidateView),
    SessionView,
)
"""Records whose fields are plain values: a template may read every one of them."""
PROMPT_VARIABLES = tuple(variable.name for variable in fields(PromptContext))
"""What a prompt template may name; the agents render with exactly these."""
