"""A workflow of one's own, in YAML alone: planned, priced, run by a real server and judged for real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from openai_server import Answer, OpenAIServer, Seen
from small_task import fenced, make_workspace, sketch

from akgflow.config import load
from akgflow.engine import run_in_folder
from akgflow.errors import ExitCode
from akgflow.machine import detect
from akgflow.planning import Plan, build_plan
from akgflow.runs import RunFolder, RunResult, folder_for, open_run
from akgflow.toolchains import missing_on

PLAIN = """\
import torch

TUNABLES = {{"CHUNK": [1, 4, 16]}}
CHUNK = {chunk}


class ModelNew(torch.nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.empty(columns))

    def forward(self, x):
        return torch.cat([torch.relu(part * self.scale) for part in x.split(CHUNK)])
"""
AGENTS = """\
    price: {input: 1, output: 10}
agents:
  by_rows: {extends: designer, system: You design by rows.}
  by_columns: {extends: designer, system: You design by columns.}
workflows:
  mine:
    steps:
      rows: {agent: by_rows}
      row_code: {agent: coder}
      columns: {agent: by_columns}
      column_code: {agent: coder}
      bred: {evolve: [row_code, column_code], agent: optimizer, generations: 1, children: 1}
      tuned: {tune: bred, trials: 2}
"""
TASK = "workflow: mine\nframework: allow\n"


@pytest.fixture
def task(tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose language is plain PyTorch, judged by a real judge; it needs no compiler."""
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(tmp_path / "knowledge.sqlite"))
    (tmp_path / "dsls").mkdir()
    shutil.copy(Path(__file__).parents[1] / "support" / "plain_toolchain.py", tmp_path / "dsls" / "plain_toolchain.py")
    (tmp_path / "dsls" / "plain.yaml").write_text(
        "version: 1\ndsl: plain\ntitle: PyTorch\ntoolchain: plain_toolchain.py\nplatforms: {cpu: [executed]}\n"
    )
    path = make_workspace(tmp_path, openai_server.url, models=AGENTS, task=TASK, timed=True)
    path.write_text(path.read_text().replace("dsl: [cpp]", "dsl: [plain]"))
    return path


def plan_of(task: Path, *overrides: str) -> Plan:
    loaded = load(str(task), overrides=overrides)
    machine = detect()
    return build_plan(
        loaded.task,
        loaded.workspace,
        machine,
        missing=missing_on(machine),
        price_of=lambda spec: spec.price,
        reply_tokens_of=lambda spec: 1000,
    )


def run(task: Path, *overrides: str) -> RunResult:
    loaded = load(str(task), overrides=overrides)
    plan = plan_of(task, *overrides)
    folder = open_run(folder_for(plan, loaded.workspace.root / "runs"), plan)
    assert isinstance(folder, RunFolder)
    return run_in_folder(loaded.task, loaded.workspace, plan, folder, notify=lambda job, text: None)


def answer(seen: Seen) -> Answer:
    """Two designers, a coder who follows each, and an optimizer."""
    system = str(seen.body["messages"][0]["content"])
    if system.startswith("You design"):
        return Answer(sketch(system))
    if "Write a better one" in seen.prompt:
        return Answer(fenced(PLAIN.format(chunk=8)))
    return Answer(fenced(PLAIN.format(chunk=2 if "by rows" in seen.prompt else 3)))


@pytest.mark.thorough
def test_a_workflow_in_yaml_alone_is_planned_priced_and_run(task: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = answer
    plan = plan_of(task)
    calls = {step.name: (step.calls, step.verdicts) for step in plan.jobs[0].steps}
    assert calls["bred"] == (2 * 2, 2)
    assert calls["tuned"] == (0, 2)
    assert (plan.ceiling.calls, plan.ceiling.verdicts) == (12, 6)
    # Of 12 replies of 1000 tokens, the 6 that are asked for again may have twice the room.
    assert plan.ceiling.reply_tokens == 6 * 1000 + 6 * 2000
    assert plan.ceiling.usd == pytest.approx(18_000 * 10 / 1e6 + plan.ceiling.prompt_tokens * 1 / 1e6)

    result = run(task)
    (job,) = result.jobs
    assert result.exit_code is ExitCode.DONE, job.reason
    statuses = {(a.step, a.attempt, a.sample): a.status for a in job.attempts}
    assert statuses == {
        ("row_code", 1, 1): "PASSED",
        ("column_code", 1, 1): "PASSED",
        ("bred", 1, 1): "PASSED",
        ("bred", 1, 2): "TWIN",
        ("tuned", 1, 1): "PASSED",
        ("tuned", 2, 1): "PASSED",
    } or ("tuned: nothing was tuned: no right candidate was timed" in "".join(job.notes))
    assert job.calls + 2 == len(openai_server.requests) == 6
    tuned = Path(result.folder) / "jobs" / "plain-cpu" / "tuned-1-1" / "candidate.py"
    assert not tuned.exists() or "CHUNK = " in tuned.read_text()


@pytest.mark.thorough
def test_a_kernel_of_ones_own_is_tuned_without_a_model(task: Path, openai_server: OpenAIServer) -> None:
    (task.parent / "own.py").write_text(PLAIN.format(chunk=4))
    text = task.read_text().replace("kind: generate", "kind: optimize").replace("workflow: mine", "workflow: tune_only")
    task.write_text(text + "source: {dsl: plain, file: own.py}\n")
    result = run(task)
    assert result.exit_code is ExitCode.DONE
    assert openai_server.requests == []
    assert [a.step for a in result.jobs[0].attempts][:1] == ["given"]
    assert len(result.jobs[0].attempts) in (1, 3)  # on a machine too busy to time there is nothing to tune by
