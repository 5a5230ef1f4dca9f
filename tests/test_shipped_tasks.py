"""The shipped tasks: each has a recording that answers every cell, and what is recorded is judged right."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from documents import document

from akgflow import api
from akgflow.base import resources
from akgflow.models.recording import read_recording

WITHOUT_MODEL = ["column_norm"]
TASKS = sorted({path.stem for path in resources.tasks().glob("*.yaml")} - set(WITHOUT_MODEL))


def _file(task: str) -> Path:
    return resources.tasks() / f"{task}.yaml"


@pytest.mark.parametrize("task", WITHOUT_MODEL)
def test_what_has_no_recording_asks_no_model(task: str) -> None:
    plan = api.plan(_file(task))
    assert plan.runnable
    assert plan.ceiling.calls == 0


@pytest.mark.parametrize("task", TASKS)
def test_the_recording_answers_every_cell(task: str) -> None:
    plan = api.plan(_file(task))
    assert plan.workflow == "design_code_repair"
    replies = read_recording(_file(task).parent / "recordings" / f"{task}.akgflow.yaml").replies
    first = {("task", "sketch", 1, 1, "designer", 0)}
    first |= {(job.id, "code", 1, 1, "coder", 0) for job in plan.runnable}
    assert first <= set(replies), f"not recorded: {sorted(first - set(replies))}"
    repairs = {(job, attempt) for job, step, attempt, _, agent, _ in replies if (step, agent) == ("fix", "coder")}
    advised = {(job, attempt) for job, step, attempt, _, agent, _ in replies if (step, agent) == ("fix", "conductor")}
    assert repairs == advised
    strangers = {slot[0] for slot in replies} - {job.id for job in plan.jobs} - {"task"}
    assert not strangers, f"recorded for cells that the task does not have: {strangers}"


@pytest.mark.parametrize("task", TASKS)
def test_a_recording_names_who_answered_and_no_folder(task: str) -> None:
    replies = read_recording(_file(task).parent / "recordings" / f"{task}.akgflow.yaml").replies
    assert not [reply.model for reply in replies.values() if not re.fullmatch(r"\w+/[\w.:-]+", reply.model)]


MIGRATED = [task for task in TASKS if api.load(_file(task)).task.kind == "migrate"]


@pytest.mark.thorough
@pytest.mark.parametrize("task", MIGRATED)
def test_the_source_kernel_is_right_on_the_tasks_cases(tmp_path: Path, task: str) -> None:
    """It may serve no others: attention.cu writes nothing for a width of a head that it does not know."""
    command = [sys.executable, "-m", "akgflow", "run", str(_file(task)), "--run-dir", str(tmp_path / "run"), "-q"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    verdict = tmp_path / "run" / "source" / "verdict.json"
    while run.poll() is None and not verdict.exists():
        time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=100)[1]
    assert verdict.exists(), said
    assert json.loads(verdict.read_text())["status"] == "PASSED", said


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("task", "dsl", "target"), [("softmax_generate", "triton", "cpu"), ("layernorm_generate", "cuda_c", "cpu")]
)
def test_a_recorded_cell_is_judged_again(tmp_path: Path, task: str, dsl: str, target: str) -> None:
    only = ["--set", f"matrix.dsl=[{dsl}]", "--set", f"matrix.target=[{target}]"]
    command = [sys.executable, "-m", "akgflow", "run", str(_file(task)), "--run-dir", str(tmp_path / "run"), "--json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("AKGFLOW_")}
    env["AKGFLOW_KNOWLEDGE"] = str(tmp_path / "store.db")
    done = subprocess.run([*command, *only], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (job,) = document(done.stdout)["jobs"]
    assert (job["job"], job["outcome"], job["origins"]) == (f"{dsl}-{target}", "met", ["recorded"])
    assert job["verdict"]["status"] == "PASSED"
