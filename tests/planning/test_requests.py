"""Whatever a task says about judging reaches the judge, whichever way a candidate comes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from plain_workspace import PLAIN_RIGHT, plain_workspace, wrong_then_right
from sampling import sampled

from akgflow import api
from akgflow.config.types import Task
from akgflow.executors.routing import RoutingExecutor
from akgflow.operators.backward import Backward
from akgflow.operators.preparation import Preparation
from akgflow.operators.text import parts_of
from akgflow.precision import Precision
from akgflow.toolchains import FRAMEWORK
from akgflow.verdict import JudgeRequest, Limits, Verdict

SAID = """\
dtype: float64
tolerance: 2.5
precision: {compute: fp16}
profile: true
memory: 1.5GiB
limits: {build: 7m, run: 90s, hang: 20}
shapes: {rows: 1..70}
layouts: any
"""
"""Unlike the judge's own defaults. The workspace's task has two cases, no baselines, and lets the framework work."""
SHARED = {field.name for field in fields(Task)} & {field.name for field in fields(JudgeRequest)} - {
    "operator",
    "limits",
}
LIMITS = Limits(build_seconds=420, run_seconds=90, hang_seconds=20, judgement_bytes=3 << 29)
Way = Callable[[Path], Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[JudgeRequest]:
    """Every request that reaches the executor; each is judged."""
    seen: list[JudgeRequest] = []
    judge = RoutingExecutor.judge

    async def keep(self: RoutingExecutor, request: JudgeRequest) -> Verdict:
        seen.append(request)
        return await judge(self, request)

    monkeypatch.setattr(RoutingExecutor, "judge", keep)
    return seen


@pytest.fixture
def space(tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("AKGFLOW_CACHE", str(tmp_path / "cache"))
    path = plain_workspace(tmp_path, openai_server.url, task=SAID)
    path.write_text(path.read_text().replace("cases: [", "cases: [{rows: 6, secret: true}, ", 1))
    (tmp_path / "k.py").write_text(PLAIN_RIGHT)
    openai_server.default = wrong_then_right()
    return tmp_path


WAYS: dict[str, Way] = {
    "run": lambda root: api.run("scale", workspace=root),
    "verify": lambda root: api.verify(root / "k.py", task="scale", dsl="plain", target="cpu", workspace=root),
    "matrix": lambda root: api.matrix("scale", candidates={"plain": root / "k.py"}, workspace=root),
    "recheck": lambda root: api.recheck(api.run("scale", workspace=root).folder, workspace=root),
}


@pytest.mark.thorough
@pytest.mark.parametrize("way", sampled(WAYS, "verify"))
def test_a_task_is_judged_as_it_says(space: Path, asked: list[JudgeRequest], way: str) -> None:
    task = api.load("scale", workspace=space).task
    said = {name: getattr(task, name) for name in SHARED}
    own = {field.name: field.default for field in fields(JudgeRequest)}
    assert {"cases", "dtype", "tolerance", "precision", "framework", "profile", "baselines"} <= SHARED
    assert not [name for name in SHARED if said[name] == own[name]], "what equals a default shows nothing"
    WAYS[way](space)
    assert asked
    if way == "recheck":
        assert not asked[-1].profile and asked[-1].limits == LIMITS, "counters say nothing about a kernel's state"
        asked = [*asked[:-1], replace(asked[-1], profile=True)]
    for request in asked:
        assert request.toolchain == FRAMEWORK or request.limits == LIMITS
        if request.toolchain != FRAMEWORK:
            assert {name: getattr(request, name) for name in SHARED} == said
        elif request.operator == task.operator.source:  # the self-test: one case, and its kernels say what they may use
            about = (request.dtype, request.tolerance, request.precision)
            assert about == (task.dtype, task.tolerance, task.precision)
            assert request.cases == task.cases[:1]


@pytest.mark.thorough
def test_verify_says_what_was_out_of_reach(space: Path) -> None:
    source = (Path(__file__).parents[1] / "support" / "scale_triton.py").read_text(encoding="utf-8")
    how: dict[str, Any] = {"dsl": "triton", "target": "amd_mi300x", "time": False, "workspace": space}
    verdict = api.verify(source=source, task="scale", overrides=["dtype=float32"], **how)
    assert verdict.passed and "no local device is amd_mi300x" in verdict.absent["executed"]


def test_what_a_call_says_goes_before_what_the_task_says(space: Path) -> None:
    from akgflow.machine import detect

    how: dict[str, Any] = {"dtype": "bfloat16", "framework": "forbid", "baselines": ("eager",), "cases": ["rows=2"]}
    how["precision"], how["backward"], how["prepare"] = {"compute": "bf16"}, {"overwrites": ["x"]}, {"calls": 7}
    asked = api.Question(PLAIN_RIGHT, "plain", "cpu", task="scale", workspace=space, **how).inquiry(detect()).request
    assert (asked.dtype, asked.framework, asked.baselines, asked.cases) == (
        *("bfloat16", "forbid", ("eager",)),
        ({"rows": 2},),
    )
    assert (asked.tolerance, asked.profile, asked.limits) == (2.5, True, LIMITS)
    assert asked.precision is Precision.BF16
    assert parts_of(asked.operator)[3:] == (Backward(("x",)), Preparation(7))
