"""The shipped workflow ``no_model``: a KernelBench file becomes a judged kernel, and no model is there to be asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from known import operator
from running import run

from akgflow.config import load
from akgflow.knowledge import Store
from akgflow.machine import detect
from akgflow.planning import build_plan
from akgflow.runs import Outcome
from akgflow.toolchains import missing_on


def workspace(folder: Path, forward: str) -> Path:
    """A task for an operator whose only cell is C++ on this CPU; every model in it is a recording that is not there."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "mine.py").write_text(operator(forward, "9, 33"))
    task = folder / "tasks" / "mine.yaml"
    task.write_text(
        "version: 1\nname: mine\nkind: generate\noperator: {file: mine.py}\n"
        "matrix: {dsl: [cpp], target: [cpu]}\nworkflow: no_model\ngates: {evidence: executed}\n"
    )
    return task


@pytest.mark.thorough
def test_an_operator_becomes_a_judged_kernel_that_is_kept(tmp_path: Path, knowledge: Path) -> None:
    said: list[str] = []
    task = workspace(tmp_path, "return torch.softmax(x @ x.t(), 1)")
    result = run(task, "workflows.no_model.steps.tune.trials=1", said=said)
    (job,) = result.jobs
    assert (job.outcome, job.calls) == (Outcome.MET, 0), job.reason
    assert job.verdict is not None
    assert job.verdict.evidence == ("executed",)
    # A machine whose cores others hold gives no figure, and then says why, and nothing is tuned.
    tuned = [attempt for attempt in job.attempts if attempt.step == "tune"]
    assert len(tuned) == 1 if job.verdict.timing else "timing" in job.verdict.absent
    kept = Store(knowledge).entries()
    assert 1 <= len(kept) <= 2 and {entry.task for entry in kept} == {"mine"}
    assert "TUNABLES" in (Path(result.folder) / "best" / "cpp-cpu" / "candidate.py").read_text()


@pytest.mark.thorough
def test_where_nothing_can_be_generated_the_job_says_why(tmp_path: Path) -> None:
    (job,) = run(workspace(tmp_path, "return x.sort(1)[0]")).jobs
    assert job.outcome is Outcome.GATE_FAILED
    assert "aten.sort is the framework's kernel" in job.reason


@pytest.mark.thorough
def test_what_a_killed_generator_leaves_is_removed(tmp_path: Path) -> None:
    workspace(tmp_path, "return x.sort(1)[0]")
    left = tmp_path / "tmp"
    left.mkdir()
    command = [sys.executable, "-m", "akgflow", "run", "mine"]
    env = {**os.environ, "TMPDIR": str(left)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    # What torch leaves lies in a folder of its own.
    while not any(path.is_dir() for path in left.glob("akgflow-judge-*")) and process.poll() is None:
        time.sleep(0.02)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(left.iterdir())
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "aten.sort" in done.stdout, done.stderr
    assert not list(left.iterdir())


@pytest.mark.thorough
def test_the_plan_asks_no_model_and_states_its_cap(tmp_path: Path) -> None:
    loaded = load(str(workspace(tmp_path, "return x.exp()")))
    machine = detect()
    plan = build_plan(
        loaded.task,
        loaded.workspace,
        machine,
        missing=missing_on(machine),
        price_of=lambda spec: None,
        reply_tokens_of=lambda spec: 1000,
    )
    assert (plan.ceiling.calls, plan.ceiling.verdicts, plan.models) == (0, 5, {})
