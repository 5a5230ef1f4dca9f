"""Ceilings in dollars that cannot hold are refused: nothing may be spent under one that is only printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from akgflow.config.types import ModelSpec, Price, Task, Workflow, Workspace
from akgflow.errors import ConfigError, Problem
from akgflow.planning.bounds import planned_steps

PriceOf = Callable[[ModelSpec], Price | None]
"""What a model costs; None where no price is known."""


def models_in_use(agents: Iterable[str], workspace: Workspace) -> list[str]:
    """Names of the models that ``agents`` may ask, each before its fallbacks."""
    names: dict[str, None] = {}
    for agent in agents:
        name = workspace.agents[agent].model
        names[name] = None
        names.update(dict.fromkeys(workspace.models[name].fallbacks))
    return list(names)


def agents_in(workflow: Workflow, workspace: Workspace) -> tuple[str, ...]:
    """Names of the agents that a workflow's steps ask, in order."""
    return tuple(dict.fromkeys(agent for step in planned_steps(workflow, workspace) for agent in step.agents))


def check_prices(task: Task, workspace: Workspace, agents: Iterable[str], price_of: PriceOf) -> None:
    """Raise `ConfigError` where the task has a ceiling in dollars and ``agents`` ask a model without a known price.

    A model that says ``price: unknown`` is let through: its calls are counted, and their cost is named as unknown.
    """
    if task.budget.usd is None:
        return
    models = (workspace.models[name] for name in models_in_use(agents, workspace))
    unpriced = [spec for spec in models if spec.price != "unknown" and price_of(spec) is None]
    if unpriced:
        raise ConfigError([_problem(spec, task) for spec in unpriced], before_anything=True)


def _problem(spec: ModelSpec, task: Task) -> Problem:
    return Problem(
        task.usd_mark,
        f"budget.usd cannot hold: no price is known for {spec.model} (model {spec.name!r}), which this task may ask",
        f"give models.{spec.name} in agents.yaml a price: {{usd_per_million_tokens: {{in: …, out: …}}}}, "
        "{usd_per_call: …}, 'free', or 'unknown' to leave it out of budget.usd; "
        f"--set models.{spec.name}.price=free does it for one run",
    )
