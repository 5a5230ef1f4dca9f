"""Every prompt of a task rendered as its run will render it, before anything is spent.

A rendering shows what the types of the variables do not: an entry that one target's facts lack, an item of an empty
list, what a filter does not take. Each agent is tried in each cell, at each stage at which its workflow can ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
    TargetView,
)
from akgflow.config.prompts.environment import failed_at, reason_of, rendered
from akgflow.config.steps import ROLES, AgentStep, Role, kind_of
from akgflow.config.types import AgentSpec, Prompt, Task, Workflow, Workspace
from akgflow.machine import Machine

Stages = Callable[[PromptContext], list[PromptContext]]

_MODULE = "class ModelNew: ..."
_HISTORY = (HistoryEntry(1, "INCORRECT_NUMERICAL", MEASURED),)
_KERNELS = (KernelView("task", "target", MEASURED, _MODULE, _MODULE),)
_LESSONS = (LessonView("dsl", "COMPILE_ERROR", MEASURED),)
_EXAMPLES = (Examples(), Examples(_KERNELS, _LESSONS), Examples(_KERNELS), Examples((), _LESSONS))
_VIEWS = tuple(CandidateView(_MODULE, "PASSED", MEASURED) for _ in range(8))
_SKETCH, _ADVICE = "sizes(M)", "advice"


def _asked(base: PromptContext) -> list[PromptContext]:
    sketched = replace(base, sketch=_SKETCH)
    return [base, *(replace(sketched, examples=examples) for examples in _EXAMPLES)]


def _without_candidate(base: PromptContext) -> list[PromptContext]:
    """Where earlier replies were malformed, or a seed found nothing, there is nothing to mend."""
    return [replace(base, attempt=2), replace(base, attempt=2, history=_HISTORY, sketch=_SKETCH)]


def _mended(base: PromptContext) -> list[PromptContext]:
    judged = replace(base, sketch=_SKETCH, candidate=_MODULE, feedback=MEASURED, history=_HISTORY, attempt=2)
    advised = replace(judged, advice=_ADVICE)
    # What was said before in a conversation is not said again.
    later = replace(judged, history=(), dsl=replace(judged.dsl, repair=(), improve=()))
    return [*_asked(base), *_without_candidate(base), judged, advised, later, replace(judged, sketch="")]


def _advises(base: PromptContext) -> list[PromptContext]:
    judged = replace(base, candidate=_MODULE, feedback=MEASURED, history=_HISTORY)
    return [judged, replace(judged, sketch=_SKETCH, attempt=2)]


def _redesigns(base: PromptContext) -> list[PromptContext]:
    judged = replace(base, sketch=_SKETCH, candidate=_MODULE, feedback=MEASURED, history=_HISTORY, attempt=2)
    return [replace(judged, advice=""), replace(judged, advice=_ADVICE)]


def _bred(parents: int, inspirations: int) -> Stages:
    def stages(base: PromptContext) -> list[PromptContext]:
        judged = replace(base, sketch=_SKETCH, candidate=_MODULE, feedback=MEASURED, parents=_VIEWS[:1])
        later = replace(judged, dsl=replace(judged.dsl, repair=(), improve=()))
        full = replace(judged, parents=_VIEWS[:parents], inspirations=_VIEWS[:inspirations], history=_HISTORY)
        return [*_asked(base), *_without_candidate(base), judged, later, full]

    return stages


_STAGES: dict[Role, Stages] = {"ask": _asked, "write": _mended, "mend": _mended, "advise": _advises}


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
    """Render the prompts of all agents of the task's workflow in all cells that can be; note what fails, each once."""
    cells = list(_cells(task, space))
    trial = _Trial(facts, problems)
    for part in dict.fromkeys(_parts(space.workflows[task.workflow], space)):
        agent = space.agents[part.agent]
        for base in cells:
            told = replace(base, steps=trial.texts(part.steps))
            for context in part.stages(told):
                trial.render(agent, context)


def _cells(task: Task, space: Workspace) -> Iterator[PromptContext]:
    """The context of every cell before anything is written; cells that share a value share the very object."""
    machine = Machine(MEASURED, 1)
    targets = [space.targets[name] for name in task.targets]
    first: PromptContext | None = None
    dsls: dict[tuple[str, str], DslView] = {}
    views: dict[str, TargetView] = {}
    for dsl in task.dsls:
        pack = space.dsls[dsl]
        for target in (one for one in targets if one.platform in pack.platforms):
            made = PromptContext.of(task, pack, target, machine, targets)
            first = first or made
            yield replace(
                first,
                dsl=dsls.setdefault((dsl, target.platform), made.dsl),
                target=views.setdefault(target.name, made.target),
            )


class _Trial:
    """Renders each template once for each set of values that it reads."""

    def __init__(self, facts: frozenset[str], problems: Problems) -> None:
        self._facts, self._problems = facts, problems
        self._seen: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._said: set[tuple[object, ...]] = set()
        self._texts: dict[tuple[str, ...], dict[str, str]] = {}

    def texts(self, names: tuple[str, ...]) -> dict[str, str]:
        """A text for each of the steps."""
        return self._texts.setdefault(names, dict.fromkeys(names, "text"))

    def render(self, agent: AgentSpec, context: PromptContext) -> None:
        """The templates of one call, as `akgflow.agents.render` puts them together."""
        goes_on = agent.repair is not None and bool(context.candidate)
        opening = context.at_first() if goes_on else context
        self._render(agent, "system", agent.system, opening)
        self._render(agent, "prompt", agent.prompt, opening)
        if agent.repair is not None and goes_on:
            self._render(agent, "repair", agent.repair, context)

    def _render(self, agent: AgentSpec, part: str, prompt: Prompt, context: PromptContext) -> None:
        found = analyse(prompt.text, self._facts)
        shared = agent.reply.format == "sketch"
        values = context.variables(of_task=shared)
        read = tuple(values[name] for name in sorted(found.variables) if name in values)
        key = (prompt.text, shared, *map(id, read))
        if found.faults or key in self._seen:
            return
        self._seen[key] = read  # kept alive, so that no other object takes over an id
        try:
            rendered(prompt, values)
        except Exception as failed:  # whatever the template's own calls raise
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
