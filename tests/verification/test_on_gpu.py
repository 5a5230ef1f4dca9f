"""On a real GPU: the shipped kernels run, are right and are timed; what is wrong there is refused there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from akgflow.agents import parse_reply
from akgflow.base import resources
from akgflow.config import load
from akgflow.config.types import Target, Task, Workspace
from akgflow.executors.local import LocalExecutor
from akgflow.machine import detect
from akgflow.models.recording import read_recording
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest, Verdict

pytestmark = pytest.mark.gpu

BOTH = (Evidence.EXECUTED, Evidence.COMPILED)


def local_target(space: Workspace) -> Target:
    """The shipped target that this machine's first GPU is."""
    machine = detect()
    found = [target for target in space.targets.values() if machine.device_for(target)]
    assert found, f"hardware.yaml knows no target for {machine.devices}"
    return found[0]


def shipped(task: str) -> tuple[Task, Workspace]:
    loaded = load(str(resources.tasks() / f"{task}.yaml"))
    return loaded.task, loaded.workspace


def recorded_kernel(task: Task, space: Workspace) -> str:
    """The last Triton kernel that was recorded for an NVIDIA GPU."""
    recording = read_recording(resources.tasks() / "recordings" / f"{task.name}.akgflow.yaml")
    replies = [r for r in recording.replies.values() if r.job == "triton-nvidia_h200" and r.agent == "coder"]
    return parse_reply(replies[-1].text, space.agents["coder"].reply, space.dsls["triton"]).text


def request(task: Task, target: Target, candidate: str, toolchain: str = "triton") -> JudgeRequest:
    return JudgeRequest(
        candidate,
        str(task.operator.file),
        task.operator.source,
        toolchain,
        target,
        BOTH,
        cases=task.cases,
        dtype=task.dtype,
    )


def judge(scratch: Path, *requests: JudgeRequest) -> list[Verdict]:
    """Verdicts of one executor, one after the other."""

    async def judged() -> list[Verdict]:
        executor = LocalExecutor(detect(), scratch)
        try:
            return [await executor.judge(one) for one in requests]
        finally:
            await executor.close()

    return asyncio.run(judged())


@pytest.mark.parametrize("name", ["gemm_migrate", "softmax_generate"])
def test_the_shipped_triton_kernels_are_executed_right_and_timed(tmp_path: Path, name: str) -> None:
    task, space = shipped(name)
    (verdict,) = judge(tmp_path, request(task, local_target(space), recorded_kernel(task, space)))
    assert verdict.passed, (verdict.message, verdict.log)
    assert set(verdict.evidence) == set(BOTH), verdict.absent
    assert verdict.timing, verdict.absent
    assert all(found.registers for found in verdict.resources)


def test_the_counters_are_read_or_it_is_said_why_not(tmp_path: Path) -> None:
    task, space = shipped("softmax_generate")
    asked = replace(request(task, local_target(space), recorded_kernel(task, space)), profile=True)
    (verdict,) = judge(tmp_path, asked)
    assert verdict.passed, (verdict.message, verdict.log)
    if not verdict.profile:
        reasons = ("administrators only", "the profiler ncu is not here", "only of what is right and timed")
        assert any(reason in verdict.absent["profile"] for reason in reasons), verdict.absent
        return
    longest = verdict.profile[0]
    assert "softmax" in longest.kernel
    assert longest.seconds and 0 < (longest.memory_percent or 0) <= 100 and longest.stall


def test_the_cuda_source_is_executed_and_right(tmp_path: Path) -> None:
    task, space = shipped("gemm_migrate")
    assert task.source is not None
    asked = replace(request(task, local_target(space), "", "cuda_c"), candidate=task.source, time=False)
    (verdict,) = judge(tmp_path, asked)
    assert verdict.passed, (verdict.message, verdict.log)
    assert Evidence.EXECUTED in verdict.evidence


def test_a_silent_downgrade_to_tf32_is_refused(tmp_path: Path) -> None:
    task, space = shipped("gemm_migrate")
    source = recorded_kernel(task, space)
    assert 'input_precision="ieee"' in source
    wrong = source.replace('input_precision="ieee"', 'input_precision="tf32"')
    (verdict,) = judge(tmp_path, request(task, local_target(space), wrong))
    assert verdict.status is Status.INCORRECT_NUMERICAL


def test_a_device_fault_is_a_verdict_and_the_next_candidate_is_judged(tmp_path: Path) -> None:
    task, space = shipped("softmax_generate")
    source = recorded_kernel(task, space)
    assert "+ cols, mask=inside, other" in source
    faulty = source.replace("+ cols, mask=inside, other", "+ cols + 1099511627776, mask=inside, other")
    target = local_target(space)
    asked = [replace(request(task, target, text), time=False) for text in (faulty, source)]
    broken, right = judge(tmp_path, *asked)
    assert broken.status is Status.RUNTIME_ERROR, broken
    assert right.passed, (right.message, right.log)
