"""Worst cases: how many calls and verdicts a step may take, and what the replies may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from akgflow.config.types import AgentStep, ModelSpec, Price, RepairStep, Step, Workflow, Workspace
from akgflow.planning.types import Ceiling, PlannedStep

TRIES_PER_REPLY = 2
"""A malformed reply goes back once with the reason."""


def designer_of(workflow: Workflow, workspace: Workspace) -> str | None:
    """The agent that a redesign asks again: the first one whose reply is a text and not code."""
    for step in workflow.steps:
        if isinstance(step, AgentStep) and workspace.agents[step.agent].reply.format == "text":
            return step.agent
    return None


def planned_step(step: Step, workflow: Workflow, workspace: Workspace) -> PlannedStep:
    """One step of a job with its worst case."""
    if isinstance(step, RepairStep):
        return _repair(step, workflow, workspace)
    codes = workspace.agents[step.agent].reply.format == "code"
    asks = f"ask {step.agent} for {'code' if codes else 'a ' + step.name}"
    does = asks if step.samples == 1 else f"{asks}, {step.samples} samples"
    calls = step.samples * TRIES_PER_REPLY
    return PlannedStep(step.name, does, (step.agent,), calls, step.samples if codes else 0)


def _repair(step: RepairStep, workflow: Workflow, workspace: Workspace) -> PlannedStep:
    """Each attempt may ask the advisor, then the designer when the advisor wants a redesign, then the coder."""
    agents = [step.agent]
    if step.advisor:
        agents.append(step.advisor)
        designer = designer_of(workflow, workspace)
        if designer:
            agents.append(designer)
    does = f"repair {step.repair} until {step.until}, at most {step.max_attempts} attempts"
    calls = step.max_attempts * len(agents) * TRIES_PER_REPLY
    return PlannedStep(step.name, does, tuple(agents), calls, step.max_attempts)


def ceiling(
    workflow: Workflow,
    workspace: Workspace,
    jobs: int,
    *,
    price_of: Callable[[ModelSpec], Price | None],
    reply_tokens_of: Callable[[ModelSpec], int],
) -> Ceiling:
    """The worst case of ``jobs`` jobs that each run ``workflow``."""
    steps = [planned_step(step, workflow, workspace) for step in workflow.steps]
    calls = tokens = 0
    usd = 0.0
    unpriced: set[str] = set()
    for agent, count in _calls_by_agent(steps):
        spec = workspace.models[workspace.agents[agent].model]
        price = price_of(spec)
        reply = count * jobs * reply_tokens_of(spec)
        calls += count * jobs
        tokens += reply
        if price is None:
            unpriced.add(spec.model)
        else:
            usd += reply * price.output / 1e6
    verdicts = jobs * sum(step.verdicts for step in steps)
    return Ceiling(calls, verdicts, tokens, None if unpriced else usd, tuple(sorted(unpriced)))


def _calls_by_agent(steps: Iterable[PlannedStep]) -> Iterable[tuple[str, int]]:
    for step in steps:
        for agent in step.agents:
            yield agent, step.calls // len(step.agents)
