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

from openai_server import Answer, OpenAIServer, Seen
from small_task import RIGHT, WRONG, by_agent, fenced, make_workspace

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


def test_five_kills_repeat_no_finished_call_or_verdict(tmp_path: Path, openai_server: OpenAIServer) -> None:
    dice = random.Random(SEED)
    pace = by_agent("the sketch", lambda seen: fenced(RIGHT if "Your last module" in seen.prompt else WRONG))
    finished_when_asked: list[set[str]] = []

    def slowly(seen: Seen) -> Answer:
        finished_when_asked.append(set(journal_keys(tmp_path)))
        time.sleep(0.4)
        return pace(seen)

    openai_server.default = slowly
    make_workspace(tmp_path, openai_server.url)
    seen_done: set[str] = set()
    for _ in range(KILLS):
        process = start(tmp_path)
        # From before the first call to well into the judging of the repaired kernel.
        time.sleep(dice.uniform(1.0, 16.0))
        killed_in_time = process.poll() is None
        if killed_in_time:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        done = set(journal_keys(tmp_path))
        assert seen_done <= done, "a sitting lost what an earlier one had finished"
        seen_done = done
        if not killed_in_time:
            break

    process = start(tmp_path)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    (job,) = json.loads(out)["jobs"]
    assert [attempt["status"] for attempt in job["attempts"]] == ["INCORRECT_NUMERICAL", "PASSED"]

    counted = Counter(journal_keys(tmp_path))
    run_keys = {key for key, times in counted.items() if times > 1}
    assert not run_keys, f"finished twice: {run_keys}"
    # The server heard a call again only if its reply had not reached the journal when it was asked.
    for seen, finished in zip(openai_server.requests, finished_when_asked, strict=True):
        assert call_of(seen) not in {
            key.split(" ")[1].split(".")[1] + "/" + key.split(".")[-1] for key in calls(finished)
        }


def calls(finished: set[str]) -> set[str]:
    return {key for key in finished if key.startswith("call ")}


def call_of(seen: Seen) -> str:
    """``step/agent`` of a request: this run has one call of each."""
    system = seen.prompt
    if system.startswith("You lead"):
        return "fix/conductor"
    if system.startswith("You design"):
        return "sketch/designer"
    return "fix/coder" if "Your last module" in system else "code/coder"
