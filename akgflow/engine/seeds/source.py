"""The task's own source kernel, in the cells whose DSL is its own."""

from __future__ import annotations

from akgflow import toolchains
from akgflow.config.steps import SeedStep
from akgflow.engine.context import RunContext
from akgflow.engine.seeds.base import Seed, Seeds
from akgflow.engine.state import JobState
from akgflow.toolchains import Unsupported


async def seeds(step: SeedStep, state: JobState, run: RunContext) -> Seeds:  # noqa: ARG001
    """The kernel as a module with ``ModelNew``, which its toolchain makes of a bare source file."""
    source = run.task.source
    if source is None:
        return Seeds(why="the task gives no source kernel (source: {dsl: …, file: …})")
    if source.dsl != state.job.dsl:
        return Seeds(why=f"the source kernel is in {source.dsl}, and this cell is in {state.job.dsl}")
    try:
        module = toolchains.get(run.workspace.dsls[source.dsl].toolchain).source_module(source)
    except Unsupported as reason:
        return Seeds(why=str(reason))
    return Seeds((Seed(module, f"the source kernel {source.file.name}"),))
