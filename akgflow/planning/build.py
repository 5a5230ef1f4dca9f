"""From a task to its plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from akgflow.base.platforms import PLATFORMS
from akgflow.base.serial import to_data, to_json
from akgflow.config.types import DslPack, ModelSpec, Target, Task, Workflow, Workspace
from akgflow.machine import Machine
from akgflow.operators.shapes.dimensions import sizes_of
from akgflow.planning.bounds import ceiling, dispatching, planned_steps
from akgflow.planning.pricing import PriceOf, check_prices, models_in_use
from akgflow.planning.prompts import openings
from akgflow.planning.types import Job, Plan, PlannedStep, Reach, SourceCheck
from akgflow.terms import Evidence, in_order, strength

Missing = Callable[[DslPack, Evidence, Target], str | None]
"""Why an evidence is out of reach, or None: the toolchains answer, here or where the target is."""
At = Callable[[Target], str]
"""Where a target is judged: a cluster, or empty for this machine."""


def here(target: Target) -> str:  # noqa: ARG001
    """An `At` for which everything is judged on this machine."""
    return ""


def build_plan(
    task: Task,
    workspace: Workspace,
    machine: Machine,
    *,
    missing: Missing,
    at: At = here,
    price_of: PriceOf,
    reply_tokens_of: Callable[[ModelSpec], int],
    lacking: Sequence[str] = (),
) -> Plan:
    """The plan of ``task``; reads nothing and changes nothing. Raises `ConfigError` for a ceiling that cannot hold.

    ``lacking`` are packages that the operator imports and this machine does not have.
    """
    workflow = workspace.workflows[task.workflow]
    steps = planned_steps(workflow, workspace) + dispatching(task)
    agents = tuple(dict.fromkeys(agent for step in steps for agent in step.agents))
    check_prices(task, workspace, agents, price_of)
    jobs = tuple(
        _job(workspace.dsls[dsl], workspace.targets[target], task, steps, missing, at, lacking)
        for dsl in task.dsls
        for target in task.targets
    )
    live = [job for job in jobs if not job.impossible]
    return Plan(
        task=task.name,
        kind=task.kind,
        workflow=workflow.name,
        operator=_in_workspace(task.operator.file, workspace.root),
        cases=task.cases,
        dtype=task.dtype,
        gates=task.gates,
        budget=task.budget,
        models={name: workspace.models[name].model for name in models_in_use(agents, workspace)},
        source=_source_check(task, workspace, missing, at),
        jobs=jobs,
        ceiling=ceiling(
            steps,
            workspace,
            live,
            opening=openings(task, workspace, machine),
            price_of=price_of,
            reply_tokens_of=reply_tokens_of,
        ),
        machine=machine,
        inputs=_inputs(task, workflow, agents, workspace),
        shapes=shapes_of(task),
    )


def shapes_of(task: Task) -> str:
    """What the judge varies of a task's shapes beside those that it states, in one line; nothing is run."""
    secret = len(task.secret_cases)
    more = f"; {secret} secret case{'s' * (secret != 1)}" if secret else ""
    return task.shapes.varied(sizes_of(task.operator.whole)) + more


def digest(plan: Plan) -> str:
    """sha256 of the whole plan."""
    return _sha(to_json(plan))


def identity(plan: Plan) -> str:
    """sha256 of what the plan does, without what may change between two sessions of one run: the budget."""
    data = to_data(plan)
    for key in ("budget", "ceiling"):
        del data[key]
    return _sha(to_json(data))


def reach(pack: DslPack, target: Target, missing: Missing, at: At = here) -> Reach:
    """What the pack offers on the target's platform, sorted into what can be had and what cannot."""
    have: list[Evidence] = []
    gaps: dict[Evidence, str] = {}
    for evidence in in_order(pack.platforms.get(target.platform, ())):
        if Evidence.EXECUTED in have and evidence is Evidence.INTERPRETED:
            continue  # what was executed need not be imitated
        reason = missing(pack, evidence, target)
        if reason is None:
            have.append(evidence)
        else:
            gaps[evidence] = reason
    return Reach(tuple(have), gaps, at(target))


