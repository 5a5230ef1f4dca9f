"""A model that cannot be asked is found by plan, doctor and at the start of run, within a second and unpaid."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import document
from openai_server import OpenAIServer
from plain_workspace import plain_workspace

from akgflow import api, errors
from akgflow.config import load
from akgflow.config.types import ModelSpec
from akgflow.doctor import examine
from akgflow.models.reachable import unreachable


@pytest.fixture
def dead() -> Iterator[str]:
    """The address of a port that nothing listens on; nobody else gets it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a server whose queue of connections is full, so that it takes none."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        callers = []
        for _ in range(4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
            callers.append(caller)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        for caller in callers:
            caller.close()


def models(workspace: Path, text: str) -> None:
    (workspace / "agents.yaml").write_text(f"version: 1\nmodels:\n  default: {text}\n")


def invoke(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, "COLUMNS": "200"})


CASES = [
    ("{model: openai/x, api_base: 'DEAD'}", "nothing answers at DEAD (Connection refused): start the server"),
    ("{model: openai/x, api_base: 'DEAF'}", "nothing answers at DEAF (no connection within a second)"),
    ("{model: openai/x, api_base: 'UP', api_key_env: MY_KEY}", "environment variable MY_KEY, which is not set"),
    ("{model: anthropic/x}", "environment variable ANTHROPIC_API_KEY, which is not set: export ANTHROPIC_API_KEY"),
    ("{model: no-such-model}", "no-such-model: its name does not say who serves it: write PROVIDER/MODEL"),
    ("{command: [akgflow-no-such-agent, -p]}", "the command akgflow-no-such-agent is not found"),
]


def test_doctor_needs_no_agent_that_works_in_folders(tmp_path: Path) -> None:
    entry = "{command: [akgflow-no-such-agent]}"
    models(tmp_path, f"{entry}\n  claude_code: {entry}\n")
    needed = {one.name: one.needed for one in examine(api.load_workspace(tmp_path)) if "no-such-agent" in one.detail}
    assert needed == {"model default": True, "model claude_code": False}


