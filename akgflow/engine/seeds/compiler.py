"""What ``torch.compile`` generates for the operator, in the cells whose DSL it can be had in."""

from __future__ import annotations

from akgflow import torch_compile
from akgflow.config.steps import SeedStep
from akgflow.engine.context import RunContext
from akgflow.engine.knowledge import asked_of
from akgflow.engine.seeds.base import Seed, Seeds
from akgflow.engine.state import JobState
from akgflow.executors.scratch import temporary


async def seeds(step: SeedStep, state: JobState, run: RunContext) -> Seeds:
    """One module for all cases of the task, or which operator has no loops of its own."""
    toolchain = run.workspace.dsls[state.job.dsl].toolchain
    if toolchain != torch_compile.TOOLCHAIN:
        return Seeds(why=f"torch.compile's code is taken over in C++ for CPUs, and this cell is in {state.job.dsl}")
    run.notify(state.job.id, f"{step.name}: torch.compile generates C++")
    # A folder with an owner: one that a killed session leaves is removed by a later one.
    scratch = temporary()
    try:
        made = await torch_compile.generate(asked_of(run.task), scratch.path)
    finally:
        scratch.close()
    if made.why:
        return Seeds(why=made.why)
    return Seeds((Seed(made.source, "what torch.compile generates"),))
