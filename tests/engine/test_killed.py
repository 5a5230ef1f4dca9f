"""kill -9 at any moment: the same command goes on, repeats nothing that finished, and ends the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from documents import document
from openai_server import Answer, OpenAIServer, Seen
from small_task import RIGHT, WRONG, by_agent, fenced, make_workspace

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import kills

SEED = 20_261
KILLS = 5


def start(workspace: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "akgflow", "run", "scale", "--json"],
        cwd=workspace,
        env={**os.environ, "TEST_KEY": "k"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def journal_keys(workspace: Path) -> list[str]:
    """Finished effects, in order, torn line left out."""
    keys = []
    for path in (workspace / "runs").glob("*/journal.jsonl"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.endswith("\n"):
                keys.append(json.loads(line)["key"])
    return keys


@pytest.mark.thorough
def test_five_kills_repeat_no_finished_call_or_verdict(tmp_path: Path, openai_server: OpenAIServer) -> None:
    dice = random.Random(SEED)
    pace = by_agent("the sketch", lambda seen: fenced(RIGHT if "What the judge found" in seen.prompt else WRONG))
    finished_when_asked: list[set[str]] = []

    def slowly(seen: Seen) -> Answer:
        finished_when_asked.append(set(journal_keys(tmp_path)))
        time.sleep(0.4)
        return pace(seen)

    openai_server.default = slowly
    make_workspace(tmp_path, openai_server.url)
    seen_done: set[str] = set()
    for number in range(KILLS):
        process = start(tmp_path)
        # Each session gets a little further; where within its next step it dies is a matter of chance.
        wait_for_effects(tmp_path, number, process)
        time.sleep(dice.uniform(0.0, 1.5))
        assert process.poll() is None, "the run ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        done = set(journal_keys(tmp_path))
        assert seen_done <= done, "a session lost what an earlier one had finished"
        seen_done = done

    process = start(tmp_path)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    (job,) = document(out)["jobs"]
    assert [attempt["status"] for attempt in job["attempts"]] == ["INCORRECT_NUMERICAL", "PASSED"]

    twice = [key for key, times in Counter(journal_keys(tmp_path)).items() if times > 1]
    assert not twice, f"finished twice: {twice}"
    # The server heard a call again only if its reply had not reached the journal when it was asked.
    for seen, finished in zip(openai_server.requests, finished_when_asked, strict=True):
        assert call_of(seen) not in finished_calls(finished)
    assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.thorough
def test_calls_that_were_out_at_a_kill_count_and_the_ceiling_holds_over_all_sessions(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    ceiling = 7_000
    openai_server.default = Answer("word " * 40, piece=5, stalls=3)
    models = "    params: {max_tokens: 1000}\n"
    make_workspace(tmp_path, openai_server.url, task=f"budget: {{tokens: {ceiling}}}\n", models=models)
    for number in range(1, 9):
        process = start(tmp_path)
        while len(openai_server.requests) < number and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 5, out
    calls = [json.loads(line) for line in next(tmp_path.glob("runs/*/calls.jsonl")).read_text().splitlines()]
    assert len(calls) == len(openai_server.requests) == number - 1 > 1
    reserved = [call["reserved"]["prompt_tokens"] + call["reserved"]["completion_tokens"] for call in calls]
    # One more would not have fitted, and none was forgotten.
    assert sum(reserved) <= ceiling < sum(reserved) + reserved[0]
    result = document(out)
    assert (result["spent"]["lost"], result["spent"]["prompt_tokens"] + result["spent"]["completion_tokens"]) == (
        len(calls),
        sum(reserved),
    )
    (note,) = result["notes"]
    assert f"{len(calls)} calls went out and brought no reply, {len(calls)} of them because the process ended" in note
    (account,) = [row for row in result["accounts"] if row["model"]]
    assert (account["step"], account["lost"], account["reserved"]) == ("sketch", len(calls), sum(reserved))


def wait_for_effects(workspace: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until the journal holds ``count`` effects."""
    while len(journal_keys(workspace)) < count:
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.05)


def finished_calls(keys: set[str]) -> set[str]:
    """``step/agent`` of each finished call: ``call cpp-cpu.fix.1.1.coder`` is ``fix/coder``."""
    parts = [key.split(" ")[1].split(".") for key in keys if key.startswith("call ")]
    return {f"{part[1]}/{part[4]}" for part in parts}


def call_of(seen: Seen) -> str:
    """``step/agent`` of a request: this run has one call of each."""
    system = seen.prompt
    if system.startswith("You lead"):
        return "fix/conductor"
    if system.startswith("You design"):
        return "sketch/designer"
    return "fix/coder" if "What the judge found" in system else "code/coder"


@pytest.mark.thorough
def test_whatever_is_killed_the_run_ends_as_if_nobody_had(capsys: pytest.CaptureFixture[str]) -> None:
    """Three kills of `benchmarks/kills.py`, of whatever processes the seed names."""
    wrong = kills.main(["--count", "3", "--seed", "5", "--kills-per-run", "3"])
    assert not wrong, capsys.readouterr().out
