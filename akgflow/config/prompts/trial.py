"""Every prompt of a task rendered as its run will render it, before anything is spent.

A rendering shows what the types of the variables do not: an entry that one target's facts lack, an item of an empty
list, what a filter does not take. Each agent is tried in each cell, at each stage at which its workflow can ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from akgflow.config._problems import Problems
from akgflow.config.prompts.analysis import analyse
from akgflow.config.prompts.context import (
    MEASURED,
    CandidateView,
    DslView,
    Examples,
    HistoryEntry,
    KernelView,
    LessonView,
    PromptContext,
    SessionView,
    TargetView,
)
from akgflow.config.prompts.environment import failed_at, reason_of
from akgflow.config.prompts.memo import Memo
from akgflow.config.steps import ROLES, AgentStep, Role, kind_of
from akgflow.config.types import AgentSpec, Prompt, Task, Workflow, Workspace
from akgflow.machine import Machine

Stages = Callable[[PromptContext], Iterator[PromptContext]]
"""The contexts of one role in one cell, the fullest first."""

_MODULE = "class ModelNew: ..."
_HISTORY = (HistoryEntry(1, "INCORRECT_NUMERICAL", MEASURED),)
_KERNELS = (KernelView("task", "target", MEASURED, _MODULE, _MODULE),)
_LESSONS = (LessonView("dsl", "COMPILE_ERROR", MEASURED),)
_EXAMPLES = (Examples(_KERNELS, _LESSONS), Examples(_KERNELS), Examples((), _LESSONS), Examples())
_VIEWS = tuple(CandidateView(_MODULE, "PASSED", MEASURED) for _ in range(8))
_SKETCH, _ADVICE = "sizes(M)", "advice"
_ALL_STAGES = 64
"""Cells that are always tried at all stages."""


def _asked(base: PromptContext) -> Iterator[PromptContext]:
    sketched = replace(base, sketch=_SKETCH)
    yield from (replace(sketched, examples=examples) for examples in _EXAMPLES)
    yield base


def _without_candidate(base: PromptContext) -> Iterator[PromptContext]:
    """The stage without a candidate: earlier replies were malformed, or a seed found nothing."""
    yield replace(base, attempt=2, history=_HISTORY, sketch=_SKETCH)
    yield replace(base, attempt=2)


def _judged(base: PromptContext) -> PromptContext:
    return replace(base, sketch=_SKETCH, candidate=_MODULE, feedback=MEASURED, history=_HISTORY, attempt=2)


def _mended(base: PromptContext) -> Iterator[PromptContext]:
    judged = _judged(base)
    yield replace(judged, advice=_ADVICE, examples=_EXAMPLES[0])
    yield replace(judged, sketch="")
    # What was said before in a conversation is not said again.
    yield replace(judged, history=(), dsl=replace(judged.dsl, repair=(), improve=()))
    yield from _asked(base)
    yield from _without_candidate(base)


def _advises(base: PromptContext) -> Iterator[PromptContext]:
    yield _judged(base)
    yield replace(_judged(base), sketch="")


def _redesigns(base: PromptContext) -> Iterator[PromptContext]:
    yield replace(_judged(base), advice=_ADVICE)
    yield _judged(base)


def _bred(parents: int, inspirations: int) -> Stages:
    all_parents, others = _VIEWS[:parents], _VIEWS[:inspirations]

    def stages(base: PromptContext) -> Iterator[PromptContext]:
        judged = replace(_judged(base), parents=_VIEWS[:1], history=())
        yield replace(judged, parents=all_parents, inspirations=others, history=_HISTORY)
        yield judged
        yield replace(judged, dsl=replace(judged.dsl, repair=(), improve=()))
        yield from _asked(base)
        yield from _without_candidate(base)

    return stages


def _works(base: PromptContext) -> Iterator[PromptContext]:
    yield from _mended(replace(base, session=SessionView(1, "1", "candidate.py", True)))


_STAGES: dict[Role, Stages] = {
    "ask": _asked,
    "write": _mended,
    "mend": _mended,
    "advise": _advises,
    "work": _works,
}


@dataclass(frozen=True)
class _Part:
    """An agent at one place of its workflow: the stages at which it is asked there, and the steps it can read."""

    agent: str
    stages: Stages
    steps: tuple[str, ...]


def _parts(workflow: Workflow, space: Workspace) -> Iterator[_Part]:
    earlier: list[str] = []
    designer = workflow.designer(space.agents)
    for step in workflow.steps:
        for key, role in ROLES.get(kind_of(step), {}).items():
            name = getattr(step, key)
            if name is None:
                continue
            breeds = _bred(getattr(step, "parents", 1), getattr(step, "inspirations", 0))
            yield _Part(name, breeds if role == "breed" else _STAGES[role], tuple(earlier))
            if role == "advise" and designer is not None:
                yield _Part(designer, _redesigns, tuple(earlier))
        if isinstance(step, AgentStep) and space.agents[step.agent].reply.format != "code":
            earlier.append(step.name)


def try_prompts(task: Task, space: Workspace, facts: frozenset[str], problems: Problems) -> None:
    """Render the prompts of all agents of the task's workflow in all cells that can be; note what fails, each once.

    Where there are many cells, one that holds no new DSL and no new target is tried at the fullest stage alone.
    """
    trial = _Trial(facts, problems)
    parts = list(dict.fromkeys(_parts(space.workflows[task.workflow], space)))
    known: set[object] = set()
    for number, base in enumerate(_cells(task, space)):
        news = {(base.dsl.name, base.target.platform), base.target.name} - known
        known |= news
        for part in parts:
            stages = part.stages(replace(base, steps=trial.texts(part.steps)))
            for context in stages if news or number < _ALL_STAGES else islice(stages, 1):
                trial.render(space.agents[part.agent], context)


def _cells(task: Task, space: Workspace) -> Iterator[PromptContext]:
    """The context of every cell before anything is written; cells that share a value share the very object."""
    machine = Machine(MEASURED, 1)
    targets = [space.targets[name] for name in task.targets]
    packs = [space.dsls[name] for name in task.dsls]
    first = PromptContext.of(task, packs[0], targets[0], machine, targets)
    views = {target.name: TargetView.of(target) for target in targets}
    for pack in packs:
        dsls: dict[str, DslView] = {}
        for target in (one for one in targets if one.platform in pack.platforms):
            if target.platform not in dsls:
                dsls[target.platform] = DslView.of(pack, task.operator, target.platform)
            yield replace(first, dsl=dsls[target.platform], target=views[target.name])


class _Trial:
    """Renders, and notes what fails."""

    def __init__(self, facts: frozenset[str], problems: Problems) -> None:
        self._facts, self._problems = facts, problems
        self._memo = Memo()
        self._said: set[tuple[object, ...]] = set()
        self._texts: dict[tuple[str, ...], dict[str, str]] = {}

    def texts(self, names: tuple[str, ...]) -> dict[str, str]:
        """A text for each of the steps."""
        return self._texts.setdefault(names, dict.fromkeys(names, "text"))

    def render(self, agent: AgentSpec, context: PromptContext) -> None:
        """The templates of one call, as `akgflow.agents.render` puts them together."""
        goes_on = agent.repair is not None and bool(context.candidate)
        opening = context.at_first() if goes_on else context
        self._render(agent, {"system": agent.system, "prompt": agent.prompt}, opening)
        if agent.repair is not None and goes_on:
            self._render(agent, {"repair": agent.repair}, context)

    def _render(self, agent: AgentSpec, prompts: dict[str, Prompt], context: PromptContext) -> None:
        values = context.variables(of_task=agent.reply.format == "sketch")
        for part, prompt in prompts.items():
            if analyse(prompt.text, self._facts).faults:
                continue
            try:
                self._memo.render(prompt, values)
            except Exception as failed:
                self._note(agent, part, prompt, context, failed)

    def _note(self, agent: AgentSpec, part: str, prompt: Prompt, context: PromptContext, failed: Exception) -> None:
        mark = failed_at(prompt, failed, self._problems.line)
        reason = reason_of(failed)
        if (prompt.mark, mark, reason) in self._said:
            return
        self._said.add((prompt.mark, mark, reason))
        cell = "" if agent.reply.format == "sketch" else f" for {context.dsl.name} on {context.target.name}"
        stage = f" at attempt {context.attempt}" if context.attempt > 1 else ""
        what = f"the {part} of agent {agent.name} cannot be rendered{cell}{stage}: {reason}"
        self._problems.add(mark, what, "mend the template, or ask for the value before it is used")
