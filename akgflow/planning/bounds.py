"""Worst cases: how many calls and verdicts a step may take, and what the replies may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from akgflow.config.steps import AgentStep, Cap, Crew, Step
from akgflow.config.types import ModelSpec, Price, Workflow, Workspace
from akgflow.planning.types import Ceiling, Job, PlannedStep

TRIES_PER_REPLY = 2
"""A malformed reply goes back once with the reason."""
TALK_TOKENS = 8_000
"""For what stands in a repair prompt beside replies: what the judge said, the history, the earlier conversation."""


def crew_of(workflow: Workflow, workspace: Workspace) -> Crew:
    """The agents as the caps of this workflow's steps see them; a redesign asks the workflow's designer."""
    coders = frozenset(name for name, agent in workspace.agents.items() if agent.reply.format == "code")
    return Crew(coders, workflow.designer(workspace.agents))


def planned_steps(workflow: Workflow, workspace: Workspace) -> tuple[PlannedStep, ...]:
    """The steps of a job with their worst cases."""
    crew = crew_of(workflow, workspace)
    return tuple(_planned(step, step.cap(crew), workspace) for step in workflow.steps)


def _planned(step: Step, cap: Cap, workspace: Workspace) -> PlannedStep:
    # A sketch belongs to no DSL and no target: one serves all jobs.
    shared = isinstance(step, AgentStep) and workspace.agents[step.agent].reply.format == "sketch"
    asks = {agent: count * TRIES_PER_REPLY for agent, count in cap.asks.items()}
    return PlannedStep(step.name, cap.does + ", once for all jobs" * shared, asks, cap.verdicts, shared, cap.shown)


Opening = Callable[[str, Job], int]
"""The most tokens of an agent's first prompt in a job, without what others wrote."""


def ceiling(
    steps: Sequence[PlannedStep],
    workspace: Workspace,
    jobs: Sequence[Job],
    *,
    opening: Opening,
    price_of: Callable[[ModelSpec], Price | None],
    reply_tokens_of: Callable[[ModelSpec], int],
) -> Ceiling:
    """The worst case of these jobs, each of which takes these ``steps``."""
    models = {agent: workspace.models[workspace.agents[agent].model] for step in steps for agent in step.asks}
    longest = max((reply_tokens_of(spec) for spec in models.values()), default=0)
    calls = prompts = replies = 0
    usd = 0.0
    unpriced: set[str] = set()
    for step, agent, job in ((s, a, j) for s in steps for a in s.asks for j in (jobs[:1] if s.shared else jobs)):
        count, price = step.asks[agent], price_of(models[agent])
        reply = count * reply_tokens_of(models[agent])
        carried = step.shown * longest + workspace.knowledge.max_tokens + TALK_TOKENS
        # Of the calls that a cap counts, those that send a malformed reply back hold that reply as well.
        prompt = count * (opening(agent, job) + carried) + (count - count // TRIES_PER_REPLY) * longest
        calls, prompts, replies = calls + count, prompts + prompt, replies + reply
        if price is None:
            unpriced.add(models[agent].model)
        else:
            usd += (prompt * price.input + reply * price.output) / 1e6
    verdicts = len(jobs) * sum(step.verdicts for step in steps)
    return Ceiling(calls, verdicts, prompts, replies, None if unpriced else usd, tuple(sorted(unpriced)))
