"""Worst cases: how many calls and verdicts a step may take, and what the replies may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from akgflow.budget.request import MORE_ROOM
from akgflow.config.prompts.analysis import variables_of
from akgflow.config.steps import AgentRoles, AgentStep, Cap, Step
from akgflow.config.types import AgentSpec, ModelSpec, Price, Task, Workflow, Workspace
from akgflow.planning.types import Ceiling, Job, PlannedStep

TRIES_PER_REPLY = 2
"""A malformed reply is sent back once with the reason, or asked for once with more room."""
TALK_TOKENS = 8_000
"""For a repair prompt's other parts than replies: the judge's feedback, the history, the earlier conversation."""


def agent_roles(workflow: Workflow, workspace: Workspace) -> AgentRoles:
    """The agents as the caps of this workflow's steps need them; a redesign asks the workflow's designer."""
    coders = frozenset(name for name, agent in workspace.agents.items() if agent.reply.format == "code")
    return AgentRoles(coders, workflow.designer(workspace.agents))


def planned_steps(workflow: Workflow, workspace: Workspace) -> tuple[PlannedStep, ...]:
    """The steps of a job with their worst cases."""
    roles = agent_roles(workflow, workspace)
    texts = workflow.text_steps(workspace.agents)
    made: list[PlannedStep] = []
    for number, step in enumerate(workflow.steps):
        earlier = sum(before.name in texts for before in workflow.steps[:number])
        made.append(_planned(step, step.cap(roles), workspace, earlier))
    return tuple(made)


DISPATCH = "by shape"
"""The last step of jobs that keep several kernels; no step of a workflow can be named so."""


def dispatching(task: Task) -> tuple[PlannedStep, ...]:
    """That step; none where one kernel is kept."""
    does = (
        f"up to {task.winners} kernels, each the fastest for some cases, judged as one on shapes that nobody has seen"
    )
    return (PlannedStep(DISPATCH, does, {}, 1),) if task.winners > 1 else ()


def _planned(step: Step, cap: Cap, workspace: Workspace, earlier: int) -> PlannedStep:
    """``earlier`` counts the texts that a prompt of the step can read."""
    # A sketch belongs to no DSL and no target: one serves all jobs.
    shared = isinstance(step, AgentStep) and workspace.agents[step.agent].reply.format == "sketch"
    # The end of a session is never malformed.
    asks = {agent: count * (1 if cap.session else TRIES_PER_REPLY) for agent, count in cap.asks.items()}
    shown = cap.shown + earlier * any(_reads_steps(workspace.agents[agent]) for agent in asks)
    return PlannedStep(
        step.name, cap.does + ", once for all jobs" * shared, asks, cap.verdicts, shared, shown, cap.session, cap.faster
    )


def _reads_steps(agent: AgentSpec) -> bool:
    prompts = [prompt for prompt in (agent.system, agent.prompt, agent.repair) if prompt and prompt.text]
    return any("steps" in variables_of(prompt.text) for prompt in prompts)


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
    """The worst case of these jobs, which take of these ``steps`` what there is to do in each."""
    models = {agent: workspace.models[workspace.agents[agent].model] for step in steps for agent in step.asks}
    longest = MORE_ROOM * max((reply_tokens_of(spec) for spec in models.values()), default=0)
    calls = prompts = replies = 0
    usd = 0.0
    unpriced: set[str] = set()
    todo = [(s, j) for j in jobs for s in j.steps if not s.shared or j is jobs[0]]
    for step, agent, job in ((s, a, j) for s, j in todo for a in s.asks):
        count, price = step.asks[agent], price_of(models[agent])
        again = 0 if step.session else count - count // TRIES_PER_REPLY
        reply = (count - again + again * MORE_ROOM) * reply_tokens_of(models[agent])
        carried = step.shown * longest + workspace.knowledge.max_tokens + TALK_TOKENS
        # Of the calls that a cap counts, those that ask again hold the malformed reply as well, or may be longer.
        prompt = step.session or count * (opening(agent, job) + carried) + again * longest
        calls, prompts, replies = calls + count, prompts + prompt, replies + reply
        if price is None:
            unpriced.add(models[agent].model)
        else:
            usd += price.of(prompt, reply, calls=count)
    verdicts = sum(step.verdicts for job in jobs for step in job.steps)
    return Ceiling(calls, verdicts, prompts, replies, None if unpriced else usd, tuple(sorted(unpriced)))
