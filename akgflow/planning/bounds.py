"""Worst cases: how many calls and verdicts a step may take, and what the replies may cost."""

from __future__ import annotations

from collections.abc import Callable

from akgflow.config.steps import AgentStep, Cap, Crew, Step
from akgflow.config.types import ModelSpec, Price, Workflow, Workspace
from akgflow.planning.types import Ceiling, PlannedStep

TRIES_PER_REPLY = 2
"""A malformed reply goes back once with the reason."""


def crew_of(workflow: Workflow, workspace: Workspace) -> Crew:
    """The agents as the caps of this workflow's steps see them.

    A redesign asks the agent of the first step whose reply is a sketch or a text, and not code.
    """
    forms = {name: agent.reply.format for name, agent in workspace.agents.items()}
    asked = [step.agent for step in workflow.steps if isinstance(step, AgentStep)]
    designer = next((agent for agent in asked if forms[agent] in ("sketch", "text")), None)
    return Crew(frozenset(name for name, form in forms.items() if form == "code"), designer)


def planned_steps(workflow: Workflow, workspace: Workspace) -> tuple[PlannedStep, ...]:
    """The steps of a job with their worst cases."""
    crew = crew_of(workflow, workspace)
    return tuple(_planned(step, step.cap(crew), workspace) for step in workflow.steps)


def _planned(step: Step, cap: Cap, workspace: Workspace) -> PlannedStep:
    # A sketch belongs to no DSL and no target: one serves all jobs.
    shared = isinstance(step, AgentStep) and workspace.agents[step.agent].reply.format == "sketch"
    asks = {agent: count * TRIES_PER_REPLY for agent, count in cap.asks.items()}
    return PlannedStep(step.name, cap.does + ", once for all jobs" * shared, asks, cap.verdicts, shared)


def ceiling(
    workflow: Workflow,
    workspace: Workspace,
    jobs: int,
    *,
    price_of: Callable[[ModelSpec], Price | None],
    reply_tokens_of: Callable[[ModelSpec], int],
) -> Ceiling:
    """The worst case of ``jobs`` jobs that each run ``workflow``."""
    steps = planned_steps(workflow, workspace)
    calls = tokens = 0
    usd = 0.0
    unpriced: set[str] = set()
    asked = [(agent, n * (min(jobs, 1) if s.shared else jobs)) for s in steps for agent, n in s.asks.items()]
    for agent, count in asked:
        spec = workspace.models[workspace.agents[agent].model]
        price = price_of(spec)
        reply = count * reply_tokens_of(spec)
        calls += count
        tokens += reply
        if price is None:
            unpriced.add(spec.model)
        else:
            usd += reply * price.output / 1e6
    verdicts = jobs * sum(step.verdicts for step in steps)
    return Ceiling(calls, verdicts, tokens, None if unpriced else usd, tuple(sorted(unpriced)))
