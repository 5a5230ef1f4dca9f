"""After result.json: the result is shown before anything is closed, and the same command never pays again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from documents import document
from openai_server import OpenAIServer
from plain_workspace import PLAIN_WRONG, plain_workspace, wrong_then_right
from small_task import by_agent, fenced

RUN = [sys.executable, "-m", "akgflow", "run", "scale"]


def start(space: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RUN, *options],
        cwd=space,
        env={**os.environ, "TEST_KEY": "k"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def once_more(space: Path, *options: str) -> tuple[int, str, str]:
    process = start(space, *options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def at_its_result(space: Path, process: subprocess.Popen[str]) -> Path:
    """Wait until the result is on the disk; the run's folder."""
    while not (found := list((space / "runs").glob("*/result.json"))):
        assert process.poll() is None, "the run ended before it had a result"
        time.sleep(0.001)
    return found[0].parent


@pytest.fixture
def space(tmp_path: Path, openai_server: OpenAIServer) -> Path:
    openai_server.default = wrong_then_right()
    plain_workspace(tmp_path, openai_server.url)
    return tmp_path


@pytest.mark.thorough
def test_killed_at_its_result_the_same_command_shows_it_and_asks_nothing(
    space: Path, openai_server: OpenAIServer
) -> None:
    recording = space / "tasks" / "recordings" / "scale.mine.yaml"
    process = start(space, "--json", "--record", str(recording))
    folder = at_its_result(space, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    asked = len(openai_server.requests)
    recording.unlink(missing_ok=True)
    code, out, err = once_more(space, "--json", "--record", str(recording))
    assert (code, len(openai_server.requests)) == (0, asked)
    assert document(out) == json.loads((folder / "result.json").read_text())
    assert "is finished" in err and "--fresh" in err
    assert list((space / "runs").iterdir()) == [folder]
    assert recording.exists()


@pytest.mark.thorough
@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_interrupted_at_its_result_it_ends_with_the_result(space: Path, delay: float) -> None:
    process = start(space, "--json")
    folder = at_its_result(space, process)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert document(out) == json.loads((folder / "result.json").read_text())
    assert "interrupted" not in err and "Traceback" not in err


@pytest.mark.thorough
def test_interrupted_before_its_result_the_same_command_goes_on(space: Path, openai_server: OpenAIServer) -> None:
    process = start(space, "--json")
    while not openai_server.requests:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("\ninterrupted: akgflow run scale --json goes on where it stopped\n")
    assert once_more(space, "--json")[0] == 0
    assert len(list((space / "runs").iterdir())) == 1


@pytest.mark.thorough
def test_failed_gates_are_a_result_like_any_other(space: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("a sketch", lambda _: fenced(PLAIN_WRONG))
    code, first, _ = once_more(space, "--json")
    asked = len(openai_server.requests)
    again, second, _ = once_more(space, "--json")
    assert (code, again, len(openai_server.requests)) == (1, 1, asked)
    assert json.loads(first) == json.loads(second)
    assert once_more(space, "--fresh", "--json")[0] == 1
    assert len(openai_server.requests) == 2 * asked
    assert len(list((space / "runs").iterdir())) == 2
    # The latest of them is the one that the command means from now on.
    assert "-2 is finished" in once_more(space)[2]


@pytest.mark.thorough
def test_a_run_that_its_budget_stopped_goes_on_with_a_higher_one(space: Path, openai_server: OpenAIServer) -> None:
    answer = wrong_then_right()
    openai_server.default = lambda seen: replace(answer(seen), usage=(11, 8_000))
    small = ("--json", "--set", "budget.tokens=30k", "--set", "models.default.params={max_tokens: 9000}")
    code, out, _ = once_more(space, *small)
    asked = len(openai_server.requests)
    assert (code, document(out)["jobs"][0]["outcome"]) == (5, "budget")
    assert 0 < asked < 4
    assert once_more(space, *small)[0] == 5
    assert len(openai_server.requests) == asked
    code, out, _ = once_more(space, *small, "--set", "budget.tokens=400k")
    assert (code, len(openai_server.requests)) == (0, 4)
    assert once_more(space, *small)[0] == 0


def test_fresh_is_not_mixed_with_a_folder_that_is_in_use(space: Path) -> None:
    (space / "mine").mkdir()
    (space / "mine" / "journal.jsonl").write_text("")
    code, _, err = once_more(space, "--fresh", "--run-dir", "mine")
    assert code == 2 and "--fresh starts a new run" in err
