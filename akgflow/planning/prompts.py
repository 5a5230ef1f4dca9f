"""How long prompts begin: rendered as a run will render them, before anything has been written."""

from __future__ import annotations

from functools import cache

from akgflow.agents import PromptContext, render
from akgflow.config.types import Task, Workspace
from akgflow.machine import Machine
from akgflow.models.sizes import most_tokens
from akgflow.planning.bounds import Opening
from akgflow.planning.types import Job


def openings(task: Task, workspace: Workspace, machine: Machine) -> Opening:
    """For an agent and a job: the most tokens of its first prompt, without a sketch and without examples."""
    targets = [workspace.targets[name] for name in task.targets]

    @cache
    def tokens(agent: str, dsl: str, target: str) -> int:
        context = PromptContext.of(task, workspace.dsls[dsl], workspace.targets[target], machine, targets)
        rendered = render(workspace.agents[agent], context)
        return most_tokens([message.content for message in rendered.messages])

    def of(agent: str, job: Job) -> int:
        return tokens(agent, job.dsl, job.target)

    return of
