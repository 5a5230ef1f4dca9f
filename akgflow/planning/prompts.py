"""How long prompts begin: rendered as a run will render them, before anything has been written."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from akgflow.agents import opening
from akgflow.config.prompts.context import DslView, PromptContext, TargetView
from akgflow.config.prompts.memo import Memo
from akgflow.config.types import Task, Workspace
from akgflow.machine import Machine
from akgflow.models.sizes import most_tokens
from akgflow.planning.bounds import Opening
from akgflow.planning.types import Job


def openings(task: Task, workspace: Workspace, machine: Machine) -> Opening:
    """For an agent and a job: the most tokens of its first prompt, without a sketch and without examples."""
    targets = [workspace.targets[name] for name in task.targets]
    first = PromptContext.of(task, workspace.dsls[task.dsls[0]], targets[0], machine, targets)
    told = workspace.workflows[task.workflow].text_steps(workspace.agents)
    first = replace(first, steps=dict.fromkeys(told, ""))
    views = {target.name: TargetView.of(target) for target in targets}

    @cache
    def dsl_view(dsl: str, platform: str) -> DslView:
        return DslView.of(workspace.dsls[dsl], task.operator, platform)

    memo = Memo()

    @cache
    def tokens(agent: str, dsl: str, target: str) -> int:
        context = replace(first, dsl=dsl_view(dsl, workspace.targets[target].platform), target=views[target])
        return most_tokens([message.content for message in opening(workspace.agents[agent], context, memo.render)])

    def of(agent: str, job: Job) -> int:
        return tokens(agent, job.dsl, job.target)

    return of
