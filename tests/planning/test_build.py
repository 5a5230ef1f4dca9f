"""Plans: which cells run, on which evidence, and at most for how much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akgflow.base.serial import from_data, to_data
from akgflow.config.steps import AgentStep, RepairStep
from akgflow.config.types import (
    AgentSpec,
    Budget,
    DslPack,
    Gates,
    ModelSpec,
    Operator,
    Price,
    Prompt,
    ReplyForm,
    SourceKernel,
    Target,
    Task,
    Workflow,
    Workspace,
)
from akgflow.errors import Mark
from akgflow.machine import Device, Machine
from akgflow.planning import Plan, build_plan, digest, identity
from akgflow.planning.bounds import TALK_TOKENS
from akgflow.precision import Precision
from akgflow.terms import Evidence

EXECUTED, INTERPRETED, COMPILED = Evidence.EXECUTED, Evidence.INTERPRETED, Evidence.COMPILED
LAPTOP = Machine("a cpu", 2)
WITH_H200 = Machine("a cpu", 16, (Device("cuda", "sm_90", "NVIDIA H200", 0),))


def agent(name: str, form: str) -> AgentSpec:
    prompt = Prompt("say {{ task.name }}", Mark("agents.yaml", 1, 1))
    return AgentSpec(name, "m", prompt, prompt, ReplyForm(form))  # type: ignore[arg-type]


WORKFLOW = Workflow(
    "w",
    (
        AgentStep("sketch", "designer"),
        AgentStep("code", "coder", samples=2),
        RepairStep("fix", "code", "coder", max_attempts=3, advisor="conductor"),
    ),
)
SPACE = Workspace(
    root=Path("/nowhere"),
    runs=Path("/nowhere/runs"),
    models={"m": ModelSpec("m", "openai/x", {"max_tokens": 1000}, price=Price(1.0, 10.0))},
    agents={a.name: a for a in (agent("designer", "text"), agent("coder", "code"), agent("conductor", "json"))},
    workflows={"w": WORKFLOW},
    targets={
        "cpu": Target("cpu", "cpu", "native"),
        "h200": Target("h200", "cuda", "sm_90a", device="H200"),
        "h100": Target("h100", "cuda", "sm_90a", device="H100"),
    },
    dsls={
        "triton": DslPack("triton", "", "triton", {"cuda": (EXECUTED, INTERPRETED, COMPILED), "cpu": (INTERPRETED,)}),
        "cpp": DslPack("cpp", "", "cpp", {"cpu": (EXECUTED,)}),
    },
)
TASK = Task(
    "t", Path("t.yaml"), "generate", Operator(Path("op.py"), "source"), ("triton", "cpp"), ("cpu", "h200", "h100"), "w"
)


def plan(task: Task = TASK, machine: Machine = LAPTOP, space: Workspace = SPACE) -> Plan:
    def missing(pack: DslPack, evidence: Evidence, target: Target) -> str | None:
        if evidence is EXECUTED and target.platform == "cuda" and machine.device_for(target) is None:
            return "no such device here"
        return None

    return build_plan(
        task,
        space,
        machine,
        missing=missing,
        price_of=lambda spec: spec.price,
        reply_tokens_of=lambda spec: int(spec.params["max_tokens"]),
    )


@pytest.mark.parametrize(
    ("machine", "job", "evidence", "gaps"),
    [
        (LAPTOP, "triton-cpu", (INTERPRETED,), []),
        (LAPTOP, "triton-h200", (INTERPRETED, COMPILED), [EXECUTED]),
        (WITH_H200, "triton-h200", (EXECUTED, COMPILED), []),
        (WITH_H200, "triton-h100", (INTERPRETED, COMPILED), [EXECUTED]),
        (LAPTOP, "cpp-cpu", (EXECUTED,), []),
    ],
)
def test_each_cell_lists_what_this_machine_can_show(
    machine: Machine, job: str, evidence: tuple[Evidence, ...], gaps: list[Evidence]
) -> None:
    (found,) = [j for j in plan(machine=machine).jobs if j.id == job]
    assert found.reach.evidence == evidence
    assert list(found.reach.gaps) == gaps


def test_a_cell_that_cannot_be_is_named_with_its_reason() -> None:
    (found,) = [j for j in plan().jobs if j.id == "cpp-h200"]
    assert "cpp does not run on platform cuda" in found.impossible
    assert found.calls == 0


def test_a_gate_out_of_reach_makes_the_cell_impossible_before_anything_is_spent() -> None:
    asked = replace(TASK, gates=Gates(evidence=EXECUTED))
    reasons = {j.id: j.impossible for j in plan(asked).jobs}
    assert "no such device here" in reasons["triton-h200"]
    assert "does not offer it on cpu" in reasons["triton-cpu"]
    assert reasons["cpp-cpu"] == ""


def test_instructions_that_a_target_lacks_make_the_cell_impossible() -> None:
    reasons = {j.id: j.impossible for j in plan(replace(TASK, gates=Gates(uses="wgmma"))).jobs}
    assert reasons["triton-h200"] == ""
    assert reasons["cpp-cpu"] == "the gate asks for kernels that use wgmma: native (cpu) has no wgmma"


def test_worst_case_counts_resends_advice_and_redesign() -> None:
    # sketch 1x2, code 2x2, fix 3 attempts x (coder, conductor, designer) x 2 = 18
    steps = plan().jobs[0].steps
    assert [step.calls for step in steps] == [2, 4, 18]
    assert [step.verdicts for step in steps] == [0, 2, 3]
    ceiling = plan().ceiling
    assert ceiling.calls == 4 * 24  # four cells can run
    assert ceiling.reply_tokens == 144_000  # half of the calls ask again, with twice the room
    # A first prompt takes 150 at most; 6 of a job's calls may show one reply, 18 three, and 12 send one back.
    assert ceiling.prompt_tokens == 4 * (6 * (150 + 2000) + 18 * (150 + 6000) + 24 * (6000 + TALK_TOKENS) + 12 * 2000)
    assert ceiling.usd == pytest.approx(1.44 + ceiling.prompt_tokens / 1e6)


def test_a_sketch_is_asked_for_once_for_all_jobs() -> None:
    designer = replace(SPACE.agents["designer"], reply=ReplyForm("sketch"))
    made = plan(space=replace(SPACE, agents={**SPACE.agents, "designer": designer}))
    sketch = made.jobs[0].steps[0]
    assert sketch.shared and sketch.does.endswith("once for all jobs")
    assert made.jobs[0].calls == 22
    assert made.ceiling.calls == 2 + 4 * 22  # a redesign stays each job's own
    impossible = replace(TASK, gates=Gates(evidence=EXECUTED), targets=("h200",))
    assert plan(impossible, space=replace(SPACE, agents={**SPACE.agents, "designer": designer})).ceiling.calls == 0


def test_an_unknown_price_is_said_and_not_counted_as_nothing() -> None:
    model = replace(SPACE.models["m"], price=None)
    ceiling = plan(space=replace(SPACE, models={"m": model})).ceiling
    assert ceiling.usd is None
    assert ceiling.unpriced == ("openai/x",)


def test_equal_inputs_give_equal_plans_and_every_input_counts() -> None:
    assert digest(plan()) == digest(plan())
    changed = [
        replace(TASK, operator=Operator(Path("op.py"), "other source")),
        replace(TASK, dtype="bfloat16"),
        replace(TASK, cases=({"m": 3},)),
        replace(TASK, precision=Precision.TF32),
    ]
    digests = {digest(plan())} | {digest(plan(task)) for task in changed}
    assert len(digests) == 5


def test_a_higher_budget_is_the_same_run() -> None:
    richer = replace(TASK, budget=Budget(usd=9.0))
    assert identity(plan(richer)) == identity(plan())
    assert digest(plan(richer)) != digest(plan())


def test_the_source_is_checked_where_most_can_be_seen_of_it() -> None:
    task = replace(TASK, source=SourceKernel("triton", Path("k.py"), "text"), targets=("cpu", "h200"))
    check = plan(task).source
    assert check is not None
    assert check.target == "h200"
    assert check.reach.evidence == (INTERPRETED, COMPILED)


def test_a_plan_travels_as_json() -> None:
    assert from_data(to_data(plan()), Plan) == plan()