def _job(
    pack: DslPack,
    target: Target,
    task: Task,
    steps: tuple[PlannedStep, ...],
    missing: Missing,
    at: At,
    lacking: Sequence[str],
) -> Job:
    found = reach(pack, target, missing, at)
    impossible = _why_impossible(pack, target, task, found)
    if not impossible and not found.at and lacking:
        impossible = f"the operator imports {', '.join(lacking)}, which this machine lacks: install it where akgflow is"
    name = f"{pack.name}-{target.name}"
    taken = steps if Evidence.EXECUTED in found.evidence else tuple(step.without_execution() for step in steps)
    todo = () if impossible else taken
    return Job(name, pack.name, target.name, target.platform, target.arch, found, todo, impossible)


def why_nothing(pack: DslPack, target: Target, found: Reach) -> str:
    """Why no evidence at all can be had for a DSL on a target; empty where some can."""
    if target.platform not in pack.platforms:
        offered = ", ".join(sorted(pack.platforms))
        return f"{pack.name} does not run on platform {target.platform} (it runs on {offered})"
    if not found.evidence:
        return "nothing can be judged here: " + "; ".join(f"{e}: {why}" for e, why in found.gaps.items())
    return ""


def _why_impossible(pack: DslPack, target: Target, task: Task, found: Reach) -> str:
    nothing = why_nothing(pack, target, found)
    if nothing:
        return nothing
    if not task.gates.evidence.satisfied_by(found.evidence):
        why = found.gaps.get(task.gates.evidence, f"{pack.name} does not offer it on {target.platform}")
        return f"the gate asks for {task.gates.evidence} evidence, which is out of reach here: {why}"
    if task.gates.uses and (why := PLATFORMS[target.platform].lacks(task.gates.uses, target.arch)):
        return f"the gate asks for kernels that use {task.gates.uses}: {why}"
    return ""


def _source_check(task: Task, workspace: Workspace, missing: Missing, at: At) -> SourceCheck | None:
    """Check the source where most can be seen of it: on the task's own targets first, then on any that is here."""
    if task.source is None:
        return None
    pack = workspace.dsls[task.source.dsl]
    others = (t.name for t in workspace.targets.values() if t.name not in task.targets and t.reach is None)
    options = [(name, reach(pack, workspace.targets[name], missing, at)) for name in (*task.targets, *others)]
    best, found = max(options, key=lambda option: (strength(option[1].evidence), option[0] in task.targets))
    return SourceCheck(pack.name, best, found)


def _inputs(task: Task, workflow: Workflow, agents: Sequence[str], workspace: Workspace) -> dict[str, str]:
    texts = {"operator": task.operator.whole, "workflow": to_json(workflow)}
    if task.secret_cases:
        texts["secret cases"] = to_json(task.secret_cases)
    if task.precision is not Task.precision:
        texts["precision"] = task.precision
    if task.source:
        texts["source"] = to_json([task.source.source, task.source.call, task.source.out])
    for agent in agents:
        spec = workspace.agents[agent]
        texts[f"agent {agent}"] = to_json(
            [spec.system.text, spec.prompt.text, spec.repair.text if spec.repair else None, to_data(spec.reply)]
        )
    for dsl in task.dsls:
        texts[f"dsl {dsl}"] = to_json(workspace.dsls[dsl])
    texts["knowledge"] = to_json(replace(workspace.knowledge, store=None))
    for target in task.targets:
        texts[f"target {target}"] = to_json(workspace.targets[target])
    return {name: _sha(text) for name, text in texts.items()}


def _in_workspace(file: Path, root: Path) -> str:
    """A path relative to the workspace, so that a plan does not depend on the workspace's folder."""
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