@pytest.mark.parametrize(
    ("text", "words"), CASES, ids=["dead", "deaf", "named key", "usual key", "no provider", "command"]
)
def test_plan_run_and_doctor_say_it(
    tmp_path: Path,
    openai_server: OpenAIServer,
    dead: str,
    deaf: str,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    words: str,
) -> None:
    for name in ("MY_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for mark, address in {"DEAD": dead, "DEAF": deaf, "UP": openai_server.url}.items():
        text, words = text.replace(mark, address), words.replace(mark, address)
    task = plain_workspace(tmp_path, openai_server.url)
    models(tmp_path, text)
    planned = invoke("plan", str(task))
    assert planned.returncode == 0 and "missing    model default: " in planned.stdout
    assert words in planned.stdout
    ran = invoke("run", str(task))
    assert ran.returncode == errors.ExitCode.PREREQUISITE
    assert words in ran.stderr
    assert not list(tmp_path.rglob("journal.jsonl")) and not openai_server.requests
    assert invoke("run", str(task)).returncode == errors.ExitCode.PREREQUISITE  # the folder is free again
    (said,) = document(invoke("plan", str(task), "--json").stdout)["unreachable"]
    assert words in said
    (check,) = [one for one in examine(api.load_workspace(tmp_path)) if one.name == "model default"]
    assert not check.ok and words.partition(": ")[0] in check.detail


def test_it_takes_less_than_a_second(deaf: str) -> None:
    several = [ModelSpec(f"m{number}", "openai/x", api_base=f"{deaf}/{number}") for number in range(5)]
    several.append(ModelSpec("nowhere", "openai/x", api_base="http://akgflow.invalid:9/v1"))
    begun = time.monotonic()
    assert set(unreachable(several)) == {spec.name for spec in several}
    assert time.monotonic() - begun < 1.5  # a loaded machine is late by itself


def test_what_can_be_asked_is_not_named(
    openai_server: OpenAIServer, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "k")
    monkeypatch.delenv("NO_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    good = (
        ModelSpec("server", "openai/x", api_base=openai_server.url, api_key_env="MY_KEY"),
        ModelSpec("either key", "gemini/x"),
        ModelSpec("recorded", "recorded/x"),
        ModelSpec("manual", "manual/inbox"),
        # What an override of `model` alone leaves of a server's entry does nothing for these.
        ModelSpec("recorded instead", "recorded/x", api_base=dead, api_key_env="NO_KEY"),
        ModelSpec("manual instead", "manual/inbox", api_base=dead, api_key_env="NO_KEY"),
        ModelSpec("unknown provider", "elsewhere/x"),
    )
    assert unreachable(good) == {}


def test_a_fallback_that_can_be_asked_is_enough(tmp_path: Path, openai_server: OpenAIServer, dead: str) -> None:
    task = plain_workspace(tmp_path, openai_server.url)
    models(tmp_path, f"{{model: openai/x, api_base: '{dead}', fallbacks: [other]}}\n  other: {{model: recorded/x}}")
    (said,) = api.unreachable(task)
    assert "nothing answers" in said
    recordings = task.parent / "recordings"
    recordings.mkdir()
    (recordings / f"{load(str(task)).task.name}.x.yaml").touch()
    assert api.unreachable(task) == ()


def test_a_recording_that_is_not_there_is_said_before_the_judge_is_tried(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    task = plain_workspace(tmp_path, openai_server.url)
    models(tmp_path, "{model: recorded/x}")
    words = f"model default: there is no recording {task.parent / 'recordings'}"
    planned = invoke("plan", str(task))
    assert planned.returncode == 0
    assert words in planned.stdout
    ran = invoke("run", str(task))
    assert ran.returncode == errors.ExitCode.PREREQUISITE
    assert words in ran.stderr and "AKGFLOW_MODEL" in ran.stderr
    assert not list(tmp_path.rglob("journal.jsonl"))


def test_a_task_without_a_budget_has_a_ceiling_that_the_plan_states(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    task = plain_workspace(tmp_path, openai_server.url)
    shown = " ".join(invoke("plan", str(task)).stdout.split())
    assert "budget 2,000,000 tokens, the default where a task names no budget" in shown
    assert api.plan(task).budget.tokens == 2_000_000
    assert api.plan(task, overrides=["budget.minutes=3"]).budget.tokens is None


@pytest.mark.parametrize(
    ("price", "problem"),
    [
        ("", "no price is known for command/default"),
        (", price: {usd_per_million_tokens: {in: 1, out: 2}}", ""),
        (", price: free", ""),
    ],
)
def test_a_ceiling_in_dollars_needs_the_price_of_a_command(
    tmp_path: Path, openai_server: OpenAIServer, price: str, problem: str
) -> None:
    task = plain_workspace(tmp_path, openai_server.url)
    models(tmp_path, f"{{command: [{sys.executable}]{price}}}")
    ran = invoke("run" if problem else "plan", str(task), "--set", "budget.usd=1")
    assert (ran.returncode, problem in ran.stderr) == (2 if problem else 0, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{command: [a], model: openai/x}", "'model' does nothing for a model that is a command"),
        ("{command: [a], api_base: 'http://x/v1'}", "'api_base' does nothing for a model that is a command"),
        ("{command: [a], params: {temperature: 1}}", "'params.temperature' does nothing for a model that is a command"),
        ("{model: openai/x, output: json}", "'output' does nothing for a model without 'command'"),
        ("{model: openai/x, writes: [x]}", "'writes' does nothing for a model without 'command'"),
        ("{output: json}", "model"),
        ("{command: []}", "command"),
    ],
)
def test_settings_that_do_nothing_are_errors(
    tmp_path: Path, openai_server: OpenAIServer, text: str, words: str
) -> None:
    task = plain_workspace(tmp_path, openai_server.url)
    models(tmp_path, text)
    checked = invoke("validate", str(task))
    assert checked.returncode == errors.ExitCode.CONFIG and words in checked.stderr
